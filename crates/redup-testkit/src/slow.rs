//! A slow line to a server: so many bytes a second each way, in small steps.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Steps a second.
const STEPS: usize = 50;

/// What the system keeps of what arrives faster.
const BUFFER: usize = 32 << 10;

/// The line. It lives as long as the process.
pub struct SlowLine {
    address: SocketAddr,
}

impl SlowLine {
    /// One to `server` that each way moves `rate` bytes a second, for each connection.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn to(server: SocketAddr, rate: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        // Connections have what their listener has.
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, BUFFER)
            .expect("a small buffer");
        let address = listener.local_addr().expect("a bound port");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that breaks is its client's affair.
                join(&client, server, rate).ok();
            }
        });
        Self { address }
    }

    /// Where it begins.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn join(client: &TcpStream, server: SocketAddr, rate: usize) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for (from, to) in [(client, &server), (&server, client)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || drop(carry(from, to, rate)));
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, rate: usize) -> io::Result<()> {
    let mut step = vec![0; (rate / STEPS).max(1)];
    loop {
        let len = from.read(&mut step)?;
        if len == 0 {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(&step[..len])?;
        // What came less gets a shorter pause, so that small messages are not slow.
        let pause = Duration::from_secs(1) / STEPS as u32;
        thread::sleep(pause.mul_f64(len as f64 / step.len() as f64));
    }
}
