//! redup's store beside rclone and boto3's transfer manager, on loopback with and without latency:
//! `cargo xtask bench s3 [MEBIBYTES [ROUNDS]]`, which installs the others and runs this.
//!
//! Clients take turns, each in a process of its own; the best round of each counts. Only the ratios
//! can be compared between machines.

#![expect(clippy::print_stdout, reason = "that is what a benchmark is for")]
#![expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

mod clients;
mod measure;
mod server;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clients::{Client, Way};
use measure::Cost;
use redup_testkit::faulty::Random;
use redup_testkit::relay::{Line, Relay};

fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => server::serve(),
        ["store", rest @ ..] => clients::store(rest),
        rest => compare(rest),
    }
}

fn compare(words: &[&str]) {
    let number =
        |at: usize, default: u64| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (mebibytes, rounds) = (number(0, 1024), number(1, 3));
    let server = Server::start();
    let folder = Folder::make(mebibytes);
    println!("{mebibytes} MiB, best of {rounds} rounds");
    for round_trip in [0, 20].map(Duration::from_millis) {
        let line = Line {
            round_trip,
            ..Line::default()
        };
        let endpoint = match round_trip.is_zero() {
            true => server.endpoint.clone(),
            false => Relay::start(server.endpoint[7..].parse().unwrap(), line).endpoint_url(),
        };
        for way in [Way::Up, Way::Down] {
            let latency = round_trip.as_millis();
            println!("\n{way:?}, {latency} ms\n");
            rows(&folder, &endpoint, way, rounds);
        }
    }
}

/// All clients in turn, and what each of them cost at best.
fn rows(folder: &Folder, endpoint: &str, way: Way, rounds: u64) {
    let mut best: Vec<Option<Cost>> = vec![None; Client::ALL.len()];
    for _ in 0..rounds {
        for (client, best) in Client::ALL.into_iter().zip(&mut best) {
            let cost = folder.measure(client, endpoint, way);
            if best.is_none_or(|best| cost.seconds < best.seconds) {
                *best = Some(cost);
            }
        }
    }
    let first = best[0].unwrap().seconds;
    println!("| client | seconds | times redup's | processor seconds | peak memory |");
    println!("|---|---|---|---|---|");
    for (client, cost) in Client::ALL.into_iter().zip(best) {
        let Cost {
            seconds,
            cpu,
            peak_kib,
        } = cost.unwrap();
        println!(
            "| {} | {seconds:.2} | {:.2} | {cpu:.2} | {} MiB |",
            client.name(),
            seconds / first,
            peak_kib >> 10,
        );
    }
}

/// The server in a process of its own, which ends with this one.
struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut address).unwrap();
        Self {
            child,
            endpoint: format!("http://{}", address.trim()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What is moved, in memory.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(mebibytes: u64) -> Self {
        let path = Path::new("/dev/shm").join(format!("redup-bench-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let mut random = Random::new(1);
        let noise: Vec<u8> = (0..mebibytes << 17)
            .flat_map(|_| random.word().to_le_bytes())
            .collect();
        fs::write(path.join("source"), noise).unwrap();
        Self { path }
    }

    fn measure(&self, client: Client, endpoint: &str, way: Way) -> Cost {
        let source = self.path.join("source");
        if way == Way::Up {
            return measure::run(&mut client.command(way, endpoint, "object", &source));
        }
        let target = self.path.join("target");
        fs::remove_file(&target).ok();
        let cost = measure::run(&mut client.command(way, endpoint, "object", &target));
        assert!(
            fs::read(&source).unwrap() == fs::read(&target).unwrap(),
            "{client:?} brought something else"
        );
        cost
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}
