//! Packet bodies: the octets between a header and the next one, chunk headers taken out.

use std::io::{self, BufRead, Read};

use super::header::{Header, Length};
use crate::error::{Error, Result};

/// The position inside a packet body; the source is handed to each call, so that one source can be read packet
/// after packet without giving it away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Octets left in this chunk.
    left: u64,
    after: After,
}

/// What follows the current chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    End,
    AnotherChunk,
    /// The source's end is the body's.
    Indeterminate,
}

impl Body {
    pub(crate) fn new(length: Length) -> Self {
        match length {
            Length::Full(len) => Self {
                left: len.into(),
                after: After::End,
            },
            Length::Partial(len) => Self {
                left: len.into(),
                after: After::AnotherChunk,
            },
            Length::Indeterminate => Self {
                left: u64::MAX,
                after: After::Indeterminate,
            },
        }
    }

    /// The octets of the body that are at hand; empty at its end. Truncated input is an error.
    pub(crate) fn fill<'a>(&mut self, src: &'a mut (impl BufRead + ?Sized)) -> Result<&'a [u8]> {
        while self.left == 0 {
            if self.after != After::AnotherChunk {
                return Ok(&[]);
            }
            *self = Self::new(Header::read_new_length(src)?);
        }
        let data = src.fill_buf()?;
        if data.is_empty() && self.after != After::Indeterminate {
            return Err(Error::truncated("packet body"));
        }
        let len = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(data.len());
        Ok(&data[..len])
    }

    /// Marks octets that [`fill`](Self::fill) returned as read.
    pub(crate) fn consume(&mut self, src: &mut (impl BufRead + ?Sized), amount: usize) {
        src.consume(amount);
        if self.after != After::Indeterminate {
            self.left -= amount as u64;
        }
    }

    pub(crate) fn read(
        &mut self,
        src: &mut (impl BufRead + ?Sized),
        buf: &mut [u8],
    ) -> Result<usize> {
        let data = self.fill(src)?;
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        self.consume(src, len);
        Ok(len)
    }

    /// Reads exactly one array; a body that is too short is damaged.
    pub(crate) fn array<const N: usize>(
        &mut self,
        src: &mut (impl BufRead + ?Sized),
    ) -> Result<[u8; N]> {
        let mut array = [0; N];
        let mut filled = 0;
        while filled < N {
            match self.read(src, &mut array[filled..])? {
                0 => return Err(Error::damaged("a packet is too short")),
                len => filled += len,
            }
        }
        Ok(array)
    }

    /// Reads the whole of a small packet, refusing one above `limit`.
    pub(crate) fn collect(
        &mut self,
        src: &mut (impl BufRead + ?Sized),
        limit: usize,
    ) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let data = self.fill(src)?;
            let len = data.len();
            if len == 0 {
                return Ok(all);
            }
            if all.len() + len > limit {
                return Err(Error::Limit {
                    what: "size of a key or signature packet",
                });
            }
            all.extend_from_slice(data);
            self.consume(src, len);
        }
    }

    /// Reads to the end without keeping anything.
    pub(crate) fn skip(&mut self, src: &mut (impl BufRead + ?Sized)) -> Result<()> {
        loop {
            match self.fill(src)?.len() {
                0 => return Ok(()),
                len => self.consume(src, len),
            }
        }
    }
}

/// A body together with the source it owns.
#[derive(Debug)]
pub(crate) struct BodyReader<S> {
    src: S,
    body: Body,
}

impl<S: BufRead> BodyReader<S> {
    pub(crate) fn new(src: S, body: Body) -> Self {
        Self { src, body }
    }
}

impl<S: BufRead> Read for BodyReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.body.read(&mut self.src, buf)?)
    }
}

impl<S: BufRead> BufRead for BodyReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.body.fill(&mut self.src)?)
    }

    fn consume(&mut self, amount: usize) {
        self.body.consume(&mut self.src, amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(length: Length, mut src: &[u8]) -> (Result<Vec<u8>>, &[u8]) {
        let all = Body::new(length).collect(&mut src, 1000);
        (all, src)
    }

    #[test]
    fn chunks_are_joined_and_the_next_packet_is_left() {
        let (body, rest) = read(Length::Partial(4), b"abcd\xE1ef\x00next");
        assert_eq!(body.unwrap(), b"abcdef");
        assert_eq!(rest, b"next");
        let (body, rest) = read(Length::Full(2), b"abc");
        assert_eq!((body.unwrap().as_slice(), rest), (&b"ab"[..], &b"c"[..]));
        let (body, rest) = read(Length::Indeterminate, b"abc");
        assert_eq!((body.unwrap().as_slice(), rest), (&b"abc"[..], &b""[..]));
    }

    #[test]
    fn a_body_that_ends_early_is_truncated() {
        for (length, src) in [
            (Length::Full(4), &b"abc"[..]),
            (Length::Partial(2), b"ab"),
            (Length::Partial(4), b"abcd\x02e"),
        ] {
            assert!(
                matches!(read(length, src).0, Err(Error::Truncated { .. })),
                "{length:?}"
            );
        }
    }

    #[test]
    fn a_huge_small_packet_is_refused() {
        assert!(matches!(
            read(Length::Full(1001), &[0; 1001]).0,
            Err(Error::Limit { .. })
        ));
    }
}
