use crate::Command;
use crate::command::DELTA_MAGIC;

/// The longest literal that is written, in bytes.
///
/// The length of a command stands before its bytes, so they are held back; above this length the
/// command costs less than a byte in twenty thousand.
pub const MAX_LITERAL: usize = 0xffff;

/// Merges and writes the commands of a delta.
#[derive(Debug, Default)]
pub(super) struct Output {
    started: bool,
    copy: Option<Copy>,
    /// Fewer than [`MAX_LITERAL`] bytes; empty while there is a copy.
    literal: Vec<u8>,
}

#[derive(Debug)]
struct Copy {
    offset: u64,
    len: u64,
}

impl Output {
    /// Bytes that the basis does not have.
    pub(super) fn literal(&mut self, mut bytes: &[u8], delta: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.end_copy(delta);
        while self.literal.len() + bytes.len() >= MAX_LITERAL {
            let (now, later) = bytes.split_at(MAX_LITERAL - self.literal.len());
            self.write_literal(now, delta);
            bytes = later;
        }
        self.literal.extend_from_slice(bytes);
    }

    /// A range that the basis has.
    pub(super) fn copy(&mut self, offset: u64, len: u64, delta: &mut Vec<u8>) {
        match &mut self.copy {
            Some(copy) if copy.offset + copy.len == offset => copy.len += len,
            _ => {
                self.end_copy(delta);
                self.end_literal(delta);
                self.copy = Some(Copy { offset, len });
            }
        }
    }

    /// Writes what was held back, and the end.
    pub(super) fn finish(&mut self, delta: &mut Vec<u8>) {
        self.end_copy(delta);
        self.end_literal(delta);
        self.write(Command::End, delta);
    }

    fn end_copy(&mut self, delta: &mut Vec<u8>) {
        if let Some(Copy { offset, len }) = self.copy.take() {
            self.write(Command::Copy { offset, len }, delta);
        }
    }

    fn end_literal(&mut self, delta: &mut Vec<u8>) {
        if !self.literal.is_empty() {
            self.write_literal(&[], delta);
        }
    }

    /// Writes the literal held back with `more` behind it as one command.
    fn write_literal(&mut self, more: &[u8], delta: &mut Vec<u8>) {
        let len = self.literal.len() + more.len();
        self.write(Command::Literal { len: len as u64 }, delta);
        delta.append(&mut self.literal);
        delta.extend_from_slice(more);
    }

    fn write(&mut self, command: Command, delta: &mut Vec<u8>) {
        if !self.started {
            delta.extend_from_slice(&DELTA_MAGIC.to_be_bytes());
            self.started = true;
        }
        command.encode(delta);
    }
}
