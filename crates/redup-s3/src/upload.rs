//! Uploads in parts.
//!
//! Nothing is asked of the server before the first full part: an object that turns out to fit
//! into one part is kept until it is complete, and then stored with a single request. Otherwise
//! the parts go into one multipart upload, as many at once as the caller sends.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use redup_storage::{Error, ErrorKind, ObjectInfo, ObjectKind, Op, PartLedger, Result, Upload};

use crate::checksum::{self, may_be_about_checksums};
use crate::error::Failure;
use crate::gauge::Way;
use crate::options::MAX_PARTS;
use crate::storage::{Bucket, Protection};

#[derive(Debug)]
pub(crate) struct S3Upload {
    bucket: Arc<Bucket>,
    name: String,
    kind: ObjectKind,
    state: Mutex<State>,
    /// Held while the multipart upload is begun, so that only one is.
    beginning: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    ledger: PartLedger,
    /// Part 0 as long as it is shorter than a part.
    held: Option<Bytes>,
    session: Option<Arc<Session>>,
    sent: BTreeMap<u32, SentPart>,
}

impl State {
    fn is_current(&self, session: &Arc<Session>) -> bool {
        let current = self.session.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, session))
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Completed,
    Aborted,
}

/// A multipart upload that the server knows.
#[derive(Debug)]
struct Session {
    id: String,
    checksums: bool,
    /// Whether the server keeps a checksum of the whole object.
    of_whole: bool,
}

#[derive(Debug, Clone)]
struct SentPart {
    etag: Option<String>,
    /// Its checksum and length.
    crc32: Option<(u32, u64)>,
}

impl S3Upload {
    pub(crate) fn new(bucket: Arc<Bucket>, name: &str, kind: ObjectKind) -> Self {
        Self {
            bucket,
            name: name.to_owned(),
            kind,
            state: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mismatch(&self, op: Op, detail: impl Into<String>) -> Error {
        self.bucket
            .error(ErrorKind::Mismatch, op, &self.name)
            .with_detail(detail)
    }

    fn failed(&self, op: Op, failure: Failure) -> Error {
        failure.into_error(op, &self.name, &self.bucket.place)
    }

    fn check_part(&self, number: u32, len: u64) -> Result<()> {
        let size = self.bucket.part_size;
        let fault = if len > size {
            format!("part {number} has {len} bytes, more than {size}")
        } else if len == 0 && number > 0 {
            format!("part {number} is empty")
        } else if u64::from(number) >= MAX_PARTS {
            let error = self.mismatch(Op::PutPart, format!("more than {MAX_PARTS} parts"));
            return Err(error.with_hint("use a larger --s3-multipart-chunk-size"));
        } else {
            return Ok(());
        };
        Err(self.mismatch(Op::PutPart, fault))
    }

    /// The multipart upload, begun if it is not yet.
    async fn session(&self) -> Result<Arc<Session>> {
        let _one_at_a_time = self.beginning.lock().await;
        if let Some(session) = self.current_session()? {
            return Ok(session);
        }
        let session = Arc::new(self.begin().await?);
        self.state().session = Some(Arc::clone(&session));
        Ok(session)
    }

    fn current_session(&self) -> Result<Option<Arc<Session>>> {
        let state = self.state();
        match state.phase {
            Phase::Open => Ok(state.session.clone()),
            Phase::Completed | Phase::Aborted => {
                Err(self.mismatch(Op::PutPart, "the upload is over"))
            }
        }
    }

    async fn begin(&self) -> Result<Session> {
        let Bucket {
            client,
            place,
            options,
            ..
        } = &*self.bucket;
        let (encryption, kms_key) = self.bucket.encryption();
        // What the server answered to a checksum of the whole.
        let mut doubted = None;
        loop {
            let checksums = self.bucket.checksums.enabled();
            let mut request = client
                .create_multipart_upload()
                .bucket(&place.bucket)
                .key(self.bucket.key(&self.name))
                .content_type("binary/octet-stream")
                .set_storage_class(self.bucket.class(self.kind, None))
                .set_server_side_encryption(encryption.clone())
                .set_ssekms_key_id(kms_key.clone())
                .set_grant_full_control(options.grant_full_control.clone());
            let refused = self.bucket.no_whole_checksums.load(Ordering::Relaxed);
            let whole = checksums && !refused && doubted.is_none();
            if checksums {
                request = request
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .set_checksum_type(whole.then_some(ChecksumType::FullObject));
            }
            let settings = self.bucket.upload_request(0, checksums);
            let failure = match request.customize().config_override(settings).send().await {
                Ok(answer) => {
                    if let Some(answer) = doubted.filter(|_| checksums) {
                        self.bucket.keeps_no_whole_checksums(answer);
                    }
                    let id = answer.upload_id().unwrap_or_default().to_owned();
                    // Others keep one of the parts' checksums, or none.
                    let kept = answer.checksum_type() == Some(&ChecksumType::FullObject);
                    return Ok(Session {
                        id,
                        checksums,
                        of_whole: whole && (kept || place.on_amazon),
                    });
                }
                Err(error) => Failure::of(&error),
            };
            // Many know those of parts alone.
            if whole && !place.on_amazon && may_be_about_checksums(&failure) {
                doubted = Some(failure.answer());
            } else if !self.bucket.checksums.failed(checksums, &failure) {
                return Err(self.failed(Op::BeginUpload, failure));
            }
        }
    }

    /// Sees to it that the upload is begun anew, without checksums. False when a part has arrived meanwhile, with
    /// them: then they were not the reason, and nobody has that part's bytes any more.
    async fn restart(&self, refused: &Arc<Session>) -> bool {
        let _one_at_a_time = self.beginning.lock().await;
        {
            let mut state = self.state();
            if !state.is_current(refused) {
                return true;
            }
            if !state.sent.is_empty() {
                return false;
            }
            state.session = None;
        }
        // What cannot be aborted now is found by a later clean-up.
        let aborted = self.bucket.abort(Op::Abort, &self.name, &refused.id);
        aborted.await.ok();
        true
    }

    async fn send_part(
        &self,
        session: &Session,
        number: u32,
        data: &Bytes,
        how: Protection,
    ) -> std::result::Result<SentPart, Failure> {
        let len = data.len() as u64;
        let crc32 = how.checksums.then(|| (crc32fast::hash(data), len));
        let mut request = self
            .bucket
            .client
            .upload_part()
            .bucket(&self.bucket.place.bucket)
            .key(self.bucket.key(&self.name))
            .upload_id(&session.id)
            .part_number(part_number(number))
            .body(ByteStream::from(data.clone()));
        if let Some((crc32, _)) = crc32 {
            request = request
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .checksum_crc32(checksum::encode(crc32));
        }
        let settings = self.bucket.body_request(len, how.checksums);
        let mut request = request.customize().config_override(settings);
        if how.unsigned {
            request = request.disable_payload_signing();
        }
        let running = self.bucket.gauge.begin(Way::Up);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Failure::of(&error))?;
        running.moved(len);
        Ok(SentPart {
            etag: answer.e_tag().map(ToOwned::to_owned),
            crc32,
        })
    }

    /// Takes the parts together at the server.
    async fn complete_parts(&self, session: &Session, parts: u32, len: u64) -> Result<()> {
        let mut checksums = session.checksums;
        loop {
            let failure = match self.try_complete(session, parts, checksums).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if failure.code.as_deref() == Some("NoSuchUpload") {
                // An earlier completion may have succeeded and its answer been lost.
                return match self.bucket.look_up(Op::Complete, &self.name).await {
                    Ok(found) if self.is_whole(&found, parts, len) => Ok(()),
                    Err(error) if error.kind().is_transient() => Err(error),
                    _ => Err(self.failed(Op::Complete, failure)),
                };
            }
            // Some servers take checksums on parts and not here. One that says that they differ
            // (`BadDigest`) is believed.
            let refused = !self.bucket.place.on_amazon && may_be_about_checksums(&failure);
            if !(checksums && refused) {
                return Err(self.failed(Op::Complete, failure));
            }
            checksums = false;
        }
    }

    /// Whether an object is made of the parts that were sent, as far as the server tells: an older one
    /// of this name may well have the same length.
    fn is_whole(&self, found: &ObjectInfo, parts: u32, len: u64) -> bool {
        let sent = self.sent_crc32(parts);
        let differs = matches!((found.crc32, sent), (Some(found), Some(sent)) if found != sent);
        found.len == len && !differs
    }

    /// The checksum of the whole object, if every part has one.
    fn sent_crc32(&self, parts: u32) -> Option<u32> {
        let state = self.state();
        let sent = state.sent.range(..parts).map(|(_, part)| part.crc32);
        sent.collect::<Option<Vec<_>>>().map(checksum::combine)
    }

    async fn try_complete(
        &self,
        session: &Session,
        parts: u32,
        checksums: bool,
    ) -> std::result::Result<(), Failure> {
        let crc32 = |part: &SentPart| part.crc32.filter(|_| checksums);
        let completed = self
            .state()
            .sent
            .range(..parts)
            .map(|(&number, part)| {
                CompletedPart::builder()
                    .part_number(part_number(number))
                    .set_e_tag(part.etag.clone())
                    .set_checksum_crc32(crc32(part).map(|(crc32, _)| checksum::encode(crc32)))
                    .build()
            })
            .collect();
        let whole = self.sent_crc32(parts);
        let whole = whole.filter(|_| checksums && session.of_whole);
        let completed = CompletedMultipartUpload::builder()
            .set_parts(Some(completed))
            .build();
        // The server may copy everything before it answers: it is given as long as for a part.
        let settings = self.bucket.upload_request(self.bucket.part_size, checksums);
        self.bucket
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket.place.bucket)
            .key(self.bucket.key(&self.name))
            .upload_id(&session.id)
            .multipart_upload(completed)
            .set_checksum_type(whole.map(|_| ChecksumType::FullObject))
            .set_checksum_crc32(whole.map(checksum::encode))
            .customize()
            .config_override(settings)
            .send()
            .await
            .map(drop)
            .map_err(|error| Failure::of(&error))
    }
}

/// The protocol counts from 1.
fn part_number(number: u32) -> i32 {
    i32::try_from(number).map_or(i32::MAX, |number| number.saturating_add(1))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for S3Upload {
    fn part_size(&self) -> u64 {
        self.bucket.part_size
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        let len = data.len() as u64;
        self.check_part(number, len)?;
        self.current_session()?;
        if number == 0 && len < self.bucket.part_size {
            let mut state = self.state();
            state.held = Some(data);
            state.ledger.record(number, len);
            return Ok(());
        }
        loop {
            let session = self.session().await?;
            let how = self.bucket.protection(session.checksums);
            match self.send_part(&session, number, &data, how).await {
                Ok(part) => {
                    self.bucket.took_data(how);
                    let mut state = self.state();
                    // Another part has begun anew while this one was on its way: it went to what was given up.
                    if !state.is_current(&session) {
                        continue;
                    }
                    if number == 0 {
                        state.held = None;
                    }
                    state.ledger.record(number, len);
                    state.sent.insert(number, part);
                    return Ok(());
                }
                Err(failure) if self.bucket.unsigned_bodies.failed(how.unsigned, &failure) => {}
                Err(failure) if self.bucket.checksums.failed(how.checksums, &failure) => {
                    if !self.restart(&session).await {
                        return Err(self.failed(Op::PutPart, failure));
                    }
                }
                Err(failure)
                    if failure.means_missing_object() && !self.state().is_current(&session) => {}
                Err(failure) => return Err(self.failed(Op::PutPart, failure)),
            }
        }
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        let (held, session) = {
            let state = self.state();
            match state.phase {
                Phase::Open => {}
                Phase::Completed => return Ok(()),
                Phase::Aborted => {
                    return Err(self.mismatch(Op::Complete, "the upload was aborted"));
                }
            }
            state
                .ledger
                .check(self.bucket.part_size, parts, len)
                .map_err(|fault| self.mismatch(Op::Complete, fault))?;
            (state.held.clone(), state.session.clone())
        };
        match (held, session) {
            (Some(data), _) => {
                self.bucket
                    .put(Op::Complete, &self.name, data, self.kind)
                    .await?;
            }
            (None, Some(session)) => self.complete_parts(&session, parts, len).await?,
            (None, None) => return Err(self.mismatch(Op::Complete, "nothing was uploaded")),
        }
        let mut state = self.state();
        state.phase = Phase::Completed;
        state.held = None;
        Ok(())
    }

    async fn abort(&self) -> Result<()> {
        let session = {
            let mut state = self.state();
            if state.phase == Phase::Completed {
                return Ok(());
            }
            state.phase = Phase::Aborted;
            state.held = None;
            state.session.clone()
        };
        match session {
            Some(session) => self.bucket.abort(Op::Abort, &self.name, &session.id).await,
            None => Ok(()),
        }
    }
}
