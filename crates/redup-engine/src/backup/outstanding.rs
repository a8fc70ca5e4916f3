//! How many volumes are on their way: made, and not yet stored and recorded.

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{Error, Result};

/// The count that the cutter keeps of its volumes.
pub(super) struct Outstanding {
    most: u32,
    count: u32,
    stored: Receiver<()>,
}

impl Outstanding {
    /// None yet, and never more than `most` while another is made. The sender is told of each that is stored.
    pub(super) fn at_most(most: u32) -> (Self, Sender<()>) {
        let (sender, stored) = unbounded();
        let outstanding = Self {
            most,
            count: 0,
            stored,
        };
        (outstanding, sender)
    }

    /// One more is made.
    pub(super) fn add(&mut self) {
        self.count += 1;
    }

    /// Waits until the next one may be begun.
    ///
    /// # Errors
    /// When committing has failed; its error is the one to report.
    pub(super) fn wait(&mut self) -> Result<()> {
        while self.count > self.most {
            self.stored
                .recv()
                .map_err(|_| Error::Internal("the commit stage"))?;
            self.count -= 1;
        }
        Ok(())
    }
}
