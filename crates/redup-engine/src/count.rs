//! Bytes counted by the threads of a run, for whoever wants to tell how far it is.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that grows while a run works, to be looked at at any time. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// The bytes so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// More of them.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What there is to do about one object, in bytes. Clones share what is left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    done: Count,
    left: Arc<AtomicU64>,
}

impl Work {
    /// `bytes` of work, told to `done` as they are done.
    pub(crate) fn new(bytes: u64, done: Count) -> Self {
        Self {
            done,
            left: Arc::new(AtomicU64::new(bytes)),
        }
    }

    /// Some of it is done. What is done again counts as long as anything is left: never more than all.
    pub(crate) fn did(&self, bytes: u64) {
        let order = Ordering::Relaxed;
        let rest = |left: u64| Some(left.saturating_sub(bytes));
        // The closure always gives a value.
        let left = self.left.fetch_update(order, order, rest).unwrap_or(0);
        self.done.add(left.min(bytes));
    }

    /// Nothing is left to do.
    pub(crate) fn end(&self) {
        self.did(u64::MAX);
    }

    /// `inner`, whose bytes count as work done when they are read.
    pub(crate) fn reader<R>(&self, inner: R) -> Counted<R> {
        Counted {
            inner,
            work: self.clone(),
        }
    }
}

/// Reads, and counts it as work.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    inner: R,
    work: Work,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.work.did(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_done_twice_counts_once() {
        let count = Count::default();
        let (one, other) = (
            Work::new(10, count.clone()),
            Work::new(5, count.clone()).clone(),
        );
        io::copy(&mut one.reader(&b"seven.."[..]), &mut io::sink()).unwrap();
        assert_eq!(count.get(), 7);
        one.did(7);
        other.did(1);
        assert_eq!(count.get(), 11);
        one.end();
        other.end();
        other.end();
        assert_eq!(count.get(), 15);
    }
}
