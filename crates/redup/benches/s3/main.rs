//! redup's store beside rclone and boto3's transfer manager, on loopback with and without latency:
//! `cargo xtask bench s3 [MEBIBYTES [ROUNDS]]`, which installs the others and runs this.
//!
//! Clients take turns, each in a process of its own; the best round of each counts, and with faults the
//! mean. Only the ratios can be compared between machines.

#![expect(clippy::print_stdout, reason = "that is what a benchmark is for")]
#![expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

mod clients;
mod measure;
mod server;

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clients::{Client, Way};
use measure::Cost;
use redup_testkit::faulty::{Fault, FaultyProxy, Random};

fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", millis] => server::serve(Duration::from_millis(millis.parse().unwrap())),
        ["store", rest @ ..] => clients::store(rest),
        rest => compare(rest),
    }
}

fn compare(words: &[&str]) {
    let number =
        |at: usize, default: u64| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (mebibytes, rounds) = (number(0, 1024), number(1, 5));
    let folder = Folder::make(mebibytes);
    println!("{mebibytes} MiB, best of {rounds} rounds");
    for round_trip in [0, 20] {
        let server = Server::start(round_trip);
        for (way, title) in [
            (Way::Up, "Up"),
            (Way::Read, "Down, into the program that reads"),
            (Way::Down, "Down, into a file"),
        ] {
            println!("\n{title}, {round_trip} ms\n");
            rows(&folder, &server.endpoint, way, rounds);
        }
        println!("\n`redup full`, {round_trip} ms\n");
        pipeline(&folder, &server.endpoint, rounds);
        println!("\nOne request in twenty fails, {round_trip} ms\n");
        faults(&folder, &server.endpoint, rounds);
    }
}

/// All clients in turn, and what each of them cost at best.
fn rows(folder: &Folder, endpoint: &str, way: Way, rounds: u64) {
    let clients = Client::ALL
        .into_iter()
        .filter(|client| client.takes_part(way));
    let runs = clients.map(|client| {
        let run = move || folder.measure(client, endpoint, way);
        (client.name(), Box::new(run) as Run<'_>)
    });
    table(runs.collect(), rounds, best);
}

/// The whole program, once to the server and once to a folder in memory.
fn pipeline(folder: &Folder, endpoint: &str, rounds: u64) {
    let backup = |url: String| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redup"));
        let archive = folder.path.join("archive");
        fs::remove_dir_all(&archive).ok();
        fs::remove_dir_all(folder.path.join("backup")).ok();
        command
            .args(["full", "--s3-endpoint-url", endpoint, "--archive-dir"])
            .arg(archive)
            .arg(folder.path.join("tree"))
            .arg(url)
            .env("PASSPHRASE", "bench")
            .stdout(Stdio::null());
        measure::run(clients::environment(&mut command))
    };
    let local = format!("file://{}", folder.path.join("backup").display());
    let numbers = std::cell::Cell::new(0);
    let next = || {
        numbers.set(numbers.get() + 1);
        format!("s3://bench/backup{}", numbers.get())
    };
    table(
        vec![
            ("to the server".into(), Box::new(|| backup(next()))),
            ("to a folder".into(), Box::new(|| backup(local.clone()))),
        ],
        rounds,
        best,
    );
}

/// What faults cost: the same proxy with and without them. No two rounds meet the same ones, so here
/// all rounds count, and there are more.
fn faults(folder: &Folder, endpoint: &str, rounds: u64) {
    let address = endpoint.trim_start_matches("http://").parse().unwrap();
    let whole = FaultyProxy::start(address, |_| None);
    let mut random = Random::new(7);
    let broken = FaultyProxy::start(address, move |_| {
        let faults = [
            Fault::Refused(500, "InternalError"),
            Fault::Refused(503, "SlowDown"),
            Fault::AnswerLost,
            Fault::RequestCut,
            Fault::AnswerCut,
        ];
        let one_in_twenty = random.below(20) == 0;
        one_in_twenty.then(|| faults[random.below(faults.len() as u64) as usize])
    });
    let run = |way, proxy: &FaultyProxy| folder.measure(Client::Redup, &proxy.endpoint_url(), way);
    for (title, way) in [("up", Way::Up), ("down", Way::Read)] {
        table(
            vec![
                (format!("{title}, no faults"), Box::new(|| run(way, &whole))),
                (format!("{title}, faults"), Box::new(|| run(way, &broken))),
            ],
            3 * rounds,
            mean,
        );
        println!();
    }
}

type Run<'a> = Box<dyn Fn() -> Cost + 'a>;

/// Runs by turns, and prints what each of them cost, as `sum_up` makes it of all its rounds.
fn table(runs: Vec<(String, Run<'_>)>, rounds: u64, sum_up: fn(&[Cost]) -> Cost) {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); runs.len()];
    for _ in 0..rounds {
        for ((_, run), costs) in runs.iter().zip(&mut costs) {
            costs.push(run());
        }
    }
    let costs: Vec<Cost> = costs.iter().map(|costs| sum_up(costs)).collect();
    let first = costs[0].seconds;
    println!("| | seconds | times the first | processor seconds | peak memory |");
    println!("|---|---|---|---|---|");
    for ((name, _), cost) in runs.iter().zip(costs) {
        let Cost {
            seconds,
            cpu,
            peak_kib,
        } = cost;
        println!(
            "| {name} | {seconds:.2} | {:.2} | {cpu:.2} | {} MiB |",
            seconds / first,
            peak_kib >> 10,
        );
    }
}

fn best(rounds: &[Cost]) -> Cost {
    let quickest = rounds.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    *quickest.unwrap()
}

fn mean(rounds: &[Cost]) -> Cost {
    let count = rounds.len() as f64;
    Cost {
        seconds: rounds.iter().map(|cost| cost.seconds).sum::<f64>() / count,
        cpu: rounds.iter().map(|cost| cost.cpu).sum::<f64>() / count,
        peak_kib: rounds.iter().map(|cost| cost.peak_kib).max().unwrap(),
    }
}

/// The server in a process of its own, which ends with this one.
struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    fn start(round_trip: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["serve", &round_trip.to_string()])
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
        // What a backup may meet: half of it compresses.
        fs::create_dir(path.join("tree")).unwrap();
        let mut tree = BufWriter::new(File::create(path.join("tree/file")).unwrap());
        for _ in 0..mebibytes {
            for _ in 0..20_000 {
                let (word, number) = (random.word() & 0xffff, random.below(1000));
                writeln!(tree, "{word:016x} {number:08}").unwrap();
            }
            for _ in 0..1 << 16 {
                tree.write_all(&random.word().to_le_bytes()).unwrap();
            }
        }
        tree.flush().unwrap();
        Self { path }
    }

    fn measure(&self, client: Client, endpoint: &str, way: Way) -> Cost {
        let source = self.path.join("source");
        if way != Way::Down {
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
