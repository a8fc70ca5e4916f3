//! A real S3 server on loopback: SeaweedFS, with a folder, ports and keys of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{self, Keeper, POLL, S3Server, START_LIMIT, free_ports};
use crate::tools;

/// The ports it wants: master, volume server, filer and S3, each over HTTP and gRPC.
const PORTS: usize = 8;

/// A running SeaweedFS. Dropped, it ends, and its data is removed; it also ends when the process
/// that started it does, however that comes about.
#[derive(Debug)]
pub struct SeaweedServer {
    keeper: Keeper,
    ports: [u16; PORTS],
    folder: TempDir,
    tls: Option<Tls>,
}

/// What a server that speaks HTTPS needs, and its clients: files in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the authority that signed it.
    pub authority: PathBuf,
}

impl SeaweedServer {
    /// The name of the key that may do everything.
    pub const ACCESS_KEY: &'static str = server::ACCESS_KEY;
    /// Its secret.
    pub const SECRET_KEY: &'static str = server::SECRET_KEY;
    /// The name of a key that may list and read, and not write.
    pub const READ_ONLY_KEY: &'static str = "redup-read-key";
    /// Its secret.
    pub const READ_ONLY_SECRET: &'static str = "redup-read-secret";

    /// Starts a server and waits until it takes objects.
    ///
    /// # Panics
    /// When SeaweedFS is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(None, &[])
    }

    /// The same over HTTPS.
    ///
    /// # Panics
    /// When SeaweedFS is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start_tls(tls: Tls) -> Self {
        Self::start_with(Some(tls), &[])
    }

    /// The same for clients that know it by these names, `bucket.name` included.
    ///
    /// # Panics
    /// When SeaweedFS is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start_tls_named(tls: Tls, names: &[&str]) -> Self {
        Self::start_with(Some(tls), names)
    }

    #[track_caller]
    fn start_with(tls: Option<Tls>, names: &[&str]) -> Self {
        let taken = |_| Self::try_start(tls.clone(), names);
        // Somebody else may take a port between our look at it and the server's.
        let started = (0..5).find_map(taken);
        started.unwrap_or_else(|| panic!("SeaweedFS finds its ports in use again and again"))
    }

    /// Nothing when one of its ports is in use after all.
    #[track_caller]
    fn try_start(tls: Option<Tls>, names: &[&str]) -> Option<Self> {
        let program = tools::weed();
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_identities(&folder.path().join("s3.json"));
        let ports = free_ports();
        let keeper = launch(&program, folder.path(), &ports, tls.as_ref(), names);
        let server = Self {
            keeper,
            ports,
            folder,
            tls,
        };
        server.wait_until_ready().then_some(server)
    }

    /// False when that will never be, for want of a port.
    #[track_caller]
    fn wait_until_ready(&self) -> bool {
        let start = Instant::now();
        let [master, .., s3, _] = self.ports;
        let ready = || {
            let assigned = get(master, "/dir/assign").is_some_and(|text| text.contains("\"fid\""));
            assigned && get(s3, "/").is_some()
        };
        while !ready() {
            if self.keeper.lost_its_port() {
                return false;
            }
            let log = self.keeper.log();
            assert!(start.elapsed() < START_LIMIT, "no SeaweedFS:\n{log}");
            thread::sleep(POLL);
        }
        true
    }
}

impl S3Server for SeaweedServer {
    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[6]))
    }

    fn endpoint_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = server::environment(&self.endpoint_url(), self.folder.path());
        if let Some(tls) = &self.tls {
            variables.push(("AWS_CA_BUNDLE", tls.authority.display().to_string()));
        }
        variables
    }
}

fn launch(
    program: &Path,
    folder: &Path,
    ports: &[u16; PORTS],
    tls: Option<&Tls>,
    names: &[&str],
) -> Keeper {
    let data = folder.join("data");
    fs::create_dir(&data).expect("a folder for the server");
    let [
        master,
        master_rpc,
        volume,
        volume_rpc,
        filer,
        filer_rpc,
        s3,
        s3_rpc,
    ] = ports;
    let tls = tls.map(|tls| {
        let argument = |name: &str, path: &Path| format!("-s3.{name}.file={}", path.display());
        [
            argument("cert", &tls.certificate),
            argument("key", &tls.key),
        ]
    });
    let mut command = Command::new(program);
    command
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
        .args([
            "-master.telemetry=false",
            "-volume.max=100",
            // Its own limit is a hundredth of the disk, which a machine that builds may well lack.
            "-volume.minFreeSpace=1MiB",
            "-filer",
            "-s3",
        ])
        .arg(format!("-dir={}", data.display()))
        .arg(format!("-master.port={master}"))
        .arg(format!("-master.port.grpc={master_rpc}"))
        .arg(format!("-volume.port={volume}"))
        .arg(format!("-volume.port.grpc={volume_rpc}"))
        .arg(format!("-filer.port={filer}"))
        .arg(format!("-filer.port.grpc={filer_rpc}"))
        .arg(format!("-s3.port={s3}"))
        .arg(format!("-s3.port.grpc={s3_rpc}"))
        .args([
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
        ])
        .arg(format!("-s3.config={}", folder.join("s3.json").display()))
        .args(tls.into_iter().flatten())
        .arg(format!("-s3.domainName={}", names.join(",")))
        .current_dir(folder)
        .env("HOME", folder);
    Keeper::start(&command, &folder.join("log"))
}

fn write_identities(path: &Path) {
    let identity = |name: &str, key: &str, secret: &str, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        })
    };
    let all = ["Admin", "Read", "Write", "List", "Tagging"];
    let identities = serde_json::json!({ "identities": [
        identity("all", SeaweedServer::ACCESS_KEY, SeaweedServer::SECRET_KEY, &all),
        identity(
            "reader",
            SeaweedServer::READ_ONLY_KEY,
            SeaweedServer::READ_ONLY_SECRET,
            &["Read", "List"],
        ),
    ]});
    fs::write(path, identities.to_string()).expect("a file for the keys");
}

/// The answer to a plain GET, head and body, if there is one.
fn get(port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}
