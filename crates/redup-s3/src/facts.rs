//! What the answer to HEAD says of an object beside its length: its hashes, and its archive.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumType, Object};
use redup_storage::{Access, ObjectInfo, Op, Result};

use crate::checksum;
use crate::error::Failure;
use crate::options::ThawTier;
use crate::storage::Bucket;

/// The metadata in which an object's SHA-1 is stored, in lower-case hexadecimal: as a header it is
/// `x-amz-meta-redup-sha1`. Multipart uploads have none, since metadata is due before their bytes are known.
pub(crate) const SHA1_METADATA: &str = "redup-sha1";

/// An object as HEAD describes it.
pub(crate) fn of_head(name: &str, len: u64, answer: &HeadObjectOutput) -> ObjectInfo {
    let sha1 = answer
        .metadata()
        .and_then(|metadata| metadata.get(SHA1_METADATA))
        .and_then(|text| from_hex(text));
    // That of a composite checksum is made of the parts' checksums, and tells nothing without them.
    let whole = answer.checksum_type() != Some(&ChecksumType::Composite);
    let crc32 = answer
        .checksum_crc32()
        .filter(|_| whole)
        .and_then(checksum::decode);
    ObjectInfo {
        sha1,
        crc32,
        class: answer
            .storage_class()
            .map(|class| class.as_str().to_owned()),
        access: access_of_head(answer),
        ..ObjectInfo::new(name, len)
    }
}

fn access_of_head(answer: &HeadObjectOutput) -> Access {
    let class = answer.storage_class().map(|class| class.as_str());
    // A tier of INTELLIGENT_TIERING says more than the class, and is gone once the object is thawed.
    let tier = answer.archive_status().map(|tier| tier.as_str());
    let Some(class) = tier.or(class.filter(|class| is_archive(class))) else {
        return Access::Immediate;
    };
    let class = class.to_owned();
    match answer.restore() {
        Some(text) if text.contains("ongoing-request=\"true\"") => Access::Thawing { class },
        Some(text) if text.contains("ongoing-request=\"false\"") => Access::Immediate,
        _ => Access::Archived { class },
    }
}

/// Whether an object may be archived, as far as a listing tells.
pub(crate) fn access_of_listed(object: &Object) -> Access {
    match object.storage_class().map(|class| class.as_str()) {
        // Only HEAD tells whether an object of the latter has sunk into one of its archive tiers.
        Some(class) if is_archive(class) || class == "INTELLIGENT_TIERING" => Access::Archived {
            class: class.to_owned(),
        },
        _ => Access::Immediate,
    }
}

/// Whether objects of this class must be thawed before they can be read.
fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

impl Bucket {
    /// Asks for an archived object to become readable.
    pub(crate) async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier};
        let tier = match self.options.thaw.tier {
            ThawTier::Bulk => Tier::Bulk,
            ThawTier::Standard => Tier::Standard,
            ThawTier::Expedited => Tier::Expedited,
        };
        // Those of INTELLIGENT_TIERING move for good, and a number of days is refused.
        let copied = matches!(&object.access, Access::Archived { class } if is_archive(class));
        let days = i32::try_from(self.options.thaw.days).unwrap_or(i32::MAX);
        let request = GlacierJobParameters::builder()
            .tier(tier)
            .build()
            .map(|parameters| {
                RestoreRequest::builder()
                    .set_days(copied.then_some(days))
                    .glacier_job_parameters(parameters)
                    .build()
            })
            .ok();
        let answer = self
            .client
            .restore_object()
            .bucket(&self.place.bucket)
            .key(self.key(&object.name))
            .set_restore_request(request)
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await;
        let under_way = ["RestoreAlreadyInProgress", "ObjectAlreadyInActiveTierError"];
        match answer.map_err(|error| Failure::of(&error)) {
            Err(failure) if !under_way.contains(&failure.code.as_deref().unwrap_or_default()) => {
                Err(failure.into_error(Op::Thaw, &object.name, &self.place))
            }
            _ => Ok(()),
        }
    }
}

fn from_hex(text: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    let text = text.as_bytes();
    if text.len() != 40 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()?;
    }
    Some(bytes)
}

/// A hash as metadata.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{ArchiveStatus, StorageClass};

    use super::*;

    #[test]
    fn hashes_are_hexadecimal_and_nothing_else_is_one() {
        let hash: [u8; 20] = std::array::from_fn(|at| at as u8 * 13);
        assert_eq!(from_hex(&hex(&hash)), Some(hash));
        for text in ["", "00", &"0".repeat(41), &"g".repeat(40), &"é".repeat(20)] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn an_archive_is_left_when_the_restore_is_over() {
        let archived = |class: &str| Access::Archived {
            class: class.into(),
        };
        let thawing = Access::Thawing {
            class: "GLACIER".into(),
        };
        let head = |class, restore: Option<&str>| {
            let answer = HeadObjectOutput::builder()
                .storage_class(class)
                .set_restore(restore.map(Into::into));
            access_of_head(&answer.build())
        };
        let over = r#"ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT""#;
        assert_eq!(head(StorageClass::Glacier, None), archived("GLACIER"));
        let class = StorageClass::DeepArchive;
        assert_eq!(head(class, None), archived("DEEP_ARCHIVE"));
        let under_way = Some(r#"ongoing-request="true""#);
        assert_eq!(head(StorageClass::Glacier, under_way), thawing);
        assert_eq!(head(StorageClass::Glacier, Some(over)), Access::Immediate);
        assert_eq!(head(StorageClass::GlacierIr, None), Access::Immediate);
        let tiered = HeadObjectOutput::builder()
            .storage_class(StorageClass::IntelligentTiering)
            .archive_status(ArchiveStatus::DeepArchiveAccess);
        let class = "DEEP_ARCHIVE_ACCESS";
        assert_eq!(access_of_head(&tiered.build()), archived(class));
    }

    #[test]
    fn checksums_of_parts_tell_nothing_of_the_whole() {
        let head = |kind| {
            let answer = HeadObjectOutput::builder()
                .checksum_crc32("y/Q5Jg==")
                .set_checksum_type(kind);
            of_head("x", 9, &answer.build()).crc32
        };
        assert_eq!(head(None), Some(0xcbf4_3926));
        assert_eq!(head(Some(ChecksumType::FullObject)), Some(0xcbf4_3926));
        assert_eq!(head(Some(ChecksumType::Composite)), None);
    }
}
