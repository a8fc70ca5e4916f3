//! The commands of a delta.

use std::io::{self, Read};

use crate::{Error, Result};

/// The four bytes that a delta starts with.
pub(crate) const DELTA_MAGIC: u32 = 0x7273_0236;

const OP_END: u8 = 0x00;
/// Up to this opcode the opcode itself is the length of a literal.
const OP_LITERAL_INLINE_MAX: u8 = 0x40;
/// The first of four, by the width of the length.
const OP_LITERAL_N1: u8 = 0x41;
/// The first of sixteen, by the width of the offset and then of the length.
const OP_COPY_N1_N1: u8 = 0x45;
const OP_COPY_N8_N8: u8 = 0x54;

/// One command of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// So many bytes of the new file follow the command.
    Literal {
        /// Their number.
        len: u64,
    },
    /// A range of the basis comes next.
    Copy {
        /// Its first byte.
        offset: u64,
        /// Its length.
        len: u64,
    },
    /// The new file is complete.
    End,
}

impl Command {
    /// Appends the shortest encoding.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::End => out.push(OP_END),
            Self::Literal { len } if (1..=u64::from(OP_LITERAL_INLINE_MAX)).contains(&len) => {
                out.push(len as u8);
            }
            Self::Literal { len } => {
                let width = Width::of(len);
                out.push(OP_LITERAL_N1 + width.0);
                width.put(len, out);
            }
            Self::Copy { offset, len } => {
                let (offset_width, len_width) = (Width::of(offset), Width::of(len));
                out.push(OP_COPY_N1_N1 + 4 * offset_width.0 + len_width.0);
                offset_width.put(offset, out);
                len_width.put(len, out);
            }
        }
    }
}

/// The width of an argument as the power of two of its bytes.
#[derive(Clone, Copy)]
struct Width(u8);

impl Width {
    fn of(value: u64) -> Self {
        Self(match value {
            0..=0xff => 0,
            0x100..=0xffff => 1,
            0x1_0000..=0xffff_ffff => 2,
            _ => 3,
        })
    }

    fn bytes(self) -> usize {
        1 << self.0
    }

    fn put(self, value: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_be_bytes()[8 - self.bytes()..]);
    }
}

/// Reads the commands of a delta from a stream, one by one, and the bytes of its literals.
///
/// Reads what it needs and no further: give it a buffered reader.
#[derive(Debug)]
pub struct CommandReader<R> {
    delta: R,
    at: u64,
}

impl<R: Read> CommandReader<R> {
    /// Reads the magic number.
    pub fn new(delta: R) -> Result<Self> {
        let mut reader = Self { delta, at: 0 };
        match reader.number::<4>()? {
            magic if magic == u64::from(DELTA_MAGIC) => Ok(reader),
            magic => Err(Error::DeltaMagic(magic as u32)),
        }
    }

    /// How many bytes of the delta have been read.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next command. After a literal its bytes must be taken with [`Self::literal`] first.
    ///
    /// [`Command::End`] is only returned when the stream ends there too.
    pub fn next_command(&mut self) -> Result<Command> {
        let at = self.at;
        let opcode = self.number::<1>()? as u8;
        match opcode {
            OP_END => match self.read(&mut [0])? {
                0 => Ok(Command::End),
                _ => Err(Error::DeltaTrailing { at: at + 1 }),
            },
            1..=OP_LITERAL_INLINE_MAX => Ok(Command::Literal {
                len: u64::from(opcode),
            }),
            OP_LITERAL_N1..OP_COPY_N1_N1 => Ok(Command::Literal {
                len: self.argument(opcode - OP_LITERAL_N1)?,
            }),
            OP_COPY_N1_N1..=OP_COPY_N8_N8 => {
                let widths = opcode - OP_COPY_N1_N1;
                let offset = self.argument(widths / 4)?;
                let len = self.argument(widths % 4)?;
                Ok(Command::Copy { offset, len })
            }
            _ => Err(Error::UnknownCommand { opcode, at }),
        }
    }

    /// Fills `bytes` with the next bytes of a literal.
    pub fn literal(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.read(bytes)? {
                0 => return Err(Error::DeltaTruncated { at: self.at }),
                count => bytes = &mut bytes[count..],
            }
        }
        Ok(())
    }

    fn argument(&mut self, width: u8) -> Result<u64> {
        match width {
            0 => self.number::<1>(),
            1 => self.number::<2>(),
            2 => self.number::<4>(),
            _ => self.number::<8>(),
        }
    }

    fn number<const WIDTH: usize>(&mut self) -> Result<u64> {
        let mut bytes = [0; WIDTH];
        self.literal(&mut bytes)?;
        Ok(bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        loop {
            match self.delta.read(bytes) {
                Ok(count) => {
                    self.at += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::ReadDelta {
                        at: self.at,
                        source,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(command: Command) -> Vec<u8> {
        let mut bytes = DELTA_MAGIC.to_be_bytes().to_vec();
        command.encode(&mut bytes);
        bytes
    }

    #[test]
    fn encodes_as_in_the_specification() {
        for (command, bytes) in [
            (Command::End, &[0x00][..]),
            (Command::Literal { len: 1 }, &[0x01]),
            (Command::Literal { len: 64 }, &[0x40]),
            (Command::Literal { len: 65 }, &[0x41, 65]),
            (Command::Literal { len: 499 }, &[0x42, 0x01, 0xf3]),
            (Command::Copy { offset: 0, len: 9 }, &[0x45, 0, 9]),
            (
                Command::Copy {
                    offset: 0,
                    len: 512,
                },
                &[0x46, 0, 2, 0],
            ),
            (
                Command::Copy {
                    offset: 0,
                    len: 0x16_e000,
                },
                &[0x47, 0, 0, 0x16, 0xe0, 0],
            ),
            (
                Command::Copy {
                    offset: 1 << 40,
                    len: 1,
                },
                &[0x51, 0, 0, 1, 0, 0, 0, 0, 0, 1],
            ),
        ] {
            assert_eq!(encoded(command)[4..], *bytes, "{command:?}");
        }
    }

    #[test]
    fn every_opcode_is_known_or_refused() {
        for opcode in 0..=0xff_u8 {
            let mut delta = DELTA_MAGIC.to_be_bytes().to_vec();
            delta.push(opcode);
            if opcode != 0 {
                delta.extend([1; 16]);
            }
            let command = CommandReader::new(delta.as_slice()).unwrap().next_command();
            match opcode {
                0 => assert_eq!(command.unwrap(), Command::End),
                1..=0x44 => assert!(
                    matches!(command, Ok(Command::Literal { .. })),
                    "{opcode:#x}"
                ),
                0x45..=0x54 => assert!(matches!(command, Ok(Command::Copy { .. })), "{opcode:#x}"),
                _ => assert!(
                    matches!(command, Err(Error::UnknownCommand { at: 4, .. })),
                    "{opcode:#x}"
                ),
            }
        }
    }

    #[test]
    fn a_delta_cut_anywhere_in_a_command_is_reported_there() {
        let whole = encoded(Command::Copy {
            offset: 1 << 40,
            len: 1 << 20,
        });
        for len in 0..whole.len() {
            let cut =
                CommandReader::new(&whole[..len]).and_then(|mut reader| reader.next_command());
            assert!(matches!(cut, Err(Error::DeltaTruncated { at }) if at == len as u64));
        }
    }

    proptest! {
        #[test]
        fn commands_survive_encoding(offset_bits in 0u32..64, len_bits in 0u32..64, noise in any::<u64>()) {
            let (offset, len) = (noise >> offset_bits, (noise.rotate_left(17) >> len_bits).max(1));
            for command in [Command::Literal { len }, Command::Copy { offset, len }] {
                let delta = encoded(command);
                let mut reader = CommandReader::new(delta.as_slice()).unwrap();
                prop_assert_eq!(reader.next_command().unwrap(), command);
                prop_assert_eq!(reader.position(), delta.len() as u64);
            }
        }
    }
}
