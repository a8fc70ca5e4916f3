//! A version of a file that is only needed to make the next one, or to compare.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use redup_rsync::ReadAt;

use crate::restore::Rebuilt;

/// Versions up to this stay in memory; two exist at a time.
const IN_MEMORY: usize = 8 << 20;

/// Bytes that spill into an unlinked temporary file when they become many.
#[derive(Debug)]
pub(crate) struct Scratch {
    tempdir: PathBuf,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(Vec<u8>),
    Spilled(File),
}

impl Scratch {
    pub(crate) fn new(tempdir: &Path) -> Self {
        Self {
            tempdir: tempdir.to_owned(),
            store: Store::Memory(Vec::new()),
        }
    }
}

/// The caller knows the file that is rebuilt; the folder is what has to be put right.
fn temporary_file(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder).map_err(|error| {
        let folder = folder.display();
        io::Error::new(
            error.kind(),
            format!("no temporary file in {folder}: {error}"),
        )
    })
}

impl Write for Scratch {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.store {
            Store::Memory(bytes) if bytes.len() + buf.len() <= IN_MEMORY => {
                bytes.extend_from_slice(buf);
                Ok(buf.len())
            }
            Store::Memory(bytes) => {
                let mut file = temporary_file(&self.tempdir)?;
                file.write_all(bytes)?;
                self.store = Store::Spilled(file);
                self.write(buf)
            }
            Store::Spilled(file) => file.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Scratch {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.store {
            Store::Memory(bytes) => bytes.read_at(offset, buffer),
            Store::Spilled(file) => file.read_at(offset, buffer),
        }
    }

    fn len(&self) -> io::Result<u64> {
        match &self.store {
            Store::Memory(bytes) => Ok(bytes.len() as u64),
            Store::Spilled(file) => Ok(file.metadata()?.len()),
        }
    }
}

impl Rebuilt for Scratch {
    type Basis = Self;

    fn writer(&mut self) -> &mut dyn Write {
        self
    }

    fn basis(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_spill_and_read_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::new(dir.path());
        let chunk: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
        for _ in 0..20 {
            scratch.write_all(&chunk).unwrap();
        }
        assert!(matches!(scratch.store, Store::Spilled(_)));
        assert_eq!(ReadAt::len(&scratch).unwrap(), 20 * chunk.len() as u64);
        let mut back = vec![0; 1000];
        assert_eq!(
            scratch
                .read_at(7 * chunk.len() as u64 + 11, &mut back)
                .unwrap(),
            1000
        );
        assert_eq!(back, chunk[11..1011]);
        assert!(
            std::fs::read_dir(dir.path()).unwrap().next().is_none(),
            "it has no name"
        );
    }
}
