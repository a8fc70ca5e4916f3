//! ASCII armor: base64 lines between `-----BEGIN PGP MESSAGE-----` and `-----END …-----`.

use std::io::{self, BufRead, Read};

use crate::error::{Error, Result};

/// The longest line; gpg writes 64 characters.
const MAX_LINE: u64 = 1 << 12;

/// Lines of headers and blanks before the data.
const MAX_HEADERS: u32 = 100;

/// How armor begins.
const BEGIN: &[u8] = b"-----BEGIN PGP ";

/// Whether data that start like this are armored. No packet starts with a dash or a blank.
pub(crate) fn is_armored(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    let len = text.len().min(BEGIN.len());
    len > 0 && text[..len] == BEGIN[..len]
}

/// The data inside armor. Its checksum is not looked at: messages have better ones.
pub(crate) struct Dearmor<S> {
    src: S,
    data: Vec<u8>,
    pos: usize,
    /// Bits of a group of four characters that is not complete, and how many characters that were.
    group: (u32, u32),
    done: bool,
}

impl<S: BufRead> Dearmor<S> {
    /// Reads up to the data.
    pub(crate) fn new(src: S) -> Result<Self> {
        let mut armor = Self {
            src,
            data: Vec::new(),
            pos: 0,
            group: (0, 0),
            done: false,
        };
        let mut begun = false;
        for _ in 0..MAX_HEADERS {
            let line = armor.line()?;
            if begun && line.is_empty() {
                return Ok(armor);
            }
            begun |= line.starts_with(BEGIN);
        }
        Err(Error::damaged("armor without data"))
    }

    /// The next line without blanks at its end; the end of the input is an error.
    fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.src
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(Error::truncated("armor"));
        }
        if line.len() as u64 == MAX_LINE {
            return Err(Error::Limit {
                what: "length of a line of armor",
            });
        }
        Ok(line.trim_ascii_end().to_vec())
    }

    fn refill(&mut self) -> Result<()> {
        self.data.clear();
        self.pos = 0;
        let line = self.line()?;
        // "=" starts the checksum, a dash the end.
        if line.starts_with(b"=") || line.starts_with(b"-") {
            self.done = true;
            return Ok(());
        }
        for c in line {
            let value = match c {
                b'A'..=b'Z' => c - b'A',
                b'a'..=b'z' => c - b'a' + 26,
                b'0'..=b'9' => c - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => break,
                _ => return Err(Error::damaged("armor")),
            };
            let (bits, count) = self.group;
            self.group = (bits << 6 | u32::from(value), count + 1);
            if count % 4 != 0 {
                // Of the bits so far, those of one more octet are complete.
                let [.., octet] = (self.group.0 >> (6 - 2 * (count % 4))).to_be_bytes();
                self.data.push(octet);
            }
            self.group.1 %= 4;
        }
        Ok(())
    }
}

impl<S: BufRead> Read for Dearmor<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.pos == self.data.len() {
            if self.done {
                return Ok(0);
            }
            self.refill()?;
        }
        let len = buf.len().min(self.data.len() - self.pos);
        buf[..len].copy_from_slice(&self.data[self.pos..self.pos + len]);
        self.pos += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dearmor(text: &str) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        Dearmor::new(text.as_bytes())?.read_to_end(&mut data)?;
        Ok(data)
    }

    #[test]
    fn groups_may_cross_lines_and_headers_are_skipped() {
        let text = "\n-----BEGIN PGP MESSAGE-----\r\nVersion: 1\r\n\r\nYWJ\r\njZGVm\r\nZw==\r\n=abcd\r\n-----END PGP MESSAGE-----\r\n";
        assert_eq!(dearmor(text).unwrap(), b"abcdefg");
    }

    #[test]
    fn armor_without_its_end_is_truncated() {
        assert!(dearmor("-----BEGIN PGP MESSAGE-----\n\nYWJj\n").is_err());
        assert!(dearmor("-----BEGIN PGP MESSAGE-----\n\nYW*j\n-----END\n").is_err());
        assert!(dearmor("-----BEGIN PGP MESSAGE-----\n").is_err());
        assert!(dearmor("nothing").is_err());
    }

    #[test]
    fn packets_are_not_taken_for_armor() {
        assert!(is_armored(b"-----BEGIN PGP MESSAGE-----"));
        assert!(is_armored(b"\n-----BEGIN PGP MESSAGE-----"));
        assert!(!is_armored(&[0x8C, 13, 4, 9]));
        assert!(!is_armored(b"tar data, not OpenPGP"));
        assert!(!is_armored(b""));
    }
}
