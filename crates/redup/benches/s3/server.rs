//! An S3 server that costs next to nothing: objects in memory, no signatures, no checksums.
//!
//! The clients are what is measured, so the server must not be what they wait for; those that store
//! for real hash every part, some of them twice. Latency is the server's, too, as `tc netem` needs rights
//! and a kernel that has it, and a relay would cost processor time: each answer leaves a round trip
//! late, the first of a connection once more, and [`Line`] lets no more through than TCP would.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Part = Arc<Vec<u8>>;

#[derive(Default)]
struct State {
    objects: HashMap<String, Vec<Part>>,
    uploads: HashMap<String, BTreeMap<u32, Part>>,
    spare: Vec<Vec<u8>>,
}

impl State {
    fn list(&self, query: &HashMap<String, String>) -> String {
        let prefix = query.get("prefix").map_or("", String::as_str);
        // The only character of the prefixes used here that is escaped in a query.
        let prefix = prefix.replace("%2F", "/");
        let contents = self.objects.iter().filter_map(|(key, parts)| {
            let key = key.trim_start_matches("/bench/");
            let len: usize = parts.iter().map(|part| part.len()).sum();
            key.starts_with(&prefix)
                .then(|| format!("<Contents><Key>{key}</Key><Size>{len}</Size></Contents>"))
        });
        format!(
            "<ListBucketResult>{}</ListBucketResult>",
            contents.collect::<String>()
        )
    }
}

/// Serves for ever; prints its address first.
pub(crate) fn serve(round_trip: Duration) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let state: Arc<Mutex<State>> = Arc::default();
    for client in listener.incoming().flatten() {
        let state = Arc::clone(&state);
        thread::spawn(move || serve_one(&client, &state, round_trip));
    }
}

/// What TCP lets through on a long line: a window for each round trip. It doubles from ten segments to
/// what Linux lets a connection have in flight (`net.ipv4.tcp_wmem`, as it comes).
struct Line {
    round_trip: Duration,
    window: usize,
    left: usize,
    since: Instant,
}

impl Line {
    const FIRST: usize = 10 * 1460;
    const WIDEST: usize = 4 << 20;

    fn new(round_trip: Duration) -> Self {
        Self {
            round_trip,
            window: Self::FIRST,
            left: 0,
            since: Instant::now(),
        }
    }

    /// What is sent next finds the line empty.
    fn rested(&mut self) {
        (self.left, self.since) = (self.window, Instant::now());
    }

    /// How many of `wanted` bytes may pass now, after waiting for it.
    fn pass(&mut self, wanted: usize) -> usize {
        if self.round_trip.is_zero() {
            return wanted;
        }
        if self.left == 0 {
            let acknowledged = self.since + self.round_trip;
            thread::sleep(acknowledged.saturating_duration_since(Instant::now()));
            self.window = (2 * self.window).min(Self::WIDEST);
            self.rested();
        }
        let passing = wanted.min(self.left);
        self.left -= passing;
        passing
    }
}

struct Request {
    method: String,
    key: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
}

/// Requests of one connection, until it breaks.
fn serve_one(client: &TcpStream, state: &Mutex<State>, round_trip: Duration) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut input = BufReader::with_capacity(256 << 10, client);
    let mut output = client;
    let (mut up, mut down) = (Line::new(round_trip), Line::new(round_trip));
    thread::sleep(round_trip);
    loop {
        let request = read_head(&mut input)?;
        if request.headers.contains_key("expect") {
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let len = request.headers.get("content-length");
        let len = len.and_then(|len| len.parse().ok()).unwrap_or(0);
        // Memory that a replaced object has left: fresh pages would be most of what this costs.
        let spare = state.lock().unwrap().spare.pop();
        let mut body = spare.unwrap_or_default();
        body.clear();
        body.reserve_exact(len);
        up.rested();
        while body.len() < len {
            let passing = up.pass(len - body.len());
            let before = body.len();
            (&mut input)
                .take(passing as u64)
                .read_to_end(&mut body)
                .ok()
                .filter(|_| body.len() == before + passing)?;
        }
        thread::sleep(round_trip);
        let (status, headers, body) = answer(&request, body, &mut state.lock().unwrap());
        let len: usize = body.iter().map(|(_, range)| range.len()).sum();
        let length = match headers.contains("Content-Length") {
            true => String::new(),
            false => format!("Content-Length: {len}\r\n"),
        };
        write!(output, "HTTP/1.1 {status} -\r\n{headers}{length}\r\n").ok()?;
        down.rested();
        // An answer to HEAD tells the length alone.
        let body = body.into_iter().filter(|_| request.method != "HEAD");
        for (part, range) in body {
            let mut rest = part.get(range)?;
            while !rest.is_empty() {
                let (passing, later) = rest.split_at(down.pass(rest.len()));
                output.write_all(passing).ok()?;
                rest = later;
            }
        }
        if request
            .headers
            .get("connection")
            .is_some_and(|how| how == "close")
        {
            return client.shutdown(Shutdown::Both).ok();
        }
    }
}

fn read_head(input: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|&count| count > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned())
            }
            None => break,
        };
    }
    Some(Request {
        method,
        key: path.to_owned(),
        query: query.split('&').map(pair).collect(),
        headers,
    })
}

type Answer = (u16, String, Vec<(Part, Range<usize>)>);

fn answer(request: &Request, body: Vec<u8>, state: &mut State) -> Answer {
    let etag = "ETag: \"00000000000000000000000000000000-1\"\r\n".to_owned();
    let text = |text: String| {
        let len = text.len();
        (
            200,
            etag.clone(),
            vec![(Arc::new(text.into_bytes()), 0..len)],
        )
    };
    let upload = request.query.get("uploadId");
    let is_bucket = !request.key.trim_matches('/').contains('/');
    match (request.method.as_str(), upload) {
        ("GET" | "HEAD", _) if is_bucket => text(state.list(&request.query)),
        ("HEAD" | "GET", _) => match state.objects.get(&request.key) {
            Some(parts) => send(request, parts, &etag),
            None => (404, String::new(), Vec::new()),
        },
        ("PUT", None) => {
            state
                .objects
                .insert(request.key.clone(), vec![Arc::new(body)]);
            (200, etag, Vec::new())
        }
        ("PUT", Some(id)) => {
            let number = request.query.get("partNumber");
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            let parts = state.uploads.entry(id.clone()).or_default();
            parts.insert(number, Arc::new(body));
            (200, etag, Vec::new())
        }
        ("POST", None) => text(format!(
            "<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>",
            state.uploads.len() + 1
        )),
        ("POST", Some(id)) => {
            let parts = state.uploads.insert(id.clone(), BTreeMap::new());
            let parts = parts.unwrap_or_default().into_values().collect();
            let replaced = state.objects.insert(request.key.clone(), parts);
            let spare = replaced.into_iter().flatten().filter_map(Arc::into_inner);
            state.spare.extend(spare);
            text(
                "<CompleteMultipartUploadResult><ETag>&quot;0-1&quot;</ETag>\
                 </CompleteMultipartUploadResult>"
                    .into(),
            )
        }
        ("DELETE", _) => {
            state.objects.remove(&request.key);
            (204, String::new(), Vec::new())
        }
        _ => (501, String::new(), Vec::new()),
    }
}

/// An object, or the range of it that is asked for.
fn send(request: &Request, parts: &[Part], etag: &str) -> Answer {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let range = request.headers.get("range").and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let last = last.parse().unwrap_or(usize::MAX).min(total - 1);
        Some(first.parse().ok()?..last + 1)
    });
    let modified = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    let mut headers = format!("{etag}{modified}Accept-Ranges: bytes\r\n");
    let wanted = range.clone().unwrap_or(0..total);
    if range.is_some() {
        headers += &format!(
            "Content-Range: bytes {}-{}/{total}\r\n",
            wanted.start,
            wanted.end - 1
        );
    }
    if request.method == "HEAD" {
        headers += &format!("Content-Length: {total}\r\n");
        return (200, headers, Vec::new());
    }
    let mut start = 0;
    let mut pieces = Vec::new();
    for part in parts {
        let end = start + part.len();
        let (from, to) = (wanted.start.max(start), wanted.end.min(end));
        if from < to {
            pieces.push((Arc::clone(part), from - start..to - start));
        }
        start = end;
    }
    (if range.is_some() { 206 } else { 200 }, headers, pieces)
}
