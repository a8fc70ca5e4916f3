//! A proxy of the kind that `HTTPS_PROXY` and `HTTP_PROXY` name: it is told where to go with each
//! connection or request. This one notes that down and always goes to the same server.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::faulty::read_head;

/// The proxy. It lives as long as the process.
pub struct ForwardProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    /// One that leads to `server` whatever it is asked for; without a server it refuses.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn towards(server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                // A connection that ends early is its client's affair.
                thread::spawn(move || drop(serve(client, server, &log)));
            }
        });
        Self { address, asked }
    }

    /// What the variables are to name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it was asked to go, each once, in order: `CONNECT host:port` or `GET http://host`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

fn serve(
    mut client: TcpStream,
    server: Option<SocketAddr>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let Some(head) = read_head(&mut client)? else {
        return Ok(());
    };
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target) = (word(), word());
    let origin: String = target.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let note = format!("{method} {origin}");
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(note);
    let Some(server) = server else {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    };
    let mut server = TcpStream::connect(server)?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        // One request a connection, to the path alone.
        let lines = head.replacen(&origin, "", 1);
        let lines = lines.trim_end_matches("\r\n");
        write!(server, "{lines}\r\nConnection: close\r\n\r\n")?;
    }
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
