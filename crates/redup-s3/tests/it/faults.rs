//! Networks and servers that fail in every way they know, by seeded schedules, between the store and
//! a real server: whatever is acknowledged is there, whole, and nothing else is.
//!
//! `REDUP_FAULT_SCHEDULES` sets how many schedules are run, and `REDUP_FAULT_SEED` the first one.

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redup_s3::{S3Options, S3Storage};
use redup_storage::{Error, ObjectKind, Result, Retry, RetryPolicy, Storage, StorageExt as _};
use redup_testkit::faulty::{Chance, EXPIRED, Fault, FaultyProxy, Random, Request};
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;

use crate::surroundings::{options, runtime};

const SCHEDULES: u64 = 200;
const AT_ONCE: usize = 24;

/// How many schedules one server sees: it keeps more than a megabyte of each.
const A_SERVER: u64 = 1000;

/// Of so many requests one goes wrong, as long as the schedule has faults left.
const ONE_IN: u64 = 4;
const MOST_FAULTS: u64 = 6;

/// The smallest part that servers take.
const PART: usize = 5 << 20;

#[test]
fn no_schedule_of_faults_loses_or_corrupts_anything() {
    let number = |name: &str, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let first: u64 = number("REDUP_FAULT_SEED", 0);
    let last = first + number("REDUP_FAULT_SCHEDULES", SCHEDULES);
    let started = Instant::now();
    let faults: Mutex<BTreeMap<String, u32>> = Mutex::default();
    for first in (first..last).step_by(A_SERVER as usize) {
        run_schedules(first..last.min(first + A_SERVER), &faults);
    }
    let faults = faults.into_inner().unwrap();
    println!("{:.1?} for faults {faults:#?}", started.elapsed());
    let kinds = 11;
    assert!(
        faults.len() >= kinds || last - first < SCHEDULES,
        "{faults:?}"
    );
}

/// Whatever number of requests it was, also one that was asked for.
#[test]
fn a_server_that_asks_to_be_spared_gets_half_as_many_requests_and_loses_nothing() {
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    for (status, code) in [(503, "SlowDown"), (429, "TooManyRequests")] {
        let mut left = 1;
        let proxy = FaultyProxy::start(server.address(), move |request| {
            let part = request.method == "PUT" && request.target.contains("partNumber=2");
            (part && std::mem::take(&mut left) > 0).then_some(Fault::Refused(status, code))
        });
        let target = format!("s3://backups/{code}");
        let sparing = S3Options {
            endpoint_url: Some(proxy.endpoint_url()),
            connections: Some(8),
            attempts: 3,
            ..options(&server, &target)
        };
        let volume = noise(1, 3 * PART);
        runtime().block_on(async {
            let store = S3Storage::connect(sparing).await.unwrap();
            let at_once = || (store.tuning().uploads, store.tuning().downloads);
            assert_eq!(at_once(), (8, 8));
            let upload = store.begin_upload("volume", ObjectKind::Volume).await;
            let upload = upload.unwrap();
            for (number, part) in (0..).zip(volume.chunks(PART)) {
                let part = Bytes::copy_from_slice(part);
                upload.put_part(number, part).await.unwrap();
                assert_eq!(at_once().0, if number == 0 { 8 } else { 4 });
            }
            upload.complete(3, volume.len() as u64).await.unwrap();
            assert_eq!(at_once(), (4, 4));
            assert!(store.get("volume", 0..volume.len() as u64).await.unwrap() == volume);
        });
        assert_eq!(proxy.log().len(), 1);
    }
}

/// All of `seeds` against one server, many at a time; counts the faults of each kind.
fn run_schedules(seeds: Range<u64>, faults: &Mutex<BTreeMap<String, u32>>) {
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let runtime = runtime();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let log = runtime.block_on(run_schedule(&server, seed));
            let mut faults = faults.lock().unwrap();
            for (_, fault) in log {
                *faults.entry(format!("{fault:?}")).or_default() += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
}

/// What a backup does to a store, under one schedule; then a look at the server without it.
async fn run_schedule(server: &SeaweedServer, seed: u64) -> Vec<(Request, Fault)> {
    let mut chance = Chance::new(seed, MOST_FAULTS, ONE_IN);
    let proxy = FaultyProxy::start(server.address(), move |request| chance.decide(request));
    let target = format!("s3://backups/seed{seed}");
    let faulty = S3Options {
        endpoint_url: Some(proxy.endpoint_url()),
        timeout: Duration::from_secs(1),
        slowest: 3_000_000,
        attempts: 8,
        ..options(server, &target)
    };
    let run = Run {
        proxy,
        seed,
        options: faulty,
    };
    let expected = run.works().await;
    let direct = S3Storage::connect(options(server, &target)).await.unwrap();
    let mut found = BTreeMap::new();
    for object in direct.list().await.unwrap() {
        let data = direct.get(&object.name, 0..object.len).await.unwrap();
        found.insert(object.name, data);
    }
    let lens = |objects: &BTreeMap<String, Bytes>| {
        let len = |(name, data): (&String, &Bytes)| (name.clone(), data.len());
        objects.iter().map(len).collect::<Vec<_>>()
    };
    assert_eq!(lens(&found), lens(&expected), "{run:?}");
    assert!(found == expected, "content differs: {run:?}");
    for unfinished in direct.list_unfinished().await.unwrap() {
        direct.discard_unfinished(&unfinished).await.unwrap();
    }
    run.proxy.log()
}

struct Run {
    proxy: FaultyProxy,
    seed: u64,
    options: S3Options,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}: {:#?}", self.seed, self.proxy.log())
    }
}

impl Run {
    /// Returns what must be at the server in the end.
    async fn works(&self) -> BTreeMap<String, Bytes> {
        // A run that never got as far as this has touched nothing, and is made again.
        let store = loop {
            match S3Storage::connect(self.options.clone()).await {
                Ok(store) => break store,
                Err(error) if error.kind().is_transient() || self.expired() > 0 => {}
                Err(error) => panic!("{}\n{self:?}", told(&error)),
            }
        };
        let policy = RetryPolicy {
            first_wait: Duration::from_millis(50),
            ..RetryPolicy::default()
        };
        let store = Retry::new(Arc::new(store), policy);
        let store = &store;

        let manifest = noise(self.seed, 300);
        self.persist(async || {
            store
                .put("manifest", manifest.clone(), ObjectKind::Manifest)
                .await
        })
        .await;
        // One in four schedules moves parts: they are large.
        let len = if self.seed.is_multiple_of(4) {
            PART + 1234
        } else {
            20_000
        };
        let volume = noise(self.seed + 1, len);
        self.persist(async || upload(store, "volume", &volume).await)
            .await;
        let second = noise(self.seed + 2, 4_000);
        self.persist(async || upload(store, "second", &second).await)
            .await;
        self.persist(async || {
            let upload = store.begin_upload("given-up", ObjectKind::Volume).await?;
            upload.put_part(0, second.clone()).await?;
            upload.abort().await
        })
        .await;
        self.persist(async || store.put("doomed", second.clone(), ObjectKind::Other).await)
            .await;
        self.persist(async || store.delete("doomed").await).await;

        let half = volume.len() as u64 / 2;
        for range in [0..half, half..volume.len() as u64] {
            let got = self
                .persist(async || store.get("volume", range.clone()).await)
                .await;
            let wanted = volume.slice(range.start as usize..range.end as usize);
            assert!(got == wanted, "bytes {range:?} differ: {self:?}");
        }
        let head = self.persist(async || store.head("second").await).await;
        assert_eq!(head.len, 4_000, "{self:?}");
        let mut names: Vec<_> = self.persist(async || store.list().await).await;
        names.sort();
        let names: Vec<_> = names.into_iter().map(|object| object.name).collect();
        assert_eq!(names, ["manifest", "second", "volume"], "{self:?}");
        [
            ("manifest", manifest),
            ("second", second),
            ("volume", volume),
        ]
        .map(|(name, data)| (name.to_owned(), data))
        .into()
    }

    /// Does what must work in the end. Only an expired token may be an error, and the next run, with
    /// a new one, goes on.
    async fn persist<T>(&self, call: impl AsyncFn() -> Result<T>) -> T {
        loop {
            let before = self.expired();
            match call().await {
                Ok(value) => return value,
                Err(_) if self.expired() > before => {}
                Err(error) => panic!("{}\n{self:?}", told(&error)),
            }
        }
    }

    fn expired(&self) -> usize {
        let log = self.proxy.log();
        let expired = |(_, fault): &&(Request, Fault)| matches!(fault, Fault::Refused(_, EXPIRED));
        log.iter().filter(expired).count()
    }
}

fn told(error: &Error) -> String {
    format!("{:?}: {error} ({:?})", error.kind(), error)
}

async fn upload(store: &Retry, name: &str, data: &Bytes) -> Result<()> {
    let upload = store.begin_upload(name, ObjectKind::Volume).await?;
    let parts: Vec<Bytes> = data.chunks(PART).map(Bytes::copy_from_slice).collect();
    let sends = parts
        .iter()
        .zip(0..)
        .map(|(part, number)| upload.put_part(number, part.clone()));
    for send in sends {
        send.await?;
    }
    upload.complete(parts.len() as u32, data.len() as u64).await
}

fn noise(seed: u64, len: usize) -> Bytes {
    let mut random = Random::new(seed.wrapping_add(1_000_003));
    let words = std::iter::repeat_with(|| random.word().to_le_bytes());
    words.take(len / 8 + 1).flatten().take(len).collect()
}
