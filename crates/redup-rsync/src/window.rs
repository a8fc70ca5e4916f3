//! Bytes held back between two pushes.

/// A stream that is seen as overlapping slices: what its reader does not use comes again, with more behind it.
#[derive(Debug, Default)]
pub(crate) struct Window {
    held: Vec<u8>,
    /// Bytes of `held` that are used up already.
    used: usize,
}

impl Window {
    /// Shows what is held followed by `chunk` to `take`, which returns how many bytes it used.
    ///
    /// Large chunks are shown in place; only what is left over is copied. `take` may be called
    /// several times with parts of the chunk, so what it makes of the stream must not depend on
    /// where slices end.
    pub(crate) fn push(&mut self, mut chunk: &[u8], mut take: impl FnMut(&[u8]) -> usize) {
        while !chunk.is_empty() {
            let held = self.held.len() - self.used;
            if held == 0 {
                self.clear();
                let used = take(chunk);
                self.held.extend_from_slice(&chunk[used..]);
                return;
            }
            // Joining as much again as is held keeps copying in proportion to the stream.
            let joined = chunk.len().min(held.max(MIN_JOIN));
            self.make_room(joined);
            self.held.extend_from_slice(&chunk[..joined]);
            self.used += take(&self.held[self.used..]);
            let left = self.held.len() - self.used;
            if left <= joined {
                self.clear();
                chunk = &chunk[joined - left..];
            } else {
                chunk = &chunk[joined..];
            }
        }
    }

    /// What is held at the end of the stream.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.held[self.used..]
    }

    fn clear(&mut self) {
        self.held.clear();
        self.used = 0;
    }

    fn make_room(&mut self, more: usize) {
        if self.held.len() + more > self.held.capacity() && self.used >= self.held.len() / 2 {
            self.held.drain(..self.used);
            self.used = 0;
        }
    }
}

/// Chunks are joined to what is held in pieces of at least this size.
const MIN_JOIN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_used_once_and_in_order(
            chunks in prop::collection::vec(0usize..70_000, 0..12),
            unit in prop_oneof![1usize..10, 1_000usize..50_000],
        ) {
            let stream: Vec<u8> = (0..chunks.iter().sum()).map(|at: usize| (at % 251) as u8).collect();
            let (mut window, mut seen, mut rest) = (Window::default(), Vec::new(), stream.as_slice());
            for len in chunks {
                let (chunk, next) = rest.split_at(len);
                rest = next;
                window.push(chunk, |bytes| {
                    let whole = bytes.len() / unit * unit;
                    seen.extend_from_slice(&bytes[..whole]);
                    whole
                });
                prop_assert!(window.rest().len() < unit);
            }
            seen.extend_from_slice(window.rest());
            prop_assert_eq!(seen, stream);
        }
    }
}
