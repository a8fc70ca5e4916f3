//! Ranged downloads.

use std::error::Error as _;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use redup_storage::{Buffer, Error, ErrorKind, Op, Result};

use crate::checksum::may_be_about_checksums;
use crate::error::Failure;
use crate::options::Notice;
use crate::storage::Bucket;

/// A range that broke off after as many bytes is gone on with where it ended, and at once: the line and
/// the server work. With less it counts as failed, so that nothing asks for ever for a few bytes more.
const WORTH_KEEPING: usize = 64 << 10;

impl Bucket {
    /// Exactly the bytes of `range`.
    ///
    /// The body is read at once and to its end, however long that takes as long as bytes come: one that
    /// is left open while something else is waited for would be taken for a stall.
    pub(crate) async fn get(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        if range.end <= range.start {
            return self.get_nothing(name, range).await;
        }
        let wanted = usize::try_from(range.end - range.start)
            .map_err(|_| self.error(ErrorKind::Unsupported, Op::Get, name))?;
        let mut data = self.buffers.take(wanted);
        let mut validated = !self.misleading_checksums.load(Ordering::Relaxed);
        let mut refused = None;
        loop {
            let had = data.len();
            let rest = range.start + had as u64..range.end;
            let Err(broken) = self.append(name, rest, validated, &mut data).await else {
                // So that no further range is fetched twice. Volumes are held against the manifest.
                let known = self
                    .misleading_checksums
                    .fetch_or(!validated, Ordering::Relaxed);
                if let Some(answer) = refused.filter(|_| !known) {
                    let notice = Notice::DownloadChecksumsRefused { answer };
                    self.options.notify(&notice);
                }
                return Ok(data.freeze());
            };
            match broken.remedy {
                Remedy::GoOn if data.len() - had >= WORTH_KEEPING && data.len() < wanted => {}
                Remedy::WithoutChecksum(answer) if validated => {
                    data.truncate(had);
                    validated = false;
                    refused = answer;
                }
                _ => return Err(broken.error),
            }
        }
    }

    /// Asks for `range` and appends what comes of it.
    async fn append(
        &self,
        name: &str,
        range: Range<u64>,
        validated: bool,
        data: &mut Buffer,
    ) -> std::result::Result<(), Broken> {
        let running = self.gauge.begin();
        let begun = Instant::now();
        let answer = self.ask_for(name, &range, validated).await?;
        self.gauge.answered(begun.elapsed());
        let had = data.len();
        let body = self.read_body(name, range.end - range.start, answer, data);
        match self.options.part_timeout {
            None => body.await?,
            Some(limit) => tokio::time::timeout(limit, body)
                .await
                .unwrap_or_else(|_| Err(self.error(ErrorKind::Timeout, Op::Get, name).into()))?,
        }
        running.moved((data.len() - had) as u64);
        Ok(())
    }

    /// The head of the answer. If `validated`, the body is held against the checksum that the server
    /// names, as far as it does.
    async fn ask_for(
        &self,
        name: &str,
        range: &Range<u64>,
        validated: bool,
    ) -> std::result::Result<GetObjectOutput, Broken> {
        let mut settings = self.request_for(0);
        if !validated {
            settings =
                settings.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
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
            .map_err(|error| self.refusal(name, Failure::of(&error)))?;
        self.check_answer(name, range, &answer)?;
        Ok(answer)
    }

    /// What can be done about an answer that is none of the object: some servers refuse to be asked for
    /// checksums.
    fn refusal(&self, name: &str, failure: Failure) -> Broken {
        let refused = !self.place.on_amazon && may_be_about_checksums(&failure);
        let remedy = match refused {
            true => Remedy::WithoutChecksum(Some(failure.answer())),
            false => Remedy::None,
        };
        let error = failure.into_error(Op::Get, name, &self.place);
        Broken { error, remedy }
    }

    /// The protocol has no empty range, so the object is looked up instead.
    async fn get_nothing(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let len = self.look_up(Op::Get, name).await?.len;
        match range.start == range.end && range.end <= len {
            true => Ok(Bytes::new()),
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

    /// Appends the body of an answer: `len` bytes, or an error and what has come until then.
    async fn read_body(
        &self,
        name: &str,
        len: u64,
        answer: GetObjectOutput,
        data: &mut Buffer,
    ) -> std::result::Result<(), Broken> {
        let failed = |kind| self.error(kind, Op::Get, name);
        // Outside Amazon's, what is told need not be about these bytes: with a range, some servers tell
        // the checksum of the whole object, or with an object made of parts another one's.
        let dubious = !self.place.on_amazon;
        let mut left = len;
        let mut body = answer.body;
        loop {
            let chunk = tokio::time::timeout(self.options.timeout, body.try_next());
            let chunk = match chunk.await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) if left == 0 => return Ok(()),
                Ok(Ok(None)) => {
                    let detail = format!("{} bytes arrived of {len}", len - left);
                    let error = failed(ErrorKind::Corrupt).with_detail(detail);
                    return Err(Broken::off(error));
                }
                Err(_) => {
                    let detail = format!("nothing more came after {} bytes", len - left);
                    let error = failed(ErrorKind::Timeout).with_detail(detail);
                    return Err(Broken::off(error));
                }
                Ok(Err(cause)) => {
                    let error = failed(ErrorKind::Unreachable)
                        .with_detail("the transfer broke off")
                        .with_source(cause);
                    // Seen with s3s-fs: the checksum is of an object that had the name before.
                    let remedy = match is_checksum_mismatch(&error) {
                        true if dubious => Remedy::WithoutChecksum(None),
                        true => Remedy::None,
                        false => Remedy::GoOn,
                    };
                    return Err(Broken { error, remedy });
                }
            };
            left = left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                failed(ErrorKind::Corrupt).with_detail("the server sends too much")
            })?;
            data.extend_from_slice(&chunk);
        }
    }

    fn not_there(&self, name: &str, range: &Range<u64>, len: u64) -> Error {
        let Range { start, end } = range;
        let detail = format!("bytes {start} to {end} were wanted, it has {len}");
        self.error(ErrorKind::Mismatch, Op::Get, name)
            .with_detail(detail)
    }
}

/// Why a range did not come whole, and what can be done about it at once.
struct Broken {
    error: Error,
    remedy: Remedy,
}

enum Remedy {
    /// Nothing.
    None,
    /// To ask for the rest of it.
    GoOn,
    /// To ask again and not mind the checksum that the server states; with the answer of one that refuses
    /// to state any.
    WithoutChecksum(Option<String>),
}

impl Broken {
    fn off(error: Error) -> Self {
        let remedy = Remedy::GoOn;
        Self { error, remedy }
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        let remedy = Remedy::None;
        Self { error, remedy }
    }
}

/// Whether the body was not what the server's checksum says.
fn is_checksum_mismatch(error: &Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        // The type is not ours to name.
        if cause.to_string().contains("checksum mismatch") {
            return true;
        }
        next = cause.source();
    }
    false
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
