//! Bodies of unknown length: written as a run of chunks.

use std::io::{self, Write};

use super::header::write_new_length;

/// Chunks are 2^16 octets: far above the 512 that the first one must have, small enough to hold.
const CHUNK_BITS: u8 = 16;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Collects a packet body and writes it as partial chunks, the last one with its exact length.
///
/// Which chunks are written depends on the body alone, not on how the writes were cut. The sink is handed to each
/// call.
#[derive(Debug)]
pub(crate) struct PartialWriter {
    chunk: Vec<u8>,
}

impl PartialWriter {
    /// Writes the packet's type octet and starts its body.
    pub(crate) fn start(tag: u8, out: &mut (impl Write + ?Sized)) -> io::Result<Self> {
        out.write_all(&[0xC0 | tag])?;
        Ok(Self {
            chunk: Vec::with_capacity(CHUNK),
        })
    }

    pub(crate) fn write(
        &mut self,
        mut data: &[u8],
        out: &mut (impl Write + ?Sized),
    ) -> io::Result<()> {
        while !data.is_empty() {
            if self.chunk.len() == CHUNK {
                out.write_all(&[0xE0 | CHUNK_BITS])?;
                out.write_all(&self.chunk)?;
                self.chunk.clear();
            }
            let (now, later) = data.split_at(data.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            data = later;
        }
        Ok(())
    }

    pub(crate) fn finish(self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let len = u32::try_from(self.chunk.len()).map_err(io::Error::other)?;
        write_new_length(out, len)?;
        out.write_all(&self.chunk)
    }

    /// Octets taken but not yet written.
    pub(crate) fn buffered(&self) -> usize {
        self.chunk.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Header};
    use super::*;

    #[test]
    fn bodies_of_all_sizes_read_back_however_they_were_written() {
        for len in [0, 1, 191, 192, 8384, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let body: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut whole = Vec::new();
            let mut writer = PartialWriter::start(18, &mut whole).unwrap();
            writer.write(&body, &mut whole).unwrap();
            writer.finish(&mut whole).unwrap();
            let mut pieces = Vec::new();
            let mut writer = PartialWriter::start(18, &mut pieces).unwrap();
            for piece in body.chunks(1000) {
                writer.write(piece, &mut pieces).unwrap();
            }
            writer.finish(&mut pieces).unwrap();
            assert_eq!(whole, pieces);

            let src = &mut &whole[..];
            let header = Header::read(src).unwrap().unwrap();
            assert_eq!(header.tag, 18);
            assert_eq!(
                Body::new(header.length).collect(src, usize::MAX).unwrap(),
                body
            );
            assert!(src.is_empty());
        }
    }
}
