//! The store itself: one request a method, and how each is made.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ServerSideEncryption, StorageClass};
use bytes::Bytes;
use redup_storage::{
    Buffers, Error, ErrorKind, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning,
    Unfinished, Upload, check_name,
};
use sha1::{Digest as _, Sha1};

use crate::checksum::crc32;
use crate::connect::timeouts;
use crate::error::{Failure, Place};
use crate::facts::{self, SHA1_METADATA};
use crate::gauge::{Gauge, Way};
use crate::habit::Habit;
use crate::options::{Encryption, Notice, S3Options};
use crate::stall;
use crate::upload::S3Upload;

/// What every object is stored as; duplicity's choice.
const CONTENT_TYPE: &str = "binary/octet-stream";

/// The shortest range worth a request, as long as there is room: each request may fail, and be waited for.
const LEAST_RANGE: u64 = 8 << 20;

/// The longest range: one is held while those before it are read.
const MOST_RANGE: u64 = 16 << 20;

/// A backup's files below a prefix of a bucket. Clones share connections.
///
/// Failed requests are repeated by the SDK (see [`S3Options::attempts`]); what breaks in the
/// middle of a download is left to [`Retry`](redup_storage::Retry).
#[derive(Debug, Clone)]
pub struct S3Storage {
    bucket: Arc<Bucket>,
}

/// What lets the server find out that a body is not what was meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protection {
    pub(crate) checksums: bool,
    /// The signature is of the head alone.
    pub(crate) unsigned: bool,
}

/// The bucket and everything needed to talk to it.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) place: Place,
    pub(crate) options: S3Options,
    pub(crate) part_size: u64,
    pub(crate) gauge: Gauge,
    /// What ranges are read into.
    pub(crate) buffers: Buffers,
    pub(crate) checksums: Habit,
    /// Bodies whose SHA-256 the signature leaves out. TLS keeps them from being changed on the way, and the
    /// checksum, which is signed, tells what was meant (decision 0012).
    pub(crate) unsigned_bodies: Habit,
    /// What became of the size of parts has been said.
    pub(crate) told_part_size: AtomicBool,
    /// The server has refused to keep checksums of whole objects.
    pub(crate) no_whole_checksums: AtomicBool,
}

impl S3Storage {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket: Arc::new(bucket),
        }
    }

    #[cfg(test)]
    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The region in use: the one asked for, or the bucket's own where that differs.
    pub fn region(&self) -> &str {
        &self.bucket.place.region
    }

    /// The storage class that is named for volumes, if any.
    pub fn volume_class(&self) -> Option<&str> {
        self.bucket.place.class.as_deref()
    }

    /// Whether the server is Amazon's.
    pub fn is_on_amazon(&self) -> bool {
        self.bucket.place.on_amazon
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for S3Storage {
    fn location(&self) -> String {
        self.bucket.place.location()
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            part_size: self.bucket.part_size,
            range_size: self.bucket.gauge.range_size(LEAST_RANGE, MOST_RANGE),
            uploads: self.bucket.gauge.at_once(Way::Up),
            downloads: self.bucket.gauge.at_once(Way::Down),
            rereads_are_cheap: false,
        }
    }

    /// The checksum of what was sent stands in each upload, and a server that received something else is to
    /// refuse it. Which ones do is in `docs/s3.md`.
    fn proves_uploads(&self) -> bool {
        self.bucket.checksums.enabled()
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        self.bucket.list().await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.bucket.check_name(Op::Head, name)?;
        self.bucket.look_up(Op::Head, name).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        self.bucket.check_name(Op::Thaw, &object.name)?;
        self.bucket.thaw(object).await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        self.bucket.check_name(Op::Get, name)?;
        self.bucket.read(name, range).await
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        self.bucket.check_written_name(Op::Put, name)?;
        self.bucket.put(Op::Put, name, data, kind).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        self.bucket.check_written_name(Op::BeginUpload, name)?;
        self.bucket.tell_part_size();
        Ok(Box::new(S3Upload::new(
            Arc::clone(&self.bucket),
            name,
            kind,
        )))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.bucket.check_name(Op::Delete, name)?;
        self.bucket.delete(name).await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        self.bucket.list_unfinished().await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        let name = unfinished.name.as_deref().unwrap_or_default();
        self.bucket.check_name(Op::DiscardUnfinished, name)?;
        self.bucket
            .abort(Op::DiscardUnfinished, name, &unfinished.id)
            .await
    }
}

impl Bucket {
    pub(crate) fn check_name(&self, op: Op, name: &str) -> Result<()> {
        check_name(op, &self.place.location(), name)
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.place.prefix)
    }

    pub(crate) fn error(&self, kind: ErrorKind, op: Op, name: &str) -> Error {
        Error::new(kind, op, self.place.object(name))
    }

    /// Settings of a request that moves `bytes`.
    pub(crate) fn request_for(&self, bytes: u64) -> Builder {
        let time = self.options.time_for(bytes);
        Builder::new().timeout_config(timeouts(&self.options, time))
    }

    /// Settings of a request with a body of this length: a long one may take as long as it moves, unless
    /// the caller has set a limit.
    pub(crate) fn body_request(&self, len: u64, checksums: bool) -> Builder {
        let settings = self.upload_request(len, checksums);
        match len > stall::SMALL {
            true => settings.timeout_config(timeouts(&self.options, self.options.part_timeout)),
            false => settings,
        }
    }

    /// Settings of an upload: the SDK adds checksums of its own unless told otherwise.
    pub(crate) fn upload_request(&self, bytes: u64, checksums: bool) -> Builder {
        let settings = self.request_for(bytes);
        match checksums {
            true => settings,
            false => {
                settings.request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            }
        }
    }

    /// The storage class to name for an object.
    pub(crate) fn class(&self, kind: ObjectKind, len: Option<u64>) -> Option<StorageClass> {
        self.options.classes.choose(kind, len, self.place.on_amazon)
    }

    pub(crate) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.options.encryption {
            Encryption::BucketDefault => (None, None),
            Encryption::S3Managed => (Some(ServerSideEncryption::Aes256), None),
            Encryption::Kms { key_id } => {
                (Some(ServerSideEncryption::AwsKms), Some(key_id.clone()))
            }
        }
    }

    /// Says once that parts do not have the size that was asked for.
    fn tell_part_size(&self) {
        if let Some(notice) = self.options.part_size_notice()
            && !self.told_part_size.swap(true, Ordering::Relaxed)
        {
            self.options.notify(&notice);
        }
    }

    /// How the next body is to be sent.
    pub(crate) fn protection(&self, checksums: bool) -> Protection {
        Protection {
            checksums,
            unsigned: checksums && self.unsigned_bodies.enabled(),
        }
    }

    /// Notes that the server took data that was sent like this.
    pub(crate) fn took_data(&self, how: Protection) {
        if let Some(answer) = self.checksums.succeeded(how.checksums) {
            self.options.notify(&Notice::ChecksumsRefused { answer });
        }
        if let Some(answer) = self.unsigned_bodies.succeeded(how.unsigned) {
            self.options.notify(&Notice::BodiesSigned { answer });
        }
    }

    /// Notes that the server takes uploads in parts once none is asked to have a checksum of the whole.
    pub(crate) fn keeps_no_whole_checksums(&self, answer: String) {
        if !self.no_whole_checksums.swap(true, Ordering::Relaxed) {
            self.options
                .notify(&Notice::WholeChecksumsRefused { answer });
        }
    }

    /// Stores an object with one request.
    pub(crate) async fn put(
        &self,
        op: Op,
        name: &str,
        data: Bytes,
        kind: ObjectKind,
    ) -> Result<()> {
        let len = data.len() as u64;
        let (encryption, kms_key) = self.encryption();
        let sha1 = facts::hex(&Sha1::digest(&data));
        loop {
            let how = self.protection(self.checksums.enabled());
            let mut request = self
                .client
                .put_object()
                .bucket(&self.place.bucket)
                .key(self.key(name))
                .content_type(CONTENT_TYPE)
                .metadata(SHA1_METADATA, &sha1)
                .set_storage_class(self.class(kind, Some(len)))
                .set_server_side_encryption(encryption.clone())
                .set_ssekms_key_id(kms_key.clone())
                .set_grant_full_control(self.options.grant_full_control.clone())
                .body(ByteStream::from(data.clone()));
            if how.checksums {
                request = request
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .checksum_crc32(crc32(&data));
            }
            let settings = self.body_request(len, how.checksums);
            let mut request = request.customize().config_override(settings);
            if how.unsigned {
                request = request.disable_payload_signing();
            }
            let failure = match request.send().await {
                Ok(_) => {
                    self.took_data(how);
                    return Ok(());
                }
                Err(error) => Failure::of(&error),
            };
            let again = self.unsigned_bodies.failed(how.unsigned, &failure)
                || self.checksums.failed(how.checksums, &failure);
            if !again {
                return Err(failure.into_error(op, name, &self.place));
            }
        }
    }

    /// What HEAD says of an object.
    pub(crate) async fn look_up(&self, op: Op, name: &str) -> Result<ObjectInfo> {
        let len = |len: Option<i64>| {
            len.and_then(|len| u64::try_from(len).ok()).ok_or_else(|| {
                self.error(ErrorKind::Corrupt, op, name)
                    .with_detail("the server names no length")
            })
        };
        let begun = Instant::now();
        let answer = match self.ask_head(name, true).await {
            // With a key of the key service, checksums need the permission to decrypt; and a server may
            // have none.
            Err(failure) if matches!(failure.status, Some(400 | 403 | 405 | 501)) => {
                self.ask_head(name, false).await
            }
            answer => answer,
        };
        match answer {
            Ok(answer) => {
                self.gauge.answered(begun.elapsed());
                Ok(facts::of_head(name, len(answer.content_length())?, &answer))
            }
            // An answer to HEAD has no text that would say why: one to a listing has.
            Err(failure) if failure.status == Some(400) => {
                let listed = self.listed_len(op, name).await?;
                Ok(ObjectInfo::new(name, len(listed)?))
            }
            Err(failure) => Err(failure.into_error(op, name, &self.place)),
        }
    }

    pub(crate) async fn ask_head(
        &self,
        name: &str,
        checksums: bool,
    ) -> std::result::Result<HeadObjectOutput, Failure> {
        self.client
            .head_object()
            .bucket(&self.place.bucket)
            .key(self.key(name))
            .set_checksum_mode(checksums.then_some(ChecksumMode::Enabled))
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await
            .map_err(|error| Failure::of(&error))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let answer = self
            .client
            .delete_object()
            .bucket(&self.place.bucket)
            .key(self.key(name))
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await;
        match answer.map_err(|error| Failure::of(&error)) {
            Err(failure) if !failure.means_missing_object() => {
                Err(failure.into_error(Op::Delete, name, &self.place))
            }
            _ => Ok(()),
        }
    }

    /// Gives an upload up. One that is gone is not an error.
    pub(crate) async fn abort(&self, op: Op, name: &str, id: &str) -> Result<()> {
        let answer = self
            .client
            .abort_multipart_upload()
            .bucket(&self.place.bucket)
            .key(self.key(name))
            .upload_id(id)
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await;
        match answer.map_err(|error| Failure::of(&error)) {
            Err(failure) if !failure.means_missing_object() => {
                Err(failure.into_error(op, name, &self.place))
            }
            _ => Ok(()),
        }
    }
}
