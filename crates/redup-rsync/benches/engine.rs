//! The engine beside librsync, in one run on one core: `cargo bench -p redup-rsync -- [MiB]`.
//!
//! Each figure is the best of several runs, in bytes of the new file by processor time (Linux only).
//! Only the ratios can be compared between machines.

#![expect(clippy::print_stdout, reason = "that is what a benchmark is for")]
#![expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

use std::hint::black_box;
use std::io::{self, Cursor};
use std::time::Duration;

use librsync::SignatureType;
use redup_rsync::{
    BlockLen, DeltaEncoder, DeltaIndex, Differ, PatchLimits, Signature, SignatureBuilder,
    block_len, patch,
};

/// How much a backup hands on at a time.
const CHUNK: usize = 1 << 20;

fn main() {
    let mebibytes = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(256);
    let basis = noise(mebibytes << 20, 1);
    let block_len = block_len(basis.len() as u64, None);
    println!("{mebibytes} MiB in blocks of {} bytes", block_len.get());
    println!(
        "{:<38}{:>10}{:>10}{:>8}",
        "MB/s", "librsync", "redup", "ratio"
    );

    signatures("signature", &basis, block_len);
    signatures(
        "signature, blocks of 512",
        &basis[..basis.len() / 8],
        BlockLen::new(512).unwrap(),
    );

    let signature = signature_of(&basis, block_len);
    for (name, new) in successors(&basis, block_len.get() as usize) {
        deltas(name, &basis, &new, &signature);
    }
}

/// Later versions of a file.
fn successors(basis: &[u8], block_len: usize) -> [(&'static str, Vec<u8>); 6] {
    let blocks = basis.len() / block_len;
    let mut edited = basis.to_vec();
    for nth in 0..blocks / 100 {
        edited[nth * 100 * block_len + 77] ^= 1;
    }
    let mut pages = basis.to_vec();
    let page_count = pages.len() / 4096;
    for nth in 0..page_count / 100 {
        let at = (nth * 100 + nth * nth % 97) % page_count * 4096;
        pages[at..at + 4096].copy_from_slice(&noise(4096, at as u64 + 5));
    }
    [
        ("delta, identical", basis.to_vec()),
        ("delta, one byte prepended", [b"!", basis].concat()),
        ("delta, 1 % of blocks edited", edited),
        ("delta, 1 % of 4 KiB pages rewritten", pages),
        ("delta, unrelated noise", noise(basis.len() / 4, 2)),
        ("delta, unrelated text", text(basis.len() / 4)),
    ]
}

fn signatures(name: &str, data: &[u8], block_len: BlockLen) {
    let theirs = best(2, || their_signature(data, block_len));
    let ours = best(7, || {
        black_box(signature_of(data, block_len));
    });
    report(name, data.len(), theirs, ours);
}

fn deltas(name: &str, basis: &[u8], new: &[u8], signature: &Signature) {
    let mut their_delta = Vec::with_capacity(new.len() + (1 << 20));
    let theirs = best(2, || {
        their_delta.clear();
        let mut signature = Cursor::new(signature.as_bytes());
        librsync::whole::delta(&mut Cursor::new(new), &mut signature, &mut their_delta).unwrap();
    });
    let mut delta = Vec::with_capacity(new.len() + (1 << 20));
    let ours = best(7, || {
        delta.clear();
        let index = DeltaIndex::new(Signature::parse(signature.as_bytes()).unwrap());
        let mut encoder = DeltaEncoder::new(&index);
        new.chunks(CHUNK)
            .for_each(|chunk| encoder.push(chunk, &mut delta));
        encoder.finish(&mut delta);
    });
    report(name, new.len(), theirs, ours);

    let block_len = block_len(new.len() as u64, None);
    let their_signature = best(1, || their_signature(new, block_len));
    let ours = best(7, || {
        delta.clear();
        let index = DeltaIndex::new(Signature::parse(signature.as_bytes()).unwrap());
        let mut differ = Differ::new(&index, block_len);
        new.chunks(CHUNK)
            .for_each(|chunk| differ.push(chunk, &mut delta));
        black_box(differ.finish(&mut delta));
    });
    report(
        "  and the new signature",
        new.len(),
        theirs + their_signature,
        ours,
    );
    println!(
        "{:<38}{:>10}{:>10}",
        "  bytes of delta",
        their_delta.len(),
        delta.len()
    );

    let mut patched = Vec::with_capacity(new.len());
    let limits = PatchLimits::default();
    patch(delta.as_slice(), basis, &mut patched, &limits).unwrap();
    assert!(
        patched == new,
        "{name}: the delta does not restore the file"
    );
}

fn their_signature(data: &[u8], block_len: BlockLen) {
    let block_len = block_len.get() as usize;
    let mut reader =
        librsync::Signature::with_options(Cursor::new(data), block_len, 8, SignatureType::MD4)
            .unwrap();
    io::copy(&mut reader, &mut io::sink()).unwrap();
}

fn signature_of(data: &[u8], block_len: BlockLen) -> Signature {
    let mut builder = SignatureBuilder::new(block_len);
    data.chunks(CHUNK).for_each(|chunk| builder.update(chunk));
    builder.finish()
}

fn best(runs: usize, mut work: impl FnMut()) -> Duration {
    let time = |_| {
        let start = processor_time();
        work();
        processor_time().saturating_sub(start)
    };
    (0..runs).map(time).min().unwrap_or_default()
}

/// What this thread has used of a core, so that other programs disturb less; precise to some milliseconds.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn report(name: &str, bytes: usize, theirs: Duration, ours: Duration) {
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{name:<38}{:>10.0}{:>10.0}{:>7.1}x",
        rate(theirs),
        rate(ours),
        rate(ours) / rate(theirs)
    );
}

/// Bytes without pattern.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(len);
    bytes
}

/// Words in random order.
fn text(len: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "volume ",
        "of ",
        "the ",
        "archive ",
        "signature\n",
        "chain ",
        "and ",
        "a ",
        "restore ",
        "is ",
        "not ",
        "backup, ",
        "which ",
        "file ",
        "to ",
        "in ",
    ];
    let mut text: Vec<u8> = noise(len / 2, 9)
        .iter()
        .flat_map(|byte| WORDS[usize::from(byte & 15)].bytes())
        .collect();
    text.truncate(len);
    text
}
