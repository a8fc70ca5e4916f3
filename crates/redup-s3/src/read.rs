//! Ranged downloads.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use redup_storage::{Error, ErrorKind, Op, Pieces, Result};
use tokio::time::Instant;

use crate::error::Failure;
use crate::gauge::{Running, Way};
use crate::storage::Bucket;

/// What is handed on at once: long enough that handing on costs nothing, and short enough that the bytes
/// are still in the processor's cache when they are used.
const PIECE: usize = 512 << 10;

/// What is handed on as it was received. The client reads into blocks of at most 408 KiB, each of which
/// stays in memory as long as any of its bytes: of shorter ones a piece is made, so that little more is held
/// than what is counted.
const FULL: usize = 384 << 10;

impl Bucket {
    /// The bytes of `range`, as they arrive.
    pub(crate) async fn read(
        self: &Arc<Self>,
        name: &str,
        range: Range<u64>,
    ) -> Result<Box<dyn Pieces>> {
        let running = self.gauge.begin(Way::Down);
        let begun = Instant::now();
        let len = range.end.saturating_sub(range.start);
        let (body, running) = match len {
            0 => (self.ask_for_nothing(name, range).await?, None),
            _ => (self.ask_for(name, &range).await?.body, Some(running)),
        };
        let answered = Instant::now();
        self.gauge.answered(answered - begun);
        Ok(Box::new(S3Pieces {
            bucket: Arc::clone(self),
            name: name.to_owned(),
            body,
            len,
            arrived: 0,
            received: Bytes::new(),
            left: len,
            deadline: self.options.part_timeout.map(|limit| answered + limit),
            running,
            failure: None,
        }))
    }

    /// The answer to a request for `range`.
    ///
    /// Checksums are not asked for. Amazon has none of a range; others tell that of the whole object, or of
    /// one that had the name before, and some refuse the question. Volumes are held against the manifest.
    async fn ask_for(&self, name: &str, range: &Range<u64>) -> Result<GetObjectOutput> {
        let settings = self
            .request_for(0)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let answer = self
            .client
            .get_object()
            .bucket(&self.place.bucket)
            .key(self.key(name))
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .customize()
            .config_override(settings)
            .send()
            .await
            .map_err(|error| Failure::of(&error).into_error(Op::Get, name, &self.place))?;
        self.check_answer(name, range, &answer)?;
        Ok(answer)
    }

    /// The protocol has no empty range, so the object is looked up instead.
    async fn ask_for_nothing(&self, name: &str, range: Range<u64>) -> Result<ByteStream> {
        let len = self.look_up(Op::Get, name).await?.len;
        match range.start == range.end && range.end <= len {
            true => Ok(ByteStream::default()),
            false => Err(self.not_there(name, &range, len)),
        }
    }

    /// Compares what the server is about to send with what was asked for.
    fn check_answer(&self, name: &str, range: &Range<u64>, answer: &GetObjectOutput) -> Result<()> {
        let announced = answer
            .content_length()
            .and_then(|len| u64::try_from(len).ok());
        match answer.content_range().map(parse_content_range) {
            Some(Some((_, total))) if range.end > total => Err(self.not_there(name, range, total)),
            Some(Some((sent, _))) if sent == *range => Ok(()),
            Some(_) => Err(self
                .error(ErrorKind::Corrupt, Op::Get, name)
                .with_detail("the server sends another range than asked for")),
            // A server may send the whole object in place of a range that is the whole object.
            None if range.start == 0 && announced == Some(range.end) => Ok(()),
            None if announced.is_some_and(|len| len < range.end) => {
                Err(self.not_there(name, range, announced.unwrap_or(0)))
            }
            None => Err(self
                .error(ErrorKind::Unsupported, Op::Get, name)
                .with_detail("the server ignores the range asked for")),
        }
    }

    fn not_there(&self, name: &str, range: &Range<u64>, len: u64) -> Error {
        let Range { start, end } = range;
        let detail = format!("bytes {start} to {end} were wanted, it has {len}");
        self.error(ErrorKind::Mismatch, Op::Get, name)
            .with_detail(detail)
    }
}

/// The body of an answer.
#[derive(Debug)]
struct S3Pieces {
    bucket: Arc<Bucket>,
    name: String,
    body: ByteStream,
    len: u64,
    arrived: u64,
    /// What has arrived and is in no piece yet.
    received: Bytes,
    /// Bytes that have not been handed on.
    left: u64,
    deadline: Option<Instant>,
    /// Until the end has come.
    running: Option<Running>,
    /// What has happened behind the last piece.
    failure: Option<Error>,
}

#[async_trait]
impl Pieces for S3Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let piece = self.piece().await?;
        self.left -= piece.len() as u64;
        if self.left == 0 {
            self.finish().await?;
        }
        Ok((!piece.is_empty()).then_some(piece))
    }
}

impl S3Pieces {
    /// What is handed on next; nothing at the end.
    async fn piece(&mut self) -> Result<Bytes> {
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if self.received.is_empty() {
            self.received = self.receive().await?.unwrap_or_default();
        }
        if self.received.len() >= FULL {
            return Ok(mem::take(&mut self.received));
        }
        let mut piece = self.bucket.buffers.take(wanted);
        loop {
            let taken = self.received.len().min(wanted - piece.len());
            piece.extend_from_slice(&self.received[..taken]);
            self.received.advance(taken);
            if piece.len() == wanted {
                break;
            }
            match self.receive().await {
                Ok(received) => self.received = received.unwrap_or_default(),
                Err(failure) if piece.is_empty() => return Err(failure),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
            if self.received.len() >= FULL {
                break;
            }
        }
        Ok(match piece.len() < PIECE / 2 {
            true => Bytes::copy_from_slice(&piece),
            false => piece.freeze(),
        })
    }

    /// What comes next. `None` at the end of the body, which is where it should be.
    async fn receive(&mut self) -> Result<Option<Bytes>> {
        let patience = Instant::now() + self.bucket.options.timeout;
        let until = self.deadline.map_or(patience, |end| end.min(patience));
        let (kind, detail) = match tokio::time::timeout_at(until, self.body.try_next()).await {
            Ok(Ok(Some(received))) => {
                self.arrived += received.len() as u64;
                if self.arrived <= self.len {
                    return Ok(Some(received));
                }
                (ErrorKind::Corrupt, "the server sends too much".to_owned())
            }
            Ok(Ok(None)) if self.arrived == self.len => return Ok(None),
            Ok(Ok(None)) => {
                let detail = format!("{} bytes arrived of {}", self.arrived, self.len);
                (ErrorKind::Corrupt, detail)
            }
            Ok(Err(cause)) => {
                let broke_off = self.failed(ErrorKind::Unreachable, "the transfer broke off");
                return Err(broke_off.with_source(cause));
            }
            Err(_) if until < patience => {
                let limit = "--s3-multipart-max-timeout";
                let detail = format!(
                    "{} bytes arrived of {} within {limit}",
                    self.arrived, self.len
                );
                (ErrorKind::Timeout, detail)
            }
            Err(_) => {
                let detail = format!("nothing more came after {} bytes", self.arrived);
                (ErrorKind::Timeout, detail)
            }
        };
        Err(self.failed(kind, detail))
    }

    /// Makes sure that nothing comes behind the last byte, which also frees the connection for others.
    async fn finish(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        while self.receive().await?.is_some() {}
        running.moved(self.len);
        Ok(())
    }

    fn failed(&self, kind: ErrorKind, detail: impl Into<String>) -> Error {
        let error = self.bucket.error(kind, Op::Get, &self.name);
        error.with_detail(detail)
    }
}

/// `bytes 0-99/1234` as the range `0..100` and the object's length.
fn parse_content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    Some((
        first.trim().parse().ok()?..last.checked_add(1)?,
        total.trim().parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_parsed_and_nonsense_is_not() {
        assert_eq!(parse_content_range("bytes 0-99/1234"), Some((0..100, 1234)));
        assert_eq!(parse_content_range("bytes 5-5/6"), Some((5..6, 6)));
        for text in [
            "",
            "bytes */10",
            "bytes 0-1/*",
            "bytes 0-18446744073709551615/2",
            "0-1/2",
        ] {
            assert_eq!(parse_content_range(text), None, "{text}");
        }
    }
}
