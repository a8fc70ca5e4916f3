//! Raw deflate on several threads, the same bytes whatever their number.
//!
//! The input is cut into blocks of [`BLOCK`] octets. Each is compressed on its own (with the 32 KiB before it as
//! dictionary) on the rayon pool, ends on an octet boundary, and is appended in order, so that the whole is one valid
//! deflate stream. Pieces that do not compress are stored, which costs a tenth of trying.
//!
//! Which output is *out* after which input is fixed too: block n leaves the queue when block n + lag enters it, ready
//! or not. So a volume may be cut by looking at [`BlockDeflate::estimated_len`], and 1 thread cuts where 64 do.

mod block;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use block::deflate_block;

/// Octets compressed at a time: large enough that the dictionary is small beside it, small enough that a volume of
/// 1 MiB is not a handful of blocks.
pub const BLOCK: usize = 1 << 18;

/// Blocks in flight, at most: it bounds the memory of one stream (2 × 16 × [`BLOCK`]) and its parallelism.
const MAX_LAG: u64 = 16;

/// Deflates what is pushed into it; the sink is handed to each call.
///
/// Blocks are compressed on rayon's pool, or on the calling thread when that belongs to the pool (waiting there could
/// wait forever). Dropping it abandons the blocks in flight.
#[derive(Debug)]
pub struct BlockDeflate {
    level: u32,
    block: Vec<u8>,
    previous: Option<Arc<Vec<u8>>>,
    queue: VecDeque<Pending>,
    submitted: u64,
    done_in: u64,
    done_out: u64,
}

#[derive(Debug)]
struct Pending {
    input_len: usize,
    output: Receiver<io::Result<Vec<u8>>>,
}

impl BlockDeflate {
    /// `level` is zlib's, 0 (store) to 9; higher values mean 9.
    pub fn new(level: u32) -> Self {
        Self {
            level: level.min(9),
            block: Vec::with_capacity(BLOCK),
            previous: None,
            queue: VecDeque::new(),
            submitted: 0,
            done_in: 0,
            done_out: 0,
        }
    }

    /// Takes `data` and writes to `out` the blocks whose turn it is, waiting for them when they are not ready.
    pub fn write(&mut self, mut data: &[u8], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            data = later;
            if self.block.len() == BLOCK {
                self.submit();
                while self.queue.len() as u64 > lag(self.submitted) {
                    self.retire(out)?;
                }
            }
        }
        Ok(())
    }

    /// Writes all that is left and ends the deflate stream.
    pub fn finish(mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        if !self.block.is_empty() {
            self.submit();
        }
        while !self.queue.is_empty() {
            self.retire(out)?;
        }
        out.write_all(&block::END)
    }

    /// Octets that the input not yet written out will take, by the ratio so far: a function of the input alone.
    pub fn estimated_len(&self) -> u64 {
        let waiting = self.block.len() as u64
            + self
                .queue
                .iter()
                .map(|pending| pending.input_len as u64)
                .sum::<u64>();
        if self.done_in == 0 {
            return waiting;
        }
        let estimate = u128::from(waiting) * u128::from(self.done_out) / u128::from(self.done_in);
        u64::try_from(estimate).unwrap_or(u64::MAX)
    }

    fn submit(&mut self) {
        let data = Arc::new(std::mem::replace(
            &mut self.block,
            Vec::with_capacity(BLOCK),
        ));
        let previous = self.previous.replace(Arc::clone(&data));
        let (sender, output) = mpsc::sync_channel(1);
        self.queue.push_back(Pending {
            input_len: data.len(),
            output,
        });
        self.submitted += 1;
        let level = self.level;
        let job = move || {
            let dictionary = previous.as_deref().map_or(&[][..], Vec::as_slice);
            // The other end is gone when the stream was dropped: nobody wants the block then.
            drop(sender.send(deflate_block(level, dictionary, &data)));
        };
        if rayon::current_thread_index().is_some() {
            job();
        } else {
            rayon::spawn(job);
        }
    }

    fn retire(&mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let Some(pending) = self.queue.pop_front() else {
            return Ok(());
        };
        let output = pending.output.recv().map_err(io::Error::other)??;
        self.done_in += pending.input_len as u64;
        self.done_out += output.len() as u64;
        out.write_all(&output)
    }
}

/// How many blocks may wait once `submitted` were: few at first, so that a small volume soon knows its ratio.
fn lag(submitted: u64) -> u64 {
    (submitted / 2).min(MAX_LAG)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut random = move || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        };
        // A third text, a third random octets, a third zeros, in stretches that cross the pieces.
        (0..len)
            .map(|i| match i / 100_000 % 3 {
                0 => b"the quick brown fox "[i % 20] ^ (random() & 1),
                1 => random(),
                _ => 0,
            })
            .collect()
    }

    fn deflate(level: u32, data: &[u8], step: usize) -> (Vec<u8>, Vec<u64>) {
        let mut deflate = BlockDeflate::new(level);
        let (mut out, mut estimates) = (Vec::new(), Vec::new());
        for piece in data.chunks(step) {
            deflate.write(piece, &mut out).unwrap();
            estimates.push(out.len() as u64 + deflate.estimated_len());
        }
        deflate.finish(&mut out).unwrap();
        (out, estimates)
    }

    fn inflate(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::DeflateDecoder::new(data)
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn what_goes_in_comes_out_at_every_level_and_size() {
        for level in [0, 1, 6, 9] {
            for len in [0, 1, 65_536, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77] {
                let data = sample(len);
                assert!(
                    inflate(&deflate(level, &data, 50_000).0) == data,
                    "level {level} length {len}"
                );
            }
        }
    }

    #[test]
    fn output_and_estimates_depend_on_the_input_alone() {
        let data = sample(20 * BLOCK);
        let (first, estimates) = deflate(6, &data, BLOCK / 4);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let (second, again) = pool.install(|| deflate(6, &data, BLOCK / 4));
        assert!(first == second);
        assert_eq!(estimates, again);
        assert!(first == deflate(6, &data, 1 << 20).0);
    }

    #[test]
    fn estimates_come_near_the_truth() {
        let data = sample(12 * BLOCK);
        let (out, estimates) = deflate(6, &data, 10_000);
        let last = *estimates.last().unwrap() as f64;
        assert!(
            (last / out.len() as f64 - 1.0).abs() < 0.2,
            "{last} for {}",
            out.len()
        );
    }

    #[test]
    fn incompressible_data_hardly_grow() {
        let mut data = vec![0; 1 << 20];
        getrandom::fill(&mut data).unwrap();
        let (out, _) = deflate(6, &data, 1 << 20);
        assert!(out.len() < data.len() + 200, "{}", out.len());
    }
}
