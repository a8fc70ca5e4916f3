//! The clients that are compared, each as a command that moves one object.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use redup_engine::transfer::Transfer;
use redup_s3::{S3Options, S3Storage};
use redup_storage::{ObjectKind, Retry, RetryPolicy, TargetUrl};
use redup_testkit::tools;

/// What redup allows its transfers, uploading and downloading: what the program does with its 512 MiB.
const MEMORY: (u64, u64) = (128 << 20, 408 << 20);

/// The part size in MiB and the connections that redup's uploads begin with, for those that are to do the same.
const SAME: (u64, u64) = (8, 8);

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a file.
    Up,
    /// Into a file.
    Down,
    /// Into the program that reads, as in a restore; there the bytes are dropped.
    Read,
}

/// A program, and how it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Redup,
    Rclone { same: bool },
    Boto3 { same: bool },
}

impl Client {
    /// All of them, in the order in which they take turns.
    pub(crate) const ALL: [Self; 5] = [
        Self::Redup,
        Self::Rclone { same: false },
        Self::Boto3 { same: false },
        Self::Rclone { same: true },
        Self::Boto3 { same: true },
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> String {
        let (name, same) = match self {
            Self::Redup => return "redup".into(),
            Self::Rclone { same } => ("rclone", same),
            Self::Boto3 { same } => ("boto3", same),
        };
        match same {
            true => format!("{name}, {} MiB x {}", SAME.0, SAME.1),
            false => format!("{name}, its defaults"),
        }
    }

    /// Whether it moves anything that way as it is set: what rclone reads aloud, it reads in one go.
    pub(crate) fn takes_part(self, way: Way) -> bool {
        way != Way::Read || self != Self::Rclone { same: true }
    }

    /// What moves `file` to or from the object `name` of the bucket `bench`.
    pub(crate) fn command(self, way: Way, endpoint: &str, name: &str, file: &Path) -> Command {
        let mut command = match self {
            Self::Redup => redup(way, endpoint, name, file),
            Self::Rclone { same } => rclone(same, way, endpoint, name, file),
            Self::Boto3 { same } => boto3(same, way, endpoint, name, file),
        };
        if way != Way::Read || !matches!(self, Self::Rclone { .. }) {
            command.stdout(Stdio::piped());
        }
        environment(&mut command);
        command
    }
}

/// The keys, which nobody checks, and nothing that this machine may have set.
pub(crate) fn environment(command: &mut Command) -> &mut Command {
    command
        // rclone takes none together with its own transport.
        .env_remove("AWS_CA_BUNDLE")
        .env("AWS_ACCESS_KEY_ID", "bench-key")
        .env("AWS_SECRET_ACCESS_KEY", "bench-secret")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

fn redup(way: Way, endpoint: &str, name: &str, file: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let (way, file) = match way {
        Way::Up => ("up", file),
        Way::Down => ("down", file),
        Way::Read => ("down", Path::new("/dev/null")),
    };
    command.args(["store", way, endpoint, name]).arg(file);
    command
}

fn rclone(same: bool, way: Way, endpoint: &str, name: &str, file: &Path) -> Command {
    let mut command = Command::new("rclone");
    let (size, streams) = SAME;
    command
        .arg(if way == Way::Read { "cat" } else { "copyto" })
        .args(["--config=", "--s3-provider=Other", "--s3-env-auth"])
        .args([
            "--s3-no-check-bucket",
            "--ignore-times",
            "--s3-force-path-style",
            "--quiet",
        ])
        .arg(format!("--s3-endpoint={endpoint}"));
    if same {
        command
            .arg(format!("--s3-chunk-size={size}Mi"))
            .arg(format!("--s3-upload-concurrency={streams}"))
            .arg(format!("--multi-thread-streams={streams}"))
            .arg("--multi-thread-cutoff=1Mi");
    }
    let object = format!(":s3:bench/{name}");
    match way {
        Way::Up => command.arg(file).arg(object),
        Way::Down => command.arg(object).arg(file),
        // To the null device, where it costs least.
        Way::Read => command
            .arg(object)
            .stdout(File::create("/dev/null").unwrap()),
    };
    command
}

fn boto3(same: bool, way: Way, endpoint: &str, name: &str, file: &Path) -> Command {
    let (size, streams) = SAME;
    let config = match same {
        true => format!(
            "multipart_chunksize={size}<<20, multipart_threshold={size}<<20, max_concurrency={streams}"
        ),
        false => String::new(),
    };
    let action = match way {
        Way::Up => format!("upload_file({file:?}, 'bench', {name:?}, Config=config)"),
        Way::Down => format!("download_file('bench', {name:?}, {file:?}, Config=config)"),
        Way::Read => {
            format!("download_fileobj('bench', {name:?}, open('/dev/null', 'wb'), Config=config)")
        }
    };
    let program = format!(
        "import boto3, time\nfrom boto3.s3.transfer import TransferConfig\n\
         start = time.time()\n\
         s3 = boto3.client('s3', endpoint_url={endpoint:?})\n\
         config = TransferConfig({config})\n\
         s3.{action}\nprint('seconds', time.time() - start)\n"
    );
    let mut command = Command::new(tools::python_with_boto3());
    command.args(["-c", &program]);
    command
}

/// What [`Client::Redup`] runs: the engine's transfers alone, set as the program sets them.
pub(crate) fn store(words: &[&str]) {
    let [way, endpoint, name, file] = words else {
        panic!("{words:?}");
    };
    redup_storage::keep_freed_memory();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let TargetUrl::S3(url) = TargetUrl::parse(OsStr::new("s3://bench/")).unwrap() else {
        panic!("an S3 URL");
    };
    let mut options = S3Options::new(url);
    options.endpoint_url = Some((*endpoint).to_owned());
    options.expected_object_size = Some(1 << 30);
    let storage = runtime.block_on(S3Storage::connect(options)).unwrap();
    let storage = Retry::new(Arc::new(storage), RetryPolicy::default());
    let memory = if *way == "up" { MEMORY.0 } else { MEMORY.1 };
    let transfer = Transfer::new(Arc::new(storage), runtime.handle().clone(), memory);
    let mut buffer = vec![0; 128 << 10];
    if *way == "up" {
        let mut file = File::open(file).unwrap();
        let mut object = transfer.create(name, ObjectKind::Volume);
        copy(&mut buffer, &mut file, &mut object);
        object.finish().unwrap().complete().unwrap();
    } else {
        let len = transfer.length(name).unwrap();
        let mut object = transfer.read(name, len);
        let mut file = File::create(file).unwrap();
        while let Some(chunk) = object.next_chunk().unwrap() {
            file.write_all(&chunk).unwrap();
        }
    }
}

fn copy(buffer: &mut [u8], from: &mut impl Read, to: &mut impl Write) {
    loop {
        let count = from.read(buffer).unwrap();
        if count == 0 {
            return;
        }
        to.write_all(&buffer[..count]).unwrap();
    }
}
