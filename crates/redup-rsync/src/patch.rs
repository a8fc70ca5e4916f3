//! Applying a delta to its basis.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use crate::{Command, CommandReader, Error, Result};

/// A basis: something of known length that can be read at any place.
pub trait ReadAt {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads at least one byte at `offset`, if there is one, into `bytes`; returns how many.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;

    /// Whether there is no byte at all.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl ReadAt for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, bytes, offset)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let count = <[u8]>::len(from).min(bytes.len());
        bytes[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, bytes)
    }
}

/// What a delta may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchLimits {
    /// The longest file to write.
    ///
    /// A few bytes of delta can name any number of bytes of the basis any number of times, so who
    /// takes deltas from outside should know how much room there is. Unlimited by default.
    pub output_len: u64,
}

impl Default for PatchLimits {
    fn default() -> Self {
        Self {
            output_len: u64::MAX,
        }
    }
}

/// The bytes moved at a time.
const BUFFER: usize = 128 * 1024;

/// Writes the file that `delta` makes of `basis` to `out`, and returns its length.
///
/// Memory is bounded whatever the delta says; every length is checked against the basis and the
/// limits before a byte is moved. After an error `out` has an incomplete file.
pub fn patch(
    delta: impl Read,
    basis: &(impl ReadAt + ?Sized),
    mut out: impl Write,
    limits: &PatchLimits,
) -> Result<u64> {
    let basis_len = basis
        .len()
        .map_err(|source| Error::ReadBasis { offset: 0, source })?;
    let mut commands = CommandReader::new(BufReader::with_capacity(BUFFER, delta))?;
    let mut buffer = vec![0; BUFFER];
    let mut written = 0;
    loop {
        let at = commands.position();
        let command = commands.next_command()?;
        let len = match command {
            Command::End => break,
            Command::Literal { len } | Command::Copy { len, .. } => len,
        };
        if len > limits.output_len - written {
            return Err(Error::OutputTooLong {
                at,
                limit: limits.output_len,
            });
        }
        if let Command::Copy { offset, len } = command
            && offset.checked_add(len).is_none_or(|end| end > basis_len)
        {
            return Err(Error::CopyOutOfBounds {
                at,
                offset,
                len,
                basis_len,
            });
        }
        let mut done = 0;
        while done < len {
            let room = usize::try_from(len - done).map_or(BUFFER, |left| left.min(BUFFER));
            let count = match command {
                Command::Copy { offset, .. } => {
                    read_basis(basis, offset + done, &mut buffer[..room])?
                }
                _ => commands.literal(&mut buffer[..room]).map(|()| room)?,
            };
            out.write_all(&buffer[..count])
                .map_err(|source| Error::WriteOutput {
                    offset: written,
                    source,
                })?;
            done += count as u64;
            written += count as u64;
        }
    }
    Ok(written)
}

/// Reads something, or fails: that the bytes are there has been checked.
fn read_basis(basis: &(impl ReadAt + ?Sized), offset: u64, bytes: &mut [u8]) -> Result<usize> {
    loop {
        match basis.read_at(offset, bytes) {
            Ok(0) => {
                return Err(Error::ReadBasis {
                    offset,
                    source: io::ErrorKind::UnexpectedEof.into(),
                });
            }
            Ok(count) => return Ok(count.min(bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::ReadBasis { offset, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DELTA_MAGIC;

    const BASIS: &[u8] = b"0123456789";

    fn apply(commands: &[u8], limits: &PatchLimits) -> Result<Vec<u8>> {
        let delta = [&DELTA_MAGIC.to_be_bytes(), commands].concat();
        let mut out = Vec::new();
        let len = patch(delta.as_slice(), BASIS, &mut out, limits)?;
        assert_eq!(len, out.len() as u64);
        Ok(out)
    }

    fn apply_unlimited(commands: &[u8]) -> Result<Vec<u8>> {
        apply(commands, &PatchLimits::default())
    }

    #[test]
    fn literals_and_copies_are_put_in_order() {
        let delta = [0x02, b'a', b'b', 0x45, 8, 2, 0x45, 0, 3, 0x41, 1, b'z', 0];
        assert_eq!(apply_unlimited(&delta).unwrap(), b"ab89012z");
    }

    #[test]
    fn arguments_may_be_wider_than_they_need() {
        let delta = [
            &[0x54][..],
            &[0, 0, 0, 0, 0, 0, 0, 4],
            &[0, 0, 0, 0, 0, 0, 0, 2],
            &[0x44, 0, 0, 0, 0, 0, 0, 0, 1, b'!'],
            &[0],
        ];
        assert_eq!(apply_unlimited(&delta.concat()).unwrap(), b"45!");
    }

    #[test]
    fn commands_without_bytes_do_nothing() {
        assert_eq!(apply_unlimited(&[0x41, 0, 0x45, 10, 0, 0]).unwrap(), b"");
    }

    #[test]
    fn copies_end_with_the_basis() {
        assert_eq!(apply_unlimited(&[0x45, 0, 10, 0]).unwrap(), BASIS);
        let error = apply_unlimited(&[0x01, b'a', 0x45, 9, 2, 0]).unwrap_err();
        assert!(matches!(
            error,
            Error::CopyOutOfBounds {
                at: 6,
                offset: 9,
                len: 2,
                basis_len: 10
            }
        ));
        let far = [&[0x54][..], &[0xff; 16], &[0]].concat();
        assert!(matches!(
            apply_unlimited(&far),
            Err(Error::CopyOutOfBounds { .. })
        ));
    }

    #[test]
    fn the_output_is_limited_before_it_is_written() {
        let limits = PatchLimits { output_len: 12 };
        assert_eq!(
            apply(&[0x45, 0, 10, 0x45, 0, 2, 0], &limits).unwrap().len(),
            12
        );
        let error = apply(&[0x45, 0, 10, 0x45, 0, 3, 0], &limits).unwrap_err();
        assert!(matches!(error, Error::OutputTooLong { at: 7, limit: 12 }));
        let endless_literal = [&[0x44][..], &[0xff; 8]].concat();
        assert!(matches!(
            apply(&endless_literal, &limits),
            Err(Error::OutputTooLong { at: 4, .. })
        ));
    }

    #[test]
    fn damaged_deltas_are_told_apart() {
        assert!(matches!(
            patch(&b"rs"[..], BASIS, &mut Vec::new(), &PatchLimits::default()),
            Err(Error::DeltaTruncated { at: 2 })
        ));
        assert!(matches!(
            patch(
                &b"notadelta"[..],
                BASIS,
                &mut Vec::new(),
                &PatchLimits::default()
            ),
            Err(Error::DeltaMagic(0x6e6f_7461))
        ));
        assert!(matches!(
            apply_unlimited(&[]),
            Err(Error::DeltaTruncated { at: 4 })
        ));
        assert!(matches!(
            apply_unlimited(&[3, b'a', b'b']),
            Err(Error::DeltaTruncated { at: 7 })
        ));
        assert!(matches!(
            apply_unlimited(&[0x55]),
            Err(Error::UnknownCommand {
                opcode: 0x55,
                at: 4
            })
        ));
        assert!(matches!(
            apply_unlimited(&[0, 0]),
            Err(Error::DeltaTrailing { at: 5 })
        ));
    }

    #[test]
    fn a_basis_that_became_shorter_is_an_error() {
        struct Shrunk;
        impl ReadAt for Shrunk {
            fn len(&self) -> io::Result<u64> {
                Ok(100)
            }
            fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
                Ok(0)
            }
        }
        let delta = [&DELTA_MAGIC.to_be_bytes()[..], &[0x45, 0, 50, 0]].concat();
        let error = patch(
            delta.as_slice(),
            &Shrunk,
            &mut Vec::new(),
            &PatchLimits::default(),
        );
        assert!(matches!(error, Err(Error::ReadBasis { offset: 0, .. })));
    }
}
