//! Sets that redup began: their checkpoint says what is stored, and vouches for signatures.

use std::io::Read;

use redup_difftar::sigtar::{SigEntry, SigState, SigtarReader};
use redup_format::manifest::ChangeKind;
use sha1::{Digest, Sha1};

use super::{Resumed, Resumer, SIGNATURE_LIMIT};
use crate::archive::signature_error;
use crate::backup::filelist::FileList;
use crate::backup::log::{Entry, SetLog};
use crate::checkpoint::{Checkpoint, StoredVolume};
use crate::{Error, Result};

impl Resumer<'_> {
    /// Volumes that redup's checkpoint has and the store still has as they were.
    pub(super) fn own_volumes(&self) -> Result<Vec<StoredVolume>> {
        let recorded = Checkpoint::read(self.archive.dir(), self.set.span)?;
        let stored = |v: &StoredVolume| {
            let object = self.archive.volume_object(self.set, v.info.number);
            object.is_some_and(|(_, len, _)| len == v.len)
        };
        Ok(recorded.into_iter().take_while(stored).collect())
    }

    pub(super) fn resume_own(&self, kept: &[StoredVolume]) -> Result<Option<Resumed>> {
        let Some(last) = kept.last() else {
            return Ok(None);
        };
        let Some(mut signatures) = self.vouched_signatures(last)? else {
            return Ok(None);
        };
        let position = &last.info.end;
        if let (Some(_), Some(pieces)) = (position.block, &last.pieces)
            && self.pieces_now(position, pieces.diff)?.as_ref() != Some(pieces)
        {
            return Ok(None);
        }
        let mut log = self.new_log()?;
        let mut files = FileList::open(self.archive.dir())?;
        while let Some(entry) = signatures
            .next_entry(SIGNATURE_LIMIT)
            .map_err(signature_error)?
        {
            if entry.index > position.index
                || (entry.index == position.index && position.block.is_some())
            {
                break;
            }
            let change = files.change_of(&entry.index)?;
            add(&mut log, &entry, change)?;
        }
        self.resumed(kept, last.pieces.clone(), log)
    }

    /// The signature archive up to what the checkpoint vouches for; nothing if it is another.
    fn vouched_signatures(
        &self,
        last: &StoredVolume,
    ) -> Result<Option<SigtarReader<Box<dyn Read>>>> {
        let local = &self.set.local;
        let Some(file) = local.signature_part.as_ref().or(local.signature.as_ref()) else {
            return Ok(None);
        };
        let (len, sha1) = last.signatures;
        let mut hash = Sha1::new();
        let mut prefix = self.archive.open_file(file)?.take(len);
        let mut buffer = vec![0; 1 << 16];
        let mut read = 0;
        loop {
            match prefix
                .read(&mut buffer)
                .map_err(|e| Error::io("read", &file.name, e))?
            {
                0 => break,
                count => {
                    hash.update(&buffer[..count]);
                    read += count as u64;
                }
            }
        }
        if read != len || <[u8; 20]>::from(hash.finalize()) != sha1 {
            return Ok(None);
        }
        let prefix: Box<dyn Read> = Box::new(self.archive.open_file(file)?.take(len));
        Ok(Some(SigtarReader::new(prefix)))
    }
}

fn add(log: &mut SetLog, entry: &SigEntry, change: Option<ChangeKind>) -> Result<()> {
    let what = match &entry.state {
        SigState::File { signature } => Entry::File(&entry.attributes, signature),
        SigState::Other => Entry::Other(&entry.attributes),
        SigState::Deleted => Entry::Deleted,
    };
    log.add(&entry.index, what, change)
}
