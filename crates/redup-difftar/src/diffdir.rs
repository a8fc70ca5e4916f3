//! What a backup has to store: a source tree beside the signatures of what is stored already.

use std::io::Read;

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

use crate::Error;
use crate::collate::CombinedSignatures;
use crate::sigtar::{SigHead, SigKind};

/// An entry of the source tree.
pub trait SourceItem {
    /// Where it is.
    fn index(&self) -> &PathIndex;
    /// What it is.
    fn attributes(&self) -> &Attributes;
}

/// A failure to read one path of the source tree.
pub trait SourceError {
    /// The path: an entry that could not be looked at, or a directory that could not be listed.
    fn index(&self) -> &PathIndex;
}

/// What is to be done about one path.
#[derive(Debug)]
pub enum Change<S, E> {
    /// Store it in full.
    Snapshot {
        /// The path as it is.
        source: S,
        /// What was there before; `None` if it is new.
        previous: Option<Attributes>,
    },
    /// Store what differs from the version that `signature` is of. Both are regular files.
    Diff {
        /// The file as it is.
        source: S,
        /// Its attributes before.
        previous: Attributes,
        /// The signature of its contents before, encoded.
        signature: Vec<u8>,
    },
    /// Store that it is gone.
    Deleted {
        /// The path.
        index: PathIndex,
        /// What was there before.
        previous: Attributes,
    },
    /// Store nothing.
    Unchanged {
        /// The path as it is.
        source: S,
    },
    /// Store nothing, because nothing is known of it, nor of what lies below: what was stored before stays valid.
    Unreadable {
        /// What the source said.
        error: E,
    },
}

/// Compares a source tree with the signatures of a chain: an iterator over what has to be stored, in path order.
///
/// The source is an iterator in path order. An error in it passes through as [`Change::Unreadable`], and neither its
/// path nor anything below it is taken for deleted. Such an error may come where the path would come, or after it if
/// the path itself was readable.
///
/// Ends after the first error of its own.
#[derive(Debug)]
pub struct DiffDir<S, E, I, R, F> {
    source: I,
    /// The source's next item, once looked at.
    next: Option<Result<S, E>>,
    previous: Option<PathIndex>,
    signatures: Option<Signatures<R>>,
    ids: F,
    signature_limit: u64,
    unreadable: Option<PathIndex>,
    failed: bool,
}

#[derive(Debug)]
struct Signatures<R> {
    combined: CombinedSignatures<R>,
    head: Option<SigHead>,
}

impl<S, E, I, R, F> DiffDir<S, E, I, R, F>
where
    S: SourceItem,
    E: SourceError,
    I: Iterator<Item = Result<S, E>>,
    R: Read,
    F: FnMut(&Attributes) -> (u64, u64),
{
    /// Compares `source` with `signatures`, or with nothing for a full backup.
    ///
    /// `ids` gives the user and group number that stored attributes stand for on this host: those that their names
    /// have here, else the numbers. A signature of more than `signature_limit` bytes is not used: the file is stored
    /// in full.
    pub fn new(
        source: I,
        signatures: Option<CombinedSignatures<R>>,
        ids: F,
        signature_limit: u64,
    ) -> Result<Self, Error> {
        let signatures = signatures.map(Signatures::open).transpose()?;
        Ok(Self {
            source,
            next: None,
            previous: None,
            signatures,
            ids,
            signature_limit,
            unreadable: None,
            failed: false,
        })
    }

    fn step(&mut self) -> Result<Option<Change<S, E>>, Error> {
        loop {
            if self.next.is_none() {
                self.next = self.source.next();
            }
            match self.next.take() {
                Some(Err(error)) => {
                    if self.stored_is_before(error.index()) {
                        self.next = Some(Err(error));
                    } else {
                        self.shield(error.index());
                        return Ok(Some(Change::Unreadable { error }));
                    }
                }
                Some(Ok(item)) => {
                    if self.stored_is_before(item.index()) {
                        self.next = Some(Ok(item));
                    } else {
                        return self.compare(item).map(Some);
                    }
                }
                None if self.stored().is_none() => return Ok(None),
                None => {}
            }
            if let Some(change) = self.gone()? {
                return Ok(Some(change));
            }
        }
    }

    /// The source has `item`; what is stored is at the same path or beyond.
    fn compare(&mut self, item: S) -> Result<Change<S, E>, Error> {
        if let Some(previous) = self.previous.replace(item.index().clone())
            && previous >= *item.index()
        {
            return Err(Error::SourceOutOfOrder {
                index: item.index().clone(),
                previous,
            });
        }
        let Some(signatures) = &mut self.signatures else {
            return Ok(snapshot(item, None));
        };
        let Some(head) = signatures.take_if_at(item.index()) else {
            return Ok(snapshot(item, None));
        };
        let change = match head.kind {
            SigKind::Deleted => snapshot(item, None),
            _ if unchanged(item.attributes(), &head.attributes, &mut self.ids) => {
                Change::Unchanged { source: item }
            }
            SigKind::File { signature_len }
                if item.attributes().file_type.is_regular()
                    && signature_len <= self.signature_limit =>
            {
                Change::Diff {
                    source: item,
                    previous: head.attributes,
                    signature: signatures.combined.read_signature(self.signature_limit)?,
                }
            }
            _ => snapshot(item, Some(head.attributes)),
        };
        signatures.advance()?;
        Ok(change)
    }

    /// What is stored is at a path that the source passed over.
    fn gone(&mut self) -> Result<Option<Change<S, E>>, Error> {
        let Some(signatures) = &mut self.signatures else {
            return Ok(None);
        };
        let Some(head) = signatures.head.take() else {
            return Ok(None);
        };
        signatures.advance()?;
        let unknown = self
            .unreadable
            .as_ref()
            .is_some_and(|unreadable| head.index.starts_with(unreadable));
        if head.kind == SigKind::Deleted || head.index.is_root() || unknown {
            return Ok(None);
        }
        Ok(Some(Change::Deleted {
            index: head.index,
            previous: head.attributes,
        }))
    }

    fn stored(&self) -> Option<&SigHead> {
        self.signatures.as_ref()?.head.as_ref()
    }

    fn stored_is_before(&self, index: &PathIndex) -> bool {
        self.stored().is_some_and(|head| head.index < *index)
    }

    /// Nothing at or below `index` is to be taken for deleted.
    fn shield(&mut self, index: &PathIndex) {
        let covered = self
            .unreadable
            .as_ref()
            .is_some_and(|unreadable| index.starts_with(unreadable));
        if !covered {
            self.unreadable = Some(index.clone());
        }
    }
}

impl<S, E, I, R, F> Iterator for DiffDir<S, E, I, R, F>
where
    S: SourceItem,
    E: SourceError,
    I: Iterator<Item = Result<S, E>>,
    R: Read,
    F: FnMut(&Attributes) -> (u64, u64),
{
    type Item = Result<Change<S, E>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

impl<R: Read> Signatures<R> {
    fn open(combined: CombinedSignatures<R>) -> Result<Self, Error> {
        let mut signatures = Self {
            combined,
            head: None,
        };
        signatures.advance()?;
        Ok(signatures)
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.head = self.combined.advance()?.cloned();
        Ok(())
    }

    fn take_if_at(&mut self, index: &PathIndex) -> Option<SigHead> {
        self.head.take_if(|head| head.index == *index)
    }
}

fn snapshot<S, E>(source: S, previous: Option<Attributes>) -> Change<S, E> {
    Change::Snapshot { source, previous }
}

/// Whether a backup takes `source` for what is `stored` already. Contents and sizes are not compared: a file whose
/// owner, mode and seconds of mtime are the same counts as unchanged.
///
/// Of a link only the target counts; of a device all but the mtime. `ids` maps stored owners as for
/// [`DiffDir::new`].
pub fn unchanged(
    source: &Attributes,
    stored: &Attributes,
    ids: impl FnOnce(&Attributes) -> (u64, u64),
) -> bool {
    if source.file_type != stored.file_type {
        return false;
    }
    let same_access = |source: &Attributes| {
        let mode = (source.mode ^ stored.mode) & Attributes::MODE_MASK;
        mode == 0 && (source.uid, source.gid) == ids(stored)
    };
    match source.file_type {
        FileType::Symlink { .. } => true,
        FileType::CharDevice { .. } | FileType::BlockDevice { .. } => same_access(source),
        FileType::Regular | FileType::Directory | FileType::Fifo => {
            source.mtime.max(0) == stored.mtime.max(0) && same_access(source)
        }
    }
}
