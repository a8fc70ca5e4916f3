//! Hashes of the encoded bytes: what the manifest records of each volume.

use std::fmt;
use std::io::{self, Read, Write};

use sha1::{Digest as _, Sha1};

/// Hash and length of an encoded volume, as stored remotely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The manifest's hash. It finds damage; protection from attackers is OpenPGP's job.
    pub sha1: [u8; 20],
    /// What stores that keep a checksum can be asked for.
    pub crc32: u32,
    /// Octets.
    pub len: u64,
}

impl fmt::Display for Digest {
    /// The hash as in a manifest: lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha1
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[derive(Clone, Default)]
struct Hasher {
    sha1: Sha1,
    crc32: crc32fast::Hasher,
    len: u64,
}

impl Hasher {
    fn update(&mut self, data: &[u8]) {
        self.sha1.update(data);
        self.crc32.update(data);
        self.len += data.len() as u64;
    }

    fn digest(self) -> Digest {
        Digest {
            sha1: self.sha1.finalize().into(),
            crc32: self.crc32.finalize(),
            len: self.len,
        }
    }
}

/// Hashes what is written through it.
pub struct HashingWriter<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> HashingWriter<W> {
    /// Starts with nothing hashed; what `inner` was given before does not count.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
        }
    }

    /// Octets written so far.
    pub fn len(&self) -> u64 {
        self.hasher.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest of all that was written, and the sink.
    pub fn finish(self) -> (Digest, W) {
        (self.hasher.digest(), self.inner)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(buf)?;
        self.hasher.update(&buf[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hashes what is read through it, to be compared with the manifest.
///
/// Put it around the downloaded bytes, hand `&mut` to a [`VolumeReader`](crate::VolumeReader), and call
/// [`finish`](Self::finish) when that is done.
pub struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    /// Starts with nothing hashed.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
        }
    }

    /// Reads what is left (a decoder may stop before the end of the data) and returns the digest of everything.
    pub fn finish(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.digest())
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buf)?;
        self.hasher.update(&buf[..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_and_writer_agree_with_a_known_hash() {
        let mut writer = HashingWriter::new(Vec::new());
        writer.write_all(b"abc").unwrap();
        let (digest, data) = writer.finish();
        assert_eq!(
            digest.to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!((digest.crc32, digest.len), (0x3524_41c2, 3));
        let mut reader = HashingReader::new(&data[..]);
        reader.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(reader.finish().unwrap(), digest);
    }
}
