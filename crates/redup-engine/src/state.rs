//! What signatures tell of a path, and how two states of it differ.

use std::io::Read;
use std::ops::RangeInclusive;

use redup_difftar::sigtar::{SigHead, SigKind, SigtarReader};
use redup_format::entry::{Attributes, FileType};
use redup_rsync::SignatureShape;
use sha1::{Digest, Sha1};

use crate::Result;
use crate::archive::signature_error;

/// A path at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathState {
    /// Its type and attributes.
    pub attributes: Attributes,
    /// The length of a regular file, known up to a block of its signature; `None` for anything else, and where the
    /// signature is not understood.
    pub size: Option<RangeInclusive<u64>>,
}

/// What differs between two states of a path, in so far as a backup heeds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aspect {
    /// The type; then nothing else is compared.
    Type,
    /// The content of a regular file.
    Content,
    /// The same, perhaps: the signatures were made with different block lengths, and the mtimes differ.
    ContentUnknown,
    /// Where a link points to; of links nothing else is compared.
    LinkTarget,
    /// The numbers of a device.
    Device,
    /// The permissions.
    Mode,
    /// The owner or the group. The same number or the same name is the same one.
    Owner,
    /// The mtime; not of devices.
    Mtime,
}

/// A state together with what tells contents apart.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) state: PathState,
    print: Option<Print>,
}

/// Stands for the content of a file.
#[derive(Debug, PartialEq, Eq)]
struct Print {
    shape: Option<SignatureShape>,
    /// Of the whole signature: its blocks' sums, and so, but for chance, the content.
    sha1: [u8; 20],
}

impl PathState {
    /// The state at the entry where `reader` stands; `None` for a path that was deleted.
    pub(crate) fn read<R: Read>(reader: &mut SigtarReader<R>) -> Result<Option<Self>> {
        let Some(head) = existing(reader) else {
            return Ok(None);
        };
        let mut start = [0; SignatureShape::LEN];
        let count = fill(reader, &mut start)?;
        Ok(Some(Self::new(head, shape(&start[..count]))))
    }

    fn new(head: SigHead, shape: Option<SignatureShape>) -> Self {
        let size = match head.kind {
            SigKind::File { signature_len } => {
                shape.and_then(|shape| shape.file_len(signature_len))
            }
            SigKind::Other | SigKind::Deleted => None,
        };
        Self {
            attributes: head.attributes,
            size,
        }
    }
}

impl Version {
    /// As [`PathState::read`], with the whole signature looked at.
    pub(crate) fn read<R: Read>(reader: &mut SigtarReader<R>) -> Result<Option<Self>> {
        let Some(head) = existing(reader) else {
            return Ok(None);
        };
        let mut buffer = [0; 1 << 13];
        let first = fill(reader, &mut buffer)?;
        let shape = shape(&buffer[..first.min(SignatureShape::LEN)]);
        let mut sha1 = Sha1::new_with_prefix(&buffer[..first]);
        loop {
            match fill(reader, &mut buffer)? {
                0 => break,
                count => sha1.update(&buffer[..count]),
            }
        }
        let print = matches!(head.kind, SigKind::File { .. }).then(|| Print {
            shape,
            sha1: sha1.finalize().into(),
        });
        Ok(Some(Self {
            state: PathState::new(head, shape),
            print,
        }))
    }

    /// What is no longer the same in `newer`; nothing when a backup would take it for unchanged and the signatures
    /// agree.
    pub(crate) fn differences(&self, newer: &Self) -> Vec<Aspect> {
        use FileType::{BlockDevice, CharDevice, Symlink};
        let (old, new) = (&self.state.attributes, &newer.state.attributes);
        if std::mem::discriminant(&old.file_type) != std::mem::discriminant(&new.file_type) {
            return vec![Aspect::Type];
        }
        if let (Symlink { target: old }, Symlink { target: new }) = (&old.file_type, &new.file_type)
        {
            let differ = without_slash(old) != without_slash(new);
            return if differ {
                vec![Aspect::LinkTarget]
            } else {
                Vec::new()
            };
        }
        let mut found = Vec::new();
        let mtime = old.mtime.max(0) != new.mtime.max(0);
        found.extend(self.content(newer, mtime));
        let device = matches!(old.file_type, CharDevice { .. } | BlockDevice { .. });
        if old.file_type != new.file_type {
            found.push(Aspect::Device);
        }
        if (old.mode ^ new.mode) & Attributes::MODE_MASK != 0 {
            found.push(Aspect::Mode);
        }
        let same = |name: (&[u8], &[u8]), number: (u64, u64)| {
            number.0 == number.1 || !name.0.is_empty() && name.0 == name.1
        };
        if !same((&old.uname, &new.uname), (old.uid, new.uid))
            || !same((&old.gname, &new.gname), (old.gid, new.gid))
        {
            found.push(Aspect::Owner);
        }
        if mtime && !device {
            found.push(Aspect::Mtime);
        }
        found
    }

    fn content(&self, newer: &Self, mtime_differs: bool) -> Option<Aspect> {
        let (Some(old), Some(new)) = (&self.print, &newer.print) else {
            return None;
        };
        if old == new {
            return None;
        }
        let apart = |old: &RangeInclusive<u64>, new: &RangeInclusive<u64>| {
            old.end() < new.start() || new.end() < old.start()
        };
        let sizes = self.state.size.as_ref().zip(newer.state.size.as_ref());
        if old.shape == new.shape || sizes.is_some_and(|(old, new)| apart(old, new)) {
            return Some(Aspect::Content);
        }
        // A backup would not look at the content while the mtime is the same.
        mtime_differs.then_some(Aspect::ContentUnknown)
    }
}

/// The entry where `reader` stands, unless it says that the path is gone.
fn existing<R: Read>(reader: &SigtarReader<R>) -> Option<SigHead> {
    let head = reader.head()?;
    (head.kind != SigKind::Deleted).then(|| head.clone())
}

/// Reads on in a signature, as far as `buffer` and it go.
fn fill<R: Read>(reader: &mut SigtarReader<R>, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = reader.read_signature_part(&mut buffer[filled..]);
        match read.map_err(signature_error)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn shape(start: &[u8]) -> Option<SignatureShape> {
    SignatureShape::parse(start.try_into().ok()?).ok()
}

fn without_slash(target: &[u8]) -> &[u8] {
    target.strip_suffix(b"/").unwrap_or(target)
}
