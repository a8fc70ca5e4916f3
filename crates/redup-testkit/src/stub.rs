//! A server on loopback that answers as a test says: in place of services that cannot be had, such as
//! those that give out credentials.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::faulty::{Head, Request};

/// An answer: its status, further headers as lines, and its body.
pub type Answer = (u16, &'static str, String);

type React = Box<dyn Fn(&Request, &str) -> Answer + Send + Sync>;

/// The server. It lives as long as the process.
pub struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// One at this address, whose port may be 0 for any, that gives `react` each request and its body.
    ///
    /// # Panics
    /// When the address is not to be had.
    #[must_use]
    #[track_caller]
    pub fn start(
        address: impl Into<IpAddr>,
        port: u16,
        react: impl Fn(&Request, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let wanted = SocketAddr::new(address.into(), port);
        let listener = TcpListener::bind(wanted)
            .unwrap_or_else(|error| panic!("cannot listen at {wanted}: {error}"));
        let address = listener.local_addr().expect("a bound port");
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, react): (_, Arc<React>) = (Arc::clone(&seen), Arc::new(Box::new(react)));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (log, react) = (Arc::clone(&log), Arc::clone(&react));
                // A connection that ends early is its client's affair.
                thread::spawn(move || drop(serve(client, &log, &react)));
            }
        });
        Self { address, seen }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

fn serve(mut client: TcpStream, log: &Mutex<Vec<Request>>, react: &React) -> io::Result<()> {
    while let Some(head) = Head::read(&mut client)? {
        let request = head.request();
        let mut body = vec![0; request.len];
        client.read_exact(&mut body)?;
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let (status, headers, body) = react(&request, &String::from_utf8_lossy(&body));
        let len = body.len();
        let body = if request.method == "HEAD" { "" } else { &body };
        write!(
            client,
            "HTTP/1.1 {status} Stub\r\nContent-Length: {len}\r\n{headers}\r\n{body}"
        )?;
    }
    Ok(())
}
