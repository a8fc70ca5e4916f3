//! As many requests of one kind at once as the store likes at the moment, first come first served.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections of one run for one kind of request. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    free: Arc<Semaphore>,
    count: Arc<Mutex<Count>>,
}

#[derive(Debug)]
struct Count {
    /// Permits that exist, free or in use.
    existing: usize,
    wanted: usize,
}

impl Connections {
    pub(super) fn new() -> Self {
        let count = Count {
            existing: 0,
            wanted: 0,
        };
        Self {
            free: Arc::new(Semaphore::new(0)),
            count: Arc::new(Mutex::new(count)),
        }
    }

    /// Waits for one, where there are to be `wanted` from now on.
    pub(super) async fn acquire(&self, wanted: usize) -> Connection {
        self.resize(wanted.max(1));
        Connection {
            permit: Arc::clone(&self.free).acquire_owned().await.ok(),
            all: self.clone(),
        }
    }

    fn resize(&self, wanted: usize) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.wanted = wanted;
        if count.existing < wanted {
            self.free.add_permits(wanted - count.existing);
            count.existing = wanted;
        } else {
            // Those in use follow when they are given back.
            count.existing -= self.free.forget_permits(count.existing - wanted);
        }
    }
}

/// A connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Connection {
    permit: Option<OwnedSemaphorePermit>,
    all: Connections,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut count = self
            .all
            .count
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if count.existing > count.wanted
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            count.existing -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_as_many_as_were_wanted_last() {
        let all = Connections::new();
        let mut used = Vec::new();
        for _ in 0..4 {
            used.push(all.acquire(4).await);
        }
        let more = tokio::spawn({
            let all = all.clone();
            async move { all.acquire(2).await }
        });
        tokio::task::yield_now().await;
        // Of four in use, two must not come back; the third that is given back is the next one.
        used.pop();
        used.pop();
        tokio::task::yield_now().await;
        assert!(!more.is_finished());
        used.pop();
        used.push(more.await.unwrap());
        assert_eq!(all.free.available_permits(), 0);
        used.push(all.acquire(3).await);
        drop(used);
        assert_eq!(all.free.available_permits(), 3);
    }
}
