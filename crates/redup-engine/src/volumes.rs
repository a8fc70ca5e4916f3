//! Reading volumes: nothing of a volume is used before all of it has been checked.
//!
//! A volume that fits into the memory budget is fetched once, checked while it arrives, and decoded from
//! memory. A larger one, or any where reading twice costs nothing, is read once to check and once to decode, and
//! the second time every 64 KiB are held against the first time before they are used.
//! While one volume of a set is decoded, the next one is fetched and checked beside it.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redup_difftar::BoxError;
use redup_difftar::difftar::Volume;
use redup_format::filename::{Span, Suffix};
use redup_volume::VolumeReader;

use crate::archive::volume_error;
use crate::count::{Count, Work};
use crate::{Error, Event, Monitor, Result};

mod again;
mod ahead;
mod check;
mod incoming;

use ahead::Ahead;
pub(crate) use check::{ATTEMPTS, Checker};

/// A volume that a run reads.
#[derive(Debug, Clone)]
pub(crate) struct PlannedVolume {
    pub(crate) span: Span,
    pub(crate) number: u32,
    /// Its name and length at the store; `None` when it is missing there.
    pub(crate) object: Option<(String, u64)>,
    pub(crate) suffix: Suffix,
    /// The manifest's hash. Sets without one are older than any known release.
    pub(crate) sha1: Option<[u8; 20]>,
    /// What there is to do about it.
    pub(crate) work: Work,
}

impl PlannedVolume {
    /// Gives it its work, which is told to `done`, and says how much that is.
    pub(crate) fn count(&mut self, done: &Count) -> u64 {
        // It is checked, then it is used.
        const ROUNDS: u64 = 2;
        let len = self.object.as_ref().map_or(0, |(_, len)| *len);
        let steps = len.saturating_mul(ROUNDS);
        self.work = Work::new(steps, done.clone());
        steps
    }
}

/// What all cursors of one run share.
pub(crate) struct VolumeOpener<'a> {
    pub(crate) checker: Arc<Checker>,
    pub(crate) monitor: &'a dyn Monitor,
    pub(crate) ignore_errors: bool,
    pub(crate) total: u32,
    pub(crate) done: AtomicU32,
    pub(crate) skipped: AtomicU32,
}

impl VolumeOpener<'_> {
    /// The volumes of one set, opened one after the other as they are needed.
    pub(crate) fn cursor(&self, volumes: Vec<PlannedVolume>) -> VolumeCursor<'_> {
        VolumeCursor {
            opener: self,
            volumes: volumes.into(),
            ahead: None,
            reading: None,
        }
    }

    fn volume_done(&self, work: &Work) {
        work.end();
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let of = self.total;
        self.monitor.event(Event::VolumeRead { number, of });
    }
}

/// Opens the volumes of a set in order. A missing or damaged one ends the run, or under
/// `ignore_errors` is told and left out.
pub(crate) struct VolumeCursor<'a> {
    opener: &'a VolumeOpener<'a>,
    volumes: VecDeque<PlannedVolume>,
    /// The first of `volumes`, being checked.
    ahead: Option<Ahead>,
    /// A volume was handed out and is being read: what there is to do about it.
    reading: Option<Work>,
}

impl VolumeCursor<'_> {
    fn open(&mut self, volume: &PlannedVolume) -> Result<Box<dyn Read + Send>> {
        let checked = match self.ahead.take() {
            Some(ahead) => ahead.wait(),
            None => self.opener.checker.check(volume),
        };
        // From here on the next one is on its way, whatever became of this one.
        self.ahead = self
            .volumes
            .front()
            .and_then(|next| Ahead::start(&self.opener.checker, next));
        let checked = checked?;
        for warning in &checked.warnings {
            self.opener.monitor.event(Event::Info(warning));
        }
        let decryptor = checked.decryptor.as_deref();
        let reader = VolumeReader::new(volume.suffix, decryptor, volume.work.reader(checked.bytes))
            .map_err(|error| {
                let name = volume.object.as_ref().map(|(name, _)| name.as_str());
                volume_error(name.unwrap_or_default(), error.into())
            })?;
        Ok(Box::new(reader))
    }
}

impl Iterator for VolumeCursor<'_> {
    type Item = Result<Volume<Box<dyn Read + Send>>, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(work) = self.reading.take() {
                self.opener.volume_done(&work);
            }
            let volume = self.volumes.pop_front()?;
            let opened = self.open(&volume);
            let opener = self.opener;
            match opened {
                Err(error) if opener.ignore_errors && is_about_one_volume(&error) => {
                    opener.volume_done(&volume.work);
                    opener.skipped.fetch_add(1, Ordering::Relaxed);
                    opener.monitor.event(Event::VolumeSkipped { error: &error });
                }
                Err(error) => return Some(Err(error.into())),
                Ok(data) => {
                    self.reading = Some(volume.work);
                    let name = volume.object.map(|(name, _)| name).unwrap_or_default();
                    return Some(Ok(Volume { name, data }));
                }
            }
        }
    }
}

/// Whether another volume may well be fine.
fn is_about_one_volume(error: &Error) -> bool {
    matches!(
        error,
        Error::MissingVolume { .. }
            | Error::HashMismatch { .. }
            | Error::AnotherVolume(_)
            | Error::Volume { .. }
            | Error::OpenPgp { .. }
            | Error::WrongSigner { .. }
            | Error::NotSigned { .. }
    )
}
