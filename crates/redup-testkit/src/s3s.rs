//! Another real S3 server on loopback, written by others in another language than SeaweedFS: s3s-fs,
//! which keeps objects as files.
//!
//! It knows one key; it refuses storage classes other than STANDARD on PUT, and does not list
//! multipart uploads.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{self, Keeper, S3Server, free_ports};
use crate::tools;

/// A running s3s-fs. Dropped, it ends, and its data is removed; it also ends when the process that
/// started it does.
#[derive(Debug)]
pub struct S3sServer {
    keeper: Keeper,
    port: u16,
    folder: TempDir,
}

impl S3sServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When s3s-fs is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same for clients that know it by that name, and its buckets by `bucket.name`.
    ///
    /// # Panics
    /// When s3s-fs is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start_named(name: &str) -> Self {
        Self::start_with(&["--domain", name, "--domain", "127.0.0.1"])
    }

    #[track_caller]
    fn start_with(arguments: &[&str]) -> Self {
        // Somebody else may take the port between our look at it and the server's.
        let started = (0..5).find_map(|_| Self::try_start(arguments));
        started.unwrap_or_else(|| panic!("s3s-fs finds its port in use again and again"))
    }

    /// The folder with a subfolder for each bucket, and in it a file for each object.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Nothing when its port is in use after all.
    #[track_caller]
    fn try_start(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder for the server");
        let [port] = free_ports();
        let mut command = Command::new(tools::s3s_fs());
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", server::ACCESS_KEY])
            .args(["--secret-key", server::SECRET_KEY])
            .args(arguments)
            .arg(&data);
        let keeper = Keeper::start(&command, &folder.path().join("log"));
        let server = Self {
            keeper,
            port,
            folder,
        };
        server.keeper.listens(server.address()).then_some(server)
    }
}

impl S3Server for S3sServer {
    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        server::environment(&self.endpoint_url(), self.folder.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_objects_and_refuses_infrequent_access() {
        let server = S3sServer::start();
        server.create_bucket("backups");
        server.boto3("s3.put_object(Bucket='backups', Key='a/b', Body=b'x')");
        assert_eq!(fs::read(server.data().join("backups/a/b")).unwrap(), b"x");
        let told = server.boto3(
            "try: s3.put_object(Bucket='backups', Key='c', Body=b'x', StorageClass='STANDARD_IA')\n\
             except Exception as error: print(error)",
        );
        assert!(told.contains("InvalidStorageClass"), "{told}");
    }
}
