//! The store itself: one request a method, and how each is made.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ServerSideEncryption, StorageClass};
use bytes::Bytes;
use redup_storage::{
    Buffers, Error, ErrorKind, ObjectInfo, ObjectKind, Op, Result, Storage, Tuning, Unfinished,
    Upload, check_name,
};
use sha1::{Digest as _, Sha1};

use crate::checksum::{Checksums, Verdict, crc32};
use crate::connect::timeouts;
use crate::error::{Failure, Place};
use crate::facts::{self, SHA1_METADATA};
use crate::gauge::Gauge;
use crate::options::{Encryption, Notice, S3Options};
use crate::stall;
use crate::upload::S3Upload;

/// What every object is stored as; duplicity's choice.
const CONTENT_TYPE: &str = "binary/octet-stream";

/// The shortest range worth a request, as long as nothing is known of the line.
const LEAST_RANGE: u64 = 2 << 20;

/// Requests for one page of a listing; a server that pages in circles is not followed for ever.
const MOST_PAGES: usize = 1_000_000;

/// A backup's files below a prefix of a bucket. Clones share connections.
///
/// Failed requests are repeated by the SDK (see [`S3Options::attempts`]); what breaks in the
/// middle of a download is left to [`Retry`](redup_storage::Retry).
#[derive(Debug, Clone)]
pub struct S3Storage {
    bucket: Arc<Bucket>,
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
    pub(crate) checksums: Checksums,
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
            range_size: self.bucket.gauge.size(LEAST_RANGE, self.bucket.part_size),
            connections: self.bucket.gauge.connections(),
            rereads_are_cheap: false,
        }
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

    async fn get(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        self.bucket.check_name(Op::Get, name)?;
        self.bucket.get(name, range).await
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        self.bucket.check_name(Op::Put, name)?;
        self.bucket.put(Op::Put, name, data, kind).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        self.bucket.check_name(Op::BeginUpload, name)?;
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

    /// Whether an upload that failed is to be made again without checksums.
    pub(crate) fn gives_up_checksums(&self, failure: &Failure) -> bool {
        let verdict = self.checksums.refused(failure);
        if verdict == Verdict::GivenUp {
            self.options.notify(&Notice::ChecksumsRefused {
                answer: failure.answer(),
            });
        }
        verdict != Verdict::Unrelated
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
            let checksums = self.checksums.enabled();
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
            if checksums {
                request = request
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .checksum_crc32(crc32(&data));
            }
            let settings = self.body_request(len, checksums);
            let failure = match request.customize().config_override(settings).send().await {
                Ok(_) => {
                    self.checksums.proven();
                    return Ok(());
                }
                Err(error) => Failure::of(&error),
            };
            if !(checksums && self.gives_up_checksums(&failure)) {
                return Err(failure.into_error(op, name, &self.place));
            }
        }
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.place.bucket)
                .set_prefix(Some(self.place.prefix.clone()).filter(|prefix| !prefix.is_empty()))
                .delimiter("/")
                .set_continuation_token(token.clone())
                .customize()
                .config_override(self.request_for(0))
                .send()
                .await
                .map_err(|error| Failure::of(&error).into_error(Op::List, "", &self.place))?;
            for object in page.contents() {
                let name = object
                    .key()
                    .and_then(|key| key.strip_prefix(&self.place.prefix));
                let len = object.size().and_then(|size| u64::try_from(size).ok());
                if let (Some(name), Some(len)) = (name, len)
                    && check_name(Op::List, "", name).is_ok()
                {
                    objects.push(ObjectInfo {
                        access: facts::access_of_listed(object),
                        ..ObjectInfo::new(name, len)
                    });
                }
            }
            let next = page.next_continuation_token().map(ToOwned::to_owned);
            if next.is_none() || next == token || page.is_truncated() == Some(false) {
                return Ok(objects);
            }
            token = next;
        }
        Err(self
            .error(ErrorKind::Other, Op::List, "")
            .with_detail("the listing does not end"))
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
            // With a key of the key service, checksums need the permission to decrypt.
            Err(failure) if failure.status == Some(403) => self.ask_head(name, false).await,
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

    async fn ask_head(
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

    /// The length of an object as a listing has it.
    async fn listed_len(&self, op: Op, name: &str) -> Result<Option<i64>> {
        let key = self.key(name);
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.place.bucket)
            .prefix(&key)
            .max_keys(1)
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await
            .map_err(|error| Failure::of(&error).into_error(op, name, &self.place))?;
        match page.contents() {
            // Of all keys that begin with it, the key itself is the first.
            [object, ..] if object.key() == Some(&key) => Ok(object.size()),
            _ => Err(self.error(ErrorKind::NotFound, op, name)),
        }
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

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        let mut found = Vec::new();
        let mut marker: (Option<String>, Option<String>) = (None, None);
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&self.place.bucket)
                .set_prefix(Some(self.place.prefix.clone()).filter(|prefix| !prefix.is_empty()))
                .set_key_marker(marker.0.clone())
                .set_upload_id_marker(marker.1.clone())
                .customize()
                .config_override(self.request_for(0))
                .send()
                .await;
            let page = match page.map_err(|error| Failure::of(&error)) {
                Ok(page) => page,
                // Some servers do not have this request.
                Err(failure) if matches!(failure.status, Some(405 | 501)) => return Ok(found),
                Err(failure) => {
                    return Err(failure.into_error(Op::ListUnfinished, "", &self.place));
                }
            };
            found.extend(
                page.uploads()
                    .iter()
                    .filter_map(|upload| self.unfinished(upload)),
            );
            let next = (
                page.next_key_marker().map(ToOwned::to_owned),
                page.next_upload_id_marker().map(ToOwned::to_owned),
            );
            if page.is_truncated() != Some(true) || next == marker {
                return Ok(found);
            }
            marker = next;
        }
        Ok(found)
    }

    /// An upload of ours: one directly below the prefix.
    fn unfinished(&self, upload: &aws_sdk_s3::types::MultipartUpload) -> Option<Unfinished> {
        let name = upload.key()?.strip_prefix(&self.place.prefix)?;
        check_name(Op::ListUnfinished, "", name).ok()?;
        let begun = upload
            .initiated()
            .and_then(|time| SystemTime::try_from(*time).ok());
        let age = begun.and_then(|time| SystemTime::now().duration_since(time).ok());
        Some(Unfinished {
            name: Some(name.to_owned()),
            age: age.unwrap_or_default(),
            id: upload.upload_id()?.to_owned(),
        })
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
