//! A volume on its way: hashed as it comes, and kept where there is room for it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes};

use super::again::Beginnings;
use crate::count::Work;
use crate::transfer::{Hold, ObjectReader, Transfer};
use crate::{Error, Result};

/// Reads an object once, from its start. What is read is not checked yet.
pub(super) struct Incoming<'a> {
    object: ObjectReader,
    hash: Beginnings,
    current: Bytes,
    kept: Option<Kept>,
    work: &'a Work,
    /// What went wrong with the store, which readers in between could tell in their words only.
    failure: Option<Error>,
    cancelled: &'a AtomicBool,
}

impl<'a> Incoming<'a> {
    /// Begins to read, which counts as `work`; given up with an error once `cancelled` is set.
    pub(super) fn open(
        transfer: &Transfer,
        name: &str,
        len: u64,
        work: &'a Work,
        cancelled: &'a AtomicBool,
    ) -> Self {
        let kept = transfer.try_hold(len).map(Kept::new);
        Self {
            object: match kept {
                Some(_) => transfer.read_held(name, len),
                None => transfer.read(name, len),
            },
            hash: Beginnings::default(),
            current: Bytes::new(),
            kept,
            work,
            failure: None,
            cancelled,
        }
    }

    /// Reads what is left; the hashes of it, and all of it if it was kept.
    ///
    /// # Errors
    /// When the store has failed, now or before.
    pub(super) fn finish(mut self) -> Result<(Beginnings, Option<Kept>)> {
        while self.failure.is_none() && self.advance() {}
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok((self.hash, self.kept)),
        }
    }

    /// Takes the next bytes, if there are any.
    fn advance(&mut self) -> bool {
        let next = match self.cancelled.load(Ordering::Relaxed) {
            true => Err(Error::Internal("a volume check that was called off")),
            false => self.object.next_chunk(),
        };
        match next {
            Ok(Some(chunk)) => {
                self.work.did(chunk.len() as u64);
                self.hash.update(&chunk);
                if let Some(kept) = &mut self.kept {
                    kept.chunks.push_back((chunk.clone(), chunk.len() as u64));
                }
                self.current = chunk;
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.failure = Some(error);
                false
            }
        }
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !buf.is_empty() {
            if self.failure.is_some() || !self.advance() {
                return match self.failure {
                    Some(_) => Err(io::Error::other("the store failed")),
                    None => Ok(0),
                };
            }
        }
        Ok(take(&mut self.current, buf))
    }
}

/// A volume in memory, freed as it is read.
pub(super) struct Kept {
    /// What is left of each, and what it takes up until all of it is read.
    chunks: VecDeque<(Bytes, u64)>,
    memory: Hold,
}

impl Kept {
    fn new(memory: Hold) -> Self {
        let chunks = VecDeque::new();
        Self { chunks, memory }
    }
}

impl Read for Kept {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some((first, len)) = self.chunks.front_mut() else {
            return Ok(0);
        };
        let taken = take(first, buf);
        if first.is_empty() {
            let len = *len;
            self.chunks.pop_front();
            self.memory.release(len);
        }
        Ok(taken)
    }
}

fn take(from: &mut Bytes, buf: &mut [u8]) -> usize {
    let taken = from.len().min(buf.len());
    from.copy_to_slice(&mut buf[..taken]);
    taken
}
