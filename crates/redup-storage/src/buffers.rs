//! Large buffers that are used again.
//!
//! Fresh memory costs more than what is done with it here: the system hands out zeroed pages one by
//! one. So the bytes of parts and ranges, which come and go all the time, keep their memory.

use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The longest block that is used again by the allocator from [`keep_freed_memory`] on.
const KEPT: usize = 8 << 20;

/// Makes the process use freed memory again. To be called once, before the work; it costs nothing.
///
/// Libraries have large buffers of their own, which come and go as fast as ours. The GNU allocator gives
/// each back to the system at first, and learns from one that is freed that blocks up to its length are
/// worth keeping: up to 8 MiB from here on, and for each thread twice that at the end of its heap. Other
/// allocators learn nothing from this.
pub fn keep_freed_memory() {
    // No page of it is touched.
    drop(black_box(Vec::<u8>::with_capacity(KEPT)));
}

/// Buffers at rest. Clones share them.
#[derive(Debug, Clone)]
pub struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    most: usize,
}

impl Buffers {
    /// Keeps up to `most` buffers while they are not used.
    pub fn new(most: usize) -> Self {
        Self {
            free: Arc::default(),
            most,
        }
    }

    /// An empty buffer with room for `capacity` bytes, and not for much more: who keeps it accounts for
    /// what is in it.
    pub fn take(&self, capacity: usize) -> Buffer {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let most = capacity.saturating_add(capacity / 4);
        let fitting = free
            .iter()
            .rposition(|free| (capacity..=most).contains(&free.capacity()));
        // The last one that came back, which may still be in a cache. Without one that fits, the place of one that does not is used.
        let bytes = fitting.map(|at| free.swap_remove(at));
        if bytes.is_none() {
            free.pop();
        }
        drop(free);
        Buffer {
            bytes: bytes.unwrap_or_else(|| Vec::with_capacity(capacity)),
            home: self.clone(),
        }
    }
}

/// A buffer in use; its memory is kept when it is dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffer {
    /// The bytes, to be shared. The memory is free again when the last share is dropped.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let home = &self.home;
        let mut free = home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < home.most && bytes.capacity() > 0 {
            free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_when_its_last_share_is_gone() {
        let buffers = Buffers::new(2);
        let mut buffer = buffers.take(1000);
        buffer.extend_from_slice(b"content");
        let place = buffer.as_ptr();
        let shared = buffer.freeze();
        let other = shared.slice(3..);
        drop(shared);
        assert_ne!(buffers.take(10).as_ptr(), place);
        assert_eq!(other, b"tent"[..]);
        drop(other);
        let again = [buffers.take(1000), buffers.take(1000)];
        assert!(again.iter().any(|buffer| buffer.as_ptr() == place));
        assert!(again.iter().all(|buffer| buffer.is_empty()));
    }

    #[test]
    fn no_more_are_kept_than_was_said() {
        let buffers = Buffers::new(2);
        drop([(); 5].map(|()| buffers.take(10)));
        assert_eq!(buffers.free.lock().unwrap().len(), 2);
        // One that is too small makes room.
        drop(buffers.take(1000));
        let lens: Vec<usize> = buffers
            .free
            .lock()
            .unwrap()
            .iter()
            .map(Vec::capacity)
            .collect();
        assert_eq!(lens, [10, 1000]);
    }
}
