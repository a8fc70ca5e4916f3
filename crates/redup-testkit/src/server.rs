//! What all S3 servers of the tests have in common.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools;

/// The name of the key that may do everything, at every server.
pub const ACCESS_KEY: &str = "redup-test-key";
/// Its secret.
pub const SECRET_KEY: &str = "redup-test-secret";

/// How long a server may take to be there. The slowest needs about four seconds on an idle machine.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// Time between two looks whether it is.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// A real S3 server on loopback, which ends when it is dropped, and its data with it.
pub trait S3Server: Send + Sync {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Where it speaks S3.
    fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The variables that make an S3 client use this server and its key, and nothing else of this
    /// machine's.
    fn environment(&self) -> Vec<(&'static str, String)>;

    /// Makes an empty bucket.
    ///
    /// # Panics
    /// When the server does not.
    #[track_caller]
    fn create_bucket(&self, name: &str) {
        self.boto3(&format!("s3.create_bucket(Bucket={name:?})"));
    }

    /// Runs Python with `s3`, a boto3 client of this server, and `json`; returns what it prints.
    /// So a test sees with other eyes than ours what the server holds.
    ///
    /// # Panics
    /// When boto3 is not installed or the script fails.
    #[track_caller]
    fn boto3(&self, script: &str) -> String {
        let program = format!(
            "import boto3, json\ns3 = boto3.client('s3', endpoint_url={:?})\n{script}\n",
            self.endpoint_url()
        );
        let output = Command::new(tools::python_with_boto3())
            .args(["-c", &program])
            .envs(self.environment())
            .output()
            .expect("python runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Variables for a server at `endpoint_url`; there is no configuration file in `folder`.
pub(crate) fn environment(endpoint_url: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let nothing = folder.join("no-such-file").display().to_string();
    vec![
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
        ("AWS_ENDPOINT_URL_S3", endpoint_url.into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_CONFIG_FILE", nothing.clone()),
        ("AWS_SHARED_CREDENTIALS_FILE", nothing),
    ]
}

/// A program that runs below a shell, which ends it when its own standard input closes: the system
/// sees to that even if this process is killed.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
    log: PathBuf,
}

impl Keeper {
    /// Starts `command`; what it prints goes to the file `log`.
    pub(crate) fn start(command: &Command, log: &Path) -> Self {
        const KEEP: &str =
            r#"log=$1; shift; "$@" >"$log" 2>&1 & server=$!; cat >/dev/null; kill -9 "$server""#;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", KEEP, "sh"])
            .arg(log)
            .arg(command.get_program())
            .args(command.get_args())
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        Self {
            shell: shell.spawn().expect("a shell"),
            log: log.to_owned(),
        }
    }

    /// Waits until it listens. False when that will never be, since somebody else has its port.
    ///
    /// # Panics
    /// When it takes too long.
    #[track_caller]
    pub(crate) fn listens(&self, address: SocketAddr) -> bool {
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if self.lost_its_port() {
                return false;
            }
            let log = self.log();
            assert!(start.elapsed() < START_LIMIT, "no server starts:\n{log}");
            thread::sleep(POLL);
        }
        // Whoever answers may be another.
        !self.lost_its_port()
    }

    /// Whether it could not have its port.
    pub(crate) fn lost_its_port(&self) -> bool {
        let log = self.log().to_ascii_lowercase();
        log.contains("address already in use")
    }

    /// What it has printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}

/// Ports that nobody uses at the moment, below those that the system gives to connections on their
/// way out: among these any could be taken in the next moment.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    const FIRST: u64 = 10_000;
    const RANGE: u64 = 22_000;
    let random = RandomState::new();
    let mut candidates = (0_u64..).map(|number| {
        let port = FIRST + random.hash_one(number) % RANGE;
        u16::try_from(port).unwrap_or_default()
    });
    let mut bind = || candidates.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listeners: [TcpListener; COUNT] = std::array::from_fn(|_| bind().expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a bound port").port())
}
