//! An S3 server that plays archive classes through: moto, in whose eyes GLACIER cannot be read before it
//! is restored. It keeps everything in memory and checks no keys.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{self, Keeper, S3Server, free_ports};
use crate::tools;

/// A running moto. Dropped, it ends; it also ends when the process that started it does.
#[derive(Debug)]
pub struct MotoServer {
    keeper: Keeper,
    port: u16,
    folder: TempDir,
}

impl MotoServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When moto is not installed or does not start; with what it printed.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        // Somebody else may take the port between our look at it and the server's.
        let started = (0..5).find_map(|_| Self::try_start());
        started.unwrap_or_else(|| panic!("moto finds its port in use again and again"))
    }

    /// From now on an object is thawed when it was looked at so often.
    ///
    /// # Panics
    /// When the server does not answer.
    #[track_caller]
    pub fn thaw_after_looks(&self, looks: u32) {
        self.boto3(&format!(
            "import urllib.request\n\
             what = {{'model_name': 's3::keyrestore', 'transition': {{'progression': 'manual', 'times': {looks}}}}}\n\
             to = s3.meta.endpoint_url + '/moto-api/state-manager/set-transition'\n\
             urllib.request.urlopen(to, json.dumps(what).encode()).read()"
        ));
    }

    /// Nothing when its port is in use after all.
    #[track_caller]
    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [port] = free_ports();
        let mut command = Command::new(tools::moto());
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let keeper = Keeper::start(&command, &folder.path().join("log"));
        let server = Self {
            keeper,
            port,
            folder,
        };
        server.keeper.listens(server.address()).then_some(server)
    }
}

impl S3Server for MotoServer {
    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        server::environment(&self.endpoint_url(), self.folder.path())
    }
}
