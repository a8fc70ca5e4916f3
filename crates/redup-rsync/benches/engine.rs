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
    let theirs = || their_signature(data, block_len);
    let ours = || {
        black_box(signature_of(data, block_len));
    };
    compare(name, data.len(), theirs, ours);
}

fn deltas(name: &str, basis: &[u8], new: &[u8], signature: &Signature) {
    let index = || DeltaIndex::new(Signature::parse(signature.as_bytes()).unwrap());
    let room = || Vec::with_capacity(new.len() + (1 << 20));

    let (mut their_delta, mut delta) = (room(), room());
    let mut theirs = || {
        their_delta.clear();
        let mut signature = Cursor::new(signature.as_bytes());
        librsync::whole::delta(&mut Cursor::new(new), &mut signature, &mut their_delta).unwrap();
    };
    let ours = || {
        delta.clear();
        let index = index();
        let mut encoder = DeltaEncoder::new(&index);
        read(new, signature.block_len(), |chunk| {
            encoder.push(chunk, &mut delta);
        });
        encoder.finish(&mut delta);
    };
    compare(name, new.len(), &mut theirs, ours);

    let block_len = block_len(new.len() as u64, None);
    let theirs = || {
        theirs();
        their_signature(new, block_len);
    };
    let mut same_delta = room();
    let ours = || {
        same_delta.clear();
        let index = index();
        let mut differ = Differ::new(&index, block_len);
        read(new, block_len, |chunk| differ.push(chunk, &mut same_delta));
        black_box(differ.finish(&mut same_delta));
    };
    compare("  and the new signature", new.len(), theirs, ours);
    println!(
        "{:<38}{:>10}{:>10}",
        "  bytes of delta",
        their_delta.len(),
        delta.len()
    );

    assert!(delta == same_delta, "{name}: the deltas differ");
    let (mut patched, limits) = (room(), PatchLimits::default());
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
    read(data, block_len, |chunk| builder.update(chunk));
    builder.finish()
}

/// Copies the file piece by piece into one buffer, as reading it would.
fn read(file: &[u8], block_len: BlockLen, mut push: impl FnMut(&[u8])) {
    let mut buffer = vec![0; block_len.piece_len()];
    for piece in file.chunks(block_len.piece_len()) {
        let buffer = &mut buffer[..piece.len()];
        buffer.copy_from_slice(piece);
        push(buffer);
    }
}

/// Prints the best rates of both, measured in turns.
fn compare(name: &str, bytes: usize, mut theirs: impl FnMut(), mut ours: impl FnMut()) {
    let times = || (time(&mut theirs), time(&mut ours));
    let times: Vec<_> = std::iter::repeat_with(times).take(TURNS).collect();
    let rate = |time: Option<Duration>| bytes as f64 / 1e6 / time.unwrap_or_default().as_secs_f64();
    let theirs = rate(times.iter().map(|turn| turn.0).min());
    let ours = rate(times.iter().map(|turn| turn.1).min());
    println!(
        "{name:<38}{theirs:>10.0}{ours:>10.0}{:>7.1}x",
        ours / theirs
    );
}

const TURNS: usize = 6;

/// The time of one piece of work, repeated for long enough to be measured.
fn time(mut work: impl FnMut()) -> Duration {
    let start = processor_time();
    let mut times = 0;
    loop {
        work();
        times += 1;
        let time = processor_time().saturating_sub(start);
        if time > Duration::from_millis(100) {
            return time / times;
        }
    }
}

/// What this thread has used of a core, so that other programs disturb less; precise to some milliseconds.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
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
