//! A line that takes its time: a relay of TCP connections with latency, and with a limited rate.
//!
//! It stands in for `tc netem` where the kernel has none, and needs no rights. Every byte is handed
//! on half a round trip after it came, in both directions, and a new connection costs one round trip
//! more, as its handshake would. Many megabytes can be under way, so latency alone does not limit
//! throughput; what is missing beside a real line is TCP's slow start.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What is read at once, and so forwarded at once.
const PIECE: usize = 128 << 10;

/// Pieces under way in one direction of a connection: up to 64 MiB.
const UNDER_WAY: usize = 512;

/// How long the line is, and how wide.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// From a byte sent to its answer.
    pub round_trip: Duration,
    /// Bytes a second that a client can send on one connection; unlimited if none.
    pub up: Option<u64>,
    /// Bytes a second that a client can receive on one connection; unlimited if none.
    pub down: Option<u64>,
}

/// The relay. It lives as long as the process; connections end with their clients.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// One in front of `server`, on a port of loopback.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(server: SocketAddr, line: Line) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that breaks is its client's to notice.
                drop(connect(&client, server, line));
            }
        });
        Self { address }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as an S3 endpoint.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn connect(client: &TcpStream, server: SocketAddr, line: Line) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let delay = line.round_trip / 2;
    let connected = Instant::now() + line.round_trip;
    direction(client, &server, delay, connected, line.up)?;
    direction(&server, client, delay, connected, line.down)
}

/// Forwards one direction, on two threads of its own.
fn direction(
    from: &TcpStream,
    to: &TcpStream,
    delay: Duration,
    connected: Instant,
    rate: Option<u64>,
) -> io::Result<()> {
    let (from, to) = (from.try_clone()?, to.try_clone()?);
    // A narrow line must not swallow megabytes that it has not carried yet.
    let (sender, receiver) = sync_channel(if rate.is_some() { 1 } else { UNDER_WAY });
    let piece = rate.map_or(PIECE, |rate| {
        usize::try_from(rate / 20).unwrap_or(PIECE).clamp(64, PIECE)
    });
    thread::spawn(move || drop(receive(from, &sender, delay, connected, piece)));
    thread::spawn(move || drop(send(to, &receiver, rate)));
    Ok(())
}

type Piece = (Instant, Vec<u8>);

fn receive(
    mut from: TcpStream,
    pieces: &SyncSender<Piece>,
    delay: Duration,
    connected: Instant,
    piece: usize,
) -> io::Result<()> {
    let mut buffer = vec![0; piece];
    loop {
        let count = from.read(&mut buffer)?;
        let due = Instant::now().max(connected) + delay;
        let piece = buffer.get(..count).unwrap_or_default().to_vec();
        // An empty piece is the end.
        if pieces.send((due, piece)).is_err() || count == 0 {
            return from.shutdown(Shutdown::Read);
        }
    }
}

fn send(mut to: TcpStream, pieces: &Receiver<Piece>, rate: Option<u64>) -> io::Result<()> {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if let Some(rate) = rate {
            thread::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64));
        }
        to.write_all(&piece)?;
    }
    to.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut reader = stream.try_clone().unwrap();
                    io::copy(&mut reader, &mut &stream).ok();
                    stream.shutdown(Shutdown::Write).ok();
                });
            }
        });
        address
    }

    #[test]
    fn what_goes_through_comes_back_the_same_and_no_sooner_than_the_round_trip() {
        let line = Line {
            round_trip: Duration::from_millis(40),
            ..Line::default()
        };
        let relay = Relay::start(echo(), line);
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
        let start = Instant::now();
        let mut writer = stream.try_clone().unwrap();
        let copy = sent.clone();
        thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(back == sent);
        assert!(start.elapsed() >= line.round_trip * 2);
    }
}
