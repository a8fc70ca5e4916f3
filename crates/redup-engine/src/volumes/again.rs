//! Reading a volume that was checked and not kept a second time: every byte is held against the first reading.

use std::io::{self, Read};
use std::mem;

use sha1::{Digest, Sha1};

use super::check::ATTEMPTS;
use crate::transfer::{ObjectReader, Transfer};
use crate::{Error, Result};

/// What is checked at a time on the second reading, and held in memory for it.
const STEP: usize = 1 << 16;

/// The hash of an object, and of each of its beginnings at multiples of [`STEP`]: 20 bytes for 64 KiB.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    hash: Sha1,
    len: u64,
    each: Vec<[u8; 20]>,
}

impl Beginnings {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let due = STEP - (self.len % STEP as u64) as usize;
            let (now, later) = bytes.split_at(due.min(bytes.len()));
            self.hash.update(now);
            self.len += now.len() as u64;
            if now.len() == due {
                self.each.push(self.hash.clone().finalize().into());
            }
            bytes = later;
        }
    }

    /// The hash of all.
    pub(super) fn of_all(&self) -> [u8; 20] {
        self.hash.clone().finalize().into()
    }

    /// The hash of the first `len` bytes, where that was taken down.
    fn of_first(&self, len: u64) -> Option<[u8; 20]> {
        match len == self.len {
            true => Some(self.of_all()),
            false => {
                let step = (len / STEP as u64).checked_sub(1)?;
                self.each.get(usize::try_from(step).ok()?).copied()
            }
        }
    }
}

/// Reads the object whose beginnings these are, from its start. Nothing that was not there the first time is
/// given out.
pub(super) struct Again {
    transfer: Transfer,
    name: String,
    first: Beginnings,
    object: ObjectReader,
    hash: Sha1,
    /// Bytes that were found to be the same.
    checked: u64,
    block: Vec<u8>,
    /// How much of the block was given out.
    given: usize,
    attempt: u32,
}

impl Again {
    pub(super) fn new(transfer: &Transfer, name: &str, first: Beginnings) -> Self {
        Self {
            transfer: transfer.clone(),
            name: name.to_owned(),
            object: transfer.read(name, first.len),
            first,
            hash: Sha1::new(),
            checked: 0,
            block: Vec::new(),
            given: 0,
            attempt: 1,
        }
    }

    /// Takes the next block; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let left = self.first.len - self.checked;
        let len = STEP.min(usize::try_from(left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(false);
        }
        let mut block = mem::take(&mut self.block);
        self.given = 0;
        block.resize(len, 0);
        while !self.read_block(&mut block)? {
            if self.attempt == ATTEMPTS {
                return Err(Error::AnotherVolume(self.name.clone()));
            }
            self.attempt += 1;
            self.start_over()?;
        }
        self.checked += len as u64;
        self.block = block;
        Ok(true)
    }

    /// Whether all up to the end of what is read is what it was.
    fn read_block(&mut self, block: &mut [u8]) -> Result<bool> {
        read_exactly(&mut self.object, block)?;
        self.hash.update(&*block);
        let found: [u8; 20] = self.hash.clone().finalize().into();
        let end = self.checked + block.len() as u64;
        Ok(self.first.of_first(end) == Some(found))
    }

    /// Fetches the object again, up to where the last block begins.
    fn start_over(&mut self) -> Result<()> {
        self.object = self.transfer.read(&self.name, self.first.len);
        self.hash = Sha1::new();
        let mut passed = vec![0; STEP];
        for _ in 0..self.checked / STEP as u64 {
            read_exactly(&mut self.object, &mut passed)?;
            self.hash.update(&passed);
        }
        Ok(())
    }
}

impl Read for Again {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() && !self.advance().map_err(io::Error::other)? {
            return Ok(0);
        }
        let rest = &self.block[self.given..];
        let taken = rest.len().min(buf.len());
        buf[..taken].copy_from_slice(&rest[..taken]);
        self.given += taken;
        Ok(taken)
    }
}

fn read_exactly(object: &mut ObjectReader, buf: &mut [u8]) -> Result<()> {
    object.read_exact(buf).map_err(|error| {
        error
            .downcast()
            .unwrap_or(Error::Internal("the second reading of a volume"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redup_storage::{Action, Fault, FaultRule, MemoryStorage, Op, Storage, When};
    use tokio::runtime::Runtime;

    use super::*;

    fn sha1(bytes: &[u8]) -> [u8; 20] {
        Sha1::digest(bytes).into()
    }

    #[test]
    fn beginnings_are_known_at_each_step_and_at_the_end_however_the_bytes_came() {
        let bytes: Vec<u8> = (0..3 * STEP + 5).map(|place| (place / 7) as u8).collect();
        for chunk in [1000, STEP, STEP + 1, bytes.len()] {
            let mut found = Beginnings::default();
            bytes.chunks(chunk).for_each(|chunk| found.update(chunk));
            assert_eq!(found.of_all(), sha1(&bytes));
            for end in [STEP, 2 * STEP, 3 * STEP, bytes.len()] {
                let expected = Some(sha1(&bytes[..end]));
                assert_eq!(found.of_first(end as u64), expected, "{chunk} {end}");
            }
            assert_eq!(found.of_first(4 * STEP as u64), None);
            assert_eq!(found.of_first(7), None);
        }
    }

    const LEN: usize = 5 * STEP + 100;

    fn noise(seed: usize) -> Vec<u8> {
        let byte = |place: usize| ((place + seed).wrapping_mul(0x9e37_79b9) >> 16) as u8;
        (0..LEN).map(byte).collect()
    }

    /// Reads what `storage` has as "volume", which was these bytes the first time: what was given out, and how it ended.
    fn read_again(storage: Arc<dyn Storage>, was: &[u8]) -> (Vec<u8>, Result<()>) {
        let runtime = Runtime::new().unwrap();
        let transfer = Transfer::new(storage, runtime.handle().clone(), 1 << 20);
        let mut first = Beginnings::default();
        first.update(was);
        let mut again = Again::new(&transfer, "volume", first);
        let mut given = Vec::new();
        let ended = again.read_to_end(&mut given);
        if ended.is_err() {
            // Whoever asks again gets no more of it.
            assert!(again.read(&mut [0; 10]).is_err());
        }
        (given, ended.map(drop).map_err(|e| e.downcast().unwrap()))
    }

    #[test]
    fn what_is_the_same_is_given_out_whole() {
        let memory = MemoryStorage::new();
        memory.insert("volume", noise(0));
        let (given, ended) = read_again(Arc::new(memory), &noise(0));
        assert!(ended.is_ok() && given == noise(0));
    }

    #[test]
    fn nothing_is_given_out_from_the_block_on_that_was_another() {
        for place in [0, STEP, 3 * STEP + 7, 5 * STEP, LEN - 1] {
            let memory = MemoryStorage::new();
            let mut other = noise(0);
            other[place..].copy_from_slice(&noise(1)[place..]);
            memory.insert("volume", other);
            let (given, ended) = read_again(Arc::new(memory), &noise(0));
            assert!(matches!(ended, Err(Error::AnotherVolume(name)) if name == "volume"));
            assert_eq!(given, noise(0)[..place / STEP * STEP], "{place}");
        }
    }

    #[test]
    fn what_was_altered_on_its_way_is_fetched_once_more() {
        let memory = MemoryStorage::new();
        memory.insert("volume", noise(0));
        let gets = |when| {
            let rule = FaultRule::new(Op::Get, when, Action::Flip(9));
            read_again(
                Arc::new(Fault::new(Arc::new(memory.clone()), [rule])),
                &noise(0),
            )
        };
        let (given, ended) = gets(When::Nth(2));
        assert!(ended.is_ok() && given == noise(0));
        assert!(matches!(
            gets(When::From(2)).1,
            Err(Error::AnotherVolume(_))
        ));
    }
}
