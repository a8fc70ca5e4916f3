//! A proxy that does to HTTP requests and answers what networks and servers do, as a test says.
//!
//! It understands as much of HTTP/1.1 as S3 clients use: heads, and bodies of a stated length.
//! To the server it opens a connection for each request, and to the client it keeps them alive.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// More than any head has.
const LONGEST_HEAD: usize = 64 << 10;

/// How long a stall lasts, if the client does not hang up before.
const STALL: Duration = Duration::from_secs(600);

/// What happens to one request or to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server never hears of it; the client gets this status and error code.
    Refused(u16, &'static str),
    /// The server does it, and the client gets this status and error code.
    DoneButRefused(u16, &'static str),
    /// The server does it, and the client gets status 200 with an error in the body.
    DoneButErrorInBody(&'static str),
    /// The server does it, and the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks in the middle of the request.
    RequestCut,
    /// The connection breaks in the middle of the answer's body.
    AnswerCut,
    /// A byte of the request's body is altered on the way.
    RequestAltered,
    /// A byte of the answer's body is altered on the way.
    AnswerAltered,
    /// Nothing happens: no answer comes, and the connection stays.
    Stalled,
    /// The server gets it twice; the client gets the second answer.
    Doubled,
    /// The client is sent to the same place again, as to a bucket that is not yet known everywhere.
    Redirected,
    /// The client is told that the bucket is in this region, as if the server were not there.
    Elsewhere(&'static str),
    /// The request is read to its middle and no further, and the connection stays.
    RequestStalled,
    /// The answer stops in the middle of its body, and the connection stays.
    AnswerStalled,
    /// The answer, which is a head alone, states half of the length.
    LengthHalved,
}

/// A request, as far as a schedule may want to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The length of its body.
    pub len: usize,
    /// Names and values, as sent.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(found, _): &&(String, String)| found.eq_ignore_ascii_case(name);
        Some(&self.headers.iter().find(named)?.1)
    }

    /// What it asks for, in S3's words.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let has = |key: &str| {
            query
                .split('&')
                .any(|pair| pair.split('=').next() == Some(key))
        };
        let of_object = path.trim_matches('/').contains('/');
        match (&*self.method, of_object) {
            ("HEAD", false) => "HeadBucket",
            ("HEAD", true) => "HeadObject",
            ("GET", _) if has("list-type") => "ListObjectsV2",
            ("GET", _) if has("uploads") => "ListMultipartUploads",
            ("GET", _) => "GetObject",
            ("PUT", _) if has("uploadId") => "UploadPart",
            ("PUT", _) => "PutObject",
            ("POST", _) if has("uploads") => "CreateMultipartUpload",
            ("POST", _) if has("uploadId") => "CompleteMultipartUpload",
            ("DELETE", _) if has("uploadId") => "AbortMultipartUpload",
            ("DELETE", _) => "DeleteObject",
            _ => "another",
        }
    }
}

/// The code of the one refusal of [`Chance`] that no client can get over by itself.
pub const EXPIRED: &str = "ExpiredToken";

/// Faults that look random, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Chance {
    random: Random,
    left: u64,
    one_in: u64,
    /// Whether what is downloaded may be altered, too, which a store need not notice.
    pub alters_answers: bool,
    /// Requests longer than this never stall: a client must wait for long ones for long.
    pub longest_stalled: usize,
}

impl Chance {
    /// Between 1 and `most` faults, on one in `one_in` requests.
    #[must_use]
    pub fn new(seed: u64, most: u64, one_in: u64) -> Self {
        let mut random = Random::new(seed);
        let left = 1 + random.below(most);
        Self {
            random,
            left,
            one_in,
            alters_answers: false,
            longest_stalled: usize::MAX,
        }
    }

    /// What happens to the next request.
    pub fn decide(&mut self, request: &Request) -> Option<Fault> {
        // The one that takes parts together has the most ways to go wrong, and is rare.
        let completes = request.method == "POST" && request.target.contains("uploadId");
        let one_in = if completes { 2 } else { self.one_in };
        if self.left == 0 || self.random.below(one_in) > 0 {
            return None;
        }
        self.left -= 1;
        let downloads = request.method == "GET" && !request.target.contains("list-type");
        let stalls = request.len <= self.longest_stalled;
        let faults = [
            (true, Fault::Refused(500, "InternalError")),
            (true, Fault::Refused(503, "ServiceUnavailable")),
            (true, Fault::Refused(503, "SlowDown")),
            (true, Fault::Refused(400, "RequestTimeout")),
            (true, Fault::Refused(400, EXPIRED)),
            (true, Fault::DoneButRefused(500, "InternalError")),
            (completes, Fault::DoneButErrorInBody("InternalError")),
            (true, Fault::AnswerLost),
            (true, Fault::RequestCut),
            (true, Fault::AnswerCut),
            (downloads && self.alters_answers, Fault::AnswerAltered),
            (request.len > 0, Fault::RequestAltered),
            (stalls, Fault::Stalled),
            (true, Fault::Doubled),
            (true, Fault::Redirected),
        ];
        let possible = faults.into_iter().filter(|(possible, _)| *possible);
        let possible: Vec<Fault> = possible.map(|(_, fault)| fault).collect();
        let choice = self.random.below(possible.len() as u64);
        possible.get(choice as usize).copied()
    }
}

/// Numbers that look random, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Those of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next one.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next one below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.word() >> 11) % limit
    }
}

/// Decides about each request, in the order in which they arrive.
type Schedule = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// The proxy. It listens until it is dropped; connections end with their clients.
pub struct FaultyProxy {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    log: Arc<Mutex<Vec<(Request, Fault)>>>,
}

struct Shared {
    server: SocketAddr,
    schedule: Mutex<Schedule>,
    log: Arc<Mutex<Vec<(Request, Fault)>>>,
}

impl FaultyProxy {
    /// One in front of `server`, on a port of loopback.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(
        server: SocketAddr,
        schedule: impl FnMut(&Request) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let log = Arc::default();
        let shared = Arc::new(Shared {
            server,
            schedule: Mutex::new(Box::new(schedule)),
            log: Arc::clone(&log),
        });
        let closed = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&closed);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is about.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self {
            address,
            closed,
            log,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happened so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<(Request, Fault)> {
        lock(&self.log).clone()
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Who waits for a client looks up when one comes.
        TcpStream::connect(self.address).ok();
    }
}

/// A head with half of the length that it states.
fn with_half_length(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let lines = text.split("\r\n").map(|line| match line.split_once(':') {
        Some((name, len)) if name.eq_ignore_ascii_case("content-length") => {
            let len: u64 = len.trim().parse().unwrap_or_default();
            format!("{name}: {}", len / 2)
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Serves one client until it hangs up, or something goes wrong.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        while let Some(head) = Head::read(&mut client)? {
            let request = head.request();
            let fault = (lock(&self.schedule))(&request);
            if let Some(fault) = fault {
                lock(&self.log).push((request.clone(), fault));
            }
            if fault == Some(Fault::RequestCut) {
                let half = read_exactly(&mut client, request.len / 2)?;
                // The server sees the beginning of it, too.
                let mut server = TcpStream::connect(self.server)?;
                server.write_all(&head.for_server())?;
                server.write_all(&half)?;
                return client.shutdown(Shutdown::Both);
            }
            if fault == Some(Fault::RequestStalled) {
                read_exactly(&mut client, request.len / 2)?;
                return wait_until_given_up(&client);
            }
            let mut body = read_exactly(&mut client, request.len)?;
            match fault {
                Some(Fault::Refused(status, code)) => {
                    client.write_all(&refusal(&request, status, code))?;
                    continue;
                }
                Some(Fault::Redirected) => {
                    client.write_all(&redirect(&request))?;
                    continue;
                }
                Some(Fault::Elsewhere(region)) => {
                    client.write_all(&elsewhere(&request, region))?;
                    continue;
                }
                Some(Fault::Stalled) => return wait_for_end(&mut client),
                Some(Fault::Doubled) => drop(self.ask_server(&head, &body)?),
                Some(Fault::RequestAltered) => alter(&mut body),
                _ => {}
            }
            let mut answer = self.ask_server(&head, &body)?;
            match fault {
                Some(Fault::DoneButRefused(status, code)) => {
                    answer = refusal(&request, status, code);
                }
                Some(Fault::DoneButErrorInBody(code)) => answer = refusal(&request, 200, code),
                Some(Fault::AnswerLost) => return client.shutdown(Shutdown::Both),
                Some(Fault::AnswerCut) => {
                    let start = body_start(&answer);
                    answer.truncate(start + (answer.len() - start) / 2);
                    client.write_all(&answer)?;
                    return client.shutdown(Shutdown::Both);
                }
                Some(Fault::AnswerStalled) => {
                    let start = body_start(&answer);
                    answer.truncate(start + (answer.len() - start) / 2);
                    client.write_all(&answer)?;
                    return wait_for_end(&mut client);
                }
                Some(Fault::LengthHalved) => answer = with_half_length(&answer),
                Some(Fault::AnswerAltered) => {
                    let start = body_start(&answer);
                    alter(&mut answer[start..]);
                }
                _ => {}
            }
            client.write_all(&answer)?;
        }
        Ok(())
    }

    /// The server's whole answer, as a client on a connection that stays may have it.
    fn ask_server(&self, head: &Head, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(self.server)?;
        server.set_nodelay(true)?;
        server.write_all(&head.for_server())?;
        // A server may answer before it has read everything, and not read the rest.
        let sent = server.write_all(body);
        let mut answer = Vec::new();
        let read = server.read_to_end(&mut answer);
        if answer.is_empty() {
            sent?;
            read?;
        }
        let start = body_start(&answer);
        let head = String::from_utf8_lossy(&answer[..start]).into_owned();
        let kept = head
            .split_inclusive("\r\n")
            .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let mut whole: Vec<u8> = kept.collect::<String>().into_bytes();
        whole.extend_from_slice(&answer[start..]);
        Ok(whole)
    }
}

/// The head of a request, to its empty line; nothing when the client hangs up.
pub(crate) fn read_head(client: &mut TcpStream) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if bytes.len() > LONGEST_HEAD || client.read(&mut byte)? == 0 {
            return Ok(None);
        }
        bytes.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The head of a request: lines, and the empty one.
pub(crate) struct Head(String);

impl Head {
    /// The next one; nothing when the client has hung up.
    pub(crate) fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        Ok(read_head(client)?.map(Self))
    }

    /// What it asks for.
    pub(crate) fn request(&self) -> Request {
        let mut words = self.0.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, target) = (word(), word());
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        let mut request = Request {
            method,
            target,
            len: 0,
            headers: self.0.lines().skip(1).filter_map(header).collect(),
        };
        let len = request.header("content-length");
        request.len = len.and_then(|len| len.parse().ok()).unwrap_or(0);
        request
    }

    /// Asks the server to hang up after its answer, which shows where that ends.
    fn for_server(&self) -> Vec<u8> {
        let lines = self.0.trim_end_matches("\r\n");
        format!("{lines}\r\nConnection: close\r\n\r\n").into_bytes()
    }
}

fn read_exactly(from: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The client sends nothing more on this connection, so this ends when it hangs up.
fn wait_for_end(client: &mut TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(STALL))?;
    client.read_exact(&mut [0])
}

/// Reads nothing, and looks from time to time whether the other end is still there.
fn wait_until_given_up(client: &TcpStream) -> io::Result<()> {
    let end = Instant::now() + STALL;
    while Instant::now() < end && client.take_error()?.is_none() {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn body_start(answer: &[u8]) -> usize {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    end.map_or(answer.len(), |end| end + 4)
}

/// Inverts the byte in the middle.
fn alter(body: &mut [u8]) {
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte = !*byte;
    }
}

fn refusal(request: &Request, status: u16, code: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>by the schedule</Message></Error>"
    );
    answer(request, status, "", &body)
}

fn redirect(request: &Request) -> Vec<u8> {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                <Error><Code>TemporaryRedirect</Code><Message>by the schedule</Message></Error>";
    let location = format!("Location: {}\r\n", request.target);
    answer(request, 307, &location, body)
}

fn elsewhere(request: &Request, region: &str) -> Vec<u8> {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                <Error><Code>PermanentRedirect</Code><Message>by the schedule</Message></Error>";
    let region = format!("x-amz-bucket-region: {region}\r\n");
    answer(request, 301, &region, body)
}

fn answer(request: &Request, status: u16, header: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    let body = if request.method == "HEAD" { "" } else { body };
    format!(
        "HTTP/1.1 {status} Scheduled\r\nContent-Type: application/xml\r\n\
         Content-Length: {len}\r\n{header}\r\n{body}"
    )
    .into_bytes()
}
