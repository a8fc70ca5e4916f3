//! Packet headers of both formats.

use std::io::{self, BufRead, Write};

use crate::error::{Error, Result};

/// How long a packet body is, as far as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// All of it.
    Full(u32),
    /// The first chunk; more headers follow inside the body.
    Partial(u32),
    /// To the end of the surrounding data (old format only).
    Indeterminate,
}

/// A packet's type and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) tag: u8,
    pub(crate) length: Length,
}

impl Header {
    /// Reads a header; `None` when the data end before its first octet.
    pub(crate) fn read(src: &mut (impl BufRead + ?Sized)) -> Result<Option<Self>> {
        let Some(first) = next(src)? else {
            return Ok(None);
        };
        if first & 0x80 == 0 {
            return Err(Error::damaged("not a packet header"));
        }
        let header = if first & 0x40 == 0 {
            let length = match first & 3 {
                0 => Length::Full(big_endian(src, 1)?),
                1 => Length::Full(big_endian(src, 2)?),
                2 => Length::Full(big_endian(src, 4)?),
                _ => Length::Indeterminate,
            };
            Self {
                tag: (first >> 2) & 15,
                length,
            }
        } else {
            Self {
                tag: first & 63,
                length: Self::read_new_length(src)?,
            }
        };
        if header.tag == 0 {
            return Err(Error::damaged("packet type 0"));
        }
        Ok(Some(header))
    }

    /// Reads a length in the new format: after the type octet, or between the chunks of a body.
    pub(crate) fn read_new_length(src: &mut (impl BufRead + ?Sized)) -> Result<Length> {
        Ok(match big_endian(src, 1)? {
            short @ 0..=191 => Length::Full(short),
            two @ 192..=223 => Length::Full(((two - 192) << 8) + big_endian(src, 1)? + 192),
            partial @ 224..=254 => Length::Partial(1 << (partial & 31)),
            _ => Length::Full(big_endian(src, 4)?),
        })
    }
}

/// Writes a new-format header for a body of known length.
pub(crate) fn write_header(out: &mut (impl Write + ?Sized), tag: u8, len: u32) -> io::Result<()> {
    out.write_all(&[0xC0 | tag])?;
    write_new_length(out, len)
}

/// Writes a final (not partial) new-format length.
pub(crate) fn write_new_length(out: &mut (impl Write + ?Sized), len: u32) -> io::Result<()> {
    let [_, _, high, low] = len.to_be_bytes();
    match len {
        0..=191 => out.write_all(&[low]),
        192..=8383 => {
            let [_, _, high, low] = (len - 192).to_be_bytes();
            out.write_all(&[high + 192, low])
        }
        8384.. => {
            let [top, upper, ..] = len.to_be_bytes();
            out.write_all(&[0xFF, top, upper, high, low])
        }
    }
}

fn next(src: &mut (impl BufRead + ?Sized)) -> Result<Option<u8>> {
    let mut octet = [0];
    loop {
        match src.read(&mut octet) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(octet[0])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn big_endian(src: &mut (impl BufRead + ?Sized), octets: u8) -> Result<u32> {
    let mut value = 0;
    for _ in 0..octets {
        let octet = next(src)?.ok_or(Error::truncated("packet header"))?;
        value = value << 8 | u32::from(octet);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], tag: u8, length: Length) {
        let header = Header::read(&mut &octets[..]).unwrap();
        assert_eq!(header, Some(Header { tag, length }), "{octets:02x?}");
    }

    #[test]
    fn old_and_new_headers_are_read() {
        check(&[0xA3], 8, Length::Indeterminate);
        check(&[0x8C, 13], 3, Length::Full(13));
        check(&[0x85, 1, 12], 1, Length::Full(268));
        check(&[0xA6, 0, 1, 0, 0], 9, Length::Full(65536));
        check(&[0xD2, 0xED], 18, Length::Partial(8192));
        check(&[0xCB, 191], 11, Length::Full(191));
        check(&[0xCB, 192, 0], 11, Length::Full(192));
        check(&[0xCB, 223, 255], 11, Length::Full(8383));
        check(&[0xCB, 255, 0, 0, 32, 192], 11, Length::Full(8384));
    }

    #[test]
    fn nothing_is_not_an_error_and_half_a_header_is() {
        assert_eq!(Header::read(&mut &[][..]).unwrap(), None);
        assert!(matches!(
            Header::read(&mut &[0x85, 1][..]),
            Err(Error::Truncated { .. })
        ));
        assert!(matches!(
            Header::read(&mut &b"tar"[..]),
            Err(Error::Damaged { .. })
        ));
        assert!(matches!(
            Header::read(&mut &[0xC0, 1][..]),
            Err(Error::Damaged { .. })
        ));
    }

    #[test]
    fn every_written_length_reads_back() {
        for len in [0, 1, 191, 192, 193, 8383, 8384, 65535, 65536, u32::MAX] {
            let mut octets = Vec::new();
            write_header(&mut octets, 18, len).unwrap();
            check(&octets, 18, Length::Full(len));
        }
    }
}
