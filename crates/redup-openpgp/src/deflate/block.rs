//! One block of a deflate stream, compressed without knowledge of the others' output.

use std::cell::RefCell;
use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};

/// Octets that are stored or compressed together.
const PIECE: usize = 1 << 16;

/// Octets looked at to tell which: 16 stretches of 256 from all over the piece.
const SAMPLE: usize = 1 << 12;
const STRETCH: usize = 256;

/// Deflate's window: no reference reaches further back.
const WINDOW: usize = 1 << 15;

/// The longest stored block.
const STORED_MAX: usize = 65_535;

/// An empty block of fixed codes with the final bit: ends a stream whose last block ended on an octet.
pub(super) const END: [u8; 2] = [3, 0];

/// Compresses `data`, which follows `before` in the stream. The result holds non-final deflate blocks and ends on an
/// octet boundary.
pub(super) fn deflate_block(level: u32, before: &[u8], data: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() / 2 + 64);
    let mut pos = 0;
    while pos < data.len() {
        let (end, dense) = run(data, pos, level);
        if dense {
            store(&data[pos..end], &mut out);
        } else {
            let window = if pos == 0 { before } else { &data[..pos] };
            compress(
                level,
                &window[window.len().saturating_sub(WINDOW)..],
                &data[pos..end],
                &mut out,
            )?;
        }
        pos = end;
    }
    Ok(out)
}

/// The longest run of pieces from `pos` on that are all to be stored, or all to be compressed.
fn run(data: &[u8], pos: usize, level: u32) -> (usize, bool) {
    let mut pieces = data[pos..]
        .chunks(PIECE)
        .map(|piece| (piece.len(), level == 0 || is_dense(piece)));
    let Some((mut len, dense)) = pieces.next() else {
        return (pos, false);
    };
    for (more, _) in pieces.take_while(|(_, same)| *same == dense) {
        len += more;
    }
    (pos + len, dense)
}

/// Whether the octets are spread so evenly that deflate would gain nothing: the sum of their squared counts is within
/// an eighth of what an even spread gives.
fn is_dense(piece: &[u8]) -> bool {
    if piece.len() < SAMPLE {
        return false;
    }
    let mut counts = [0u32; 256];
    for stretch in piece
        .chunks(piece.len() / (SAMPLE / STRETCH))
        .take(SAMPLE / STRETCH)
    {
        for octet in &stretch[..STRETCH.min(stretch.len())] {
            counts[usize::from(*octet)] += 1;
        }
    }
    let squares: u32 = counts.iter().map(|count| count * count).sum();
    let even = (SAMPLE * SAMPLE / 256) as u32;
    squares < even + even / 8
}

fn store(data: &[u8], out: &mut Vec<u8>) {
    for piece in data.chunks(STORED_MAX) {
        // Never more than STORED_MAX, so nothing is cut off.
        let len = piece.len() as u16;
        out.push(0);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(piece);
    }
}

thread_local! {
    /// A compressor's tables are some 300 KiB: kept, one a thread and level.
    static COMPRESSOR: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
}

fn compress(level: u32, window: &[u8], data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some((same, compressor)) if *same == level => {
                compressor.reset();
                compressor
            }
            other => {
                &mut other
                    .insert((level, Compress::new(Compression::new(level), false)))
                    .1
            }
        };
        if !window.is_empty() {
            compressor
                .set_dictionary(window)
                .map_err(io::Error::other)?;
        }
        feed(compressor, data, out)
    })
}

/// Compresses all of `data` and flushes to an octet boundary.
fn feed(compressor: &mut Compress, data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut taken = 0;
    loop {
        out.reserve(data.len() / 4 + 1024);
        let before = compressor.total_in();
        let status = compressor
            .compress_vec(&data[taken..], out, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        taken += (compressor.total_in() - before) as usize;
        // Room left over after everything was taken: the flush is complete.
        if taken == data.len() && out.len() < out.capacity() {
            return Ok(());
        }
        if status == Status::StreamEnd {
            return Err(io::Error::other("the compressor ended its stream"));
        }
    }
}
