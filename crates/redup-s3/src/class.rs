//! Which storage class an object goes to.
//!
//! On Amazon, Infrequent Access is the rule: a backup is written once and hardly ever read, and
//! costs about half there. Objects below 128 KiB are billed as 128 KiB in it, so those stay in
//! STANDARD. What the user asks for goes before the rule; classes that must be thawed before
//! they can be read are kept to volumes, so that a chain can always be examined.

use aws_sdk_s3::types::StorageClass;
use redup_storage::ObjectKind;

/// Below this size an object costs more in Infrequent Access than in STANDARD, which is where
/// Amazon's minimum for billing lies.
const SMALLEST_IN_IA: u64 = 128 << 10;

/// The user's wishes for storage classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassPolicy {
    /// For volumes, of any size; for manifests and signatures too, unless it is an archive class,
    /// and from 128 KiB on when it bills at least that. Default on Amazon: STANDARD_IA from
    /// 128 KiB on. Default elsewhere: what the server does by itself.
    pub class: Option<String>,
    /// For manifests, signatures and the like, whatever [`class`](Self::class) says.
    pub metadata_class: Option<String>,
}

/// duplicity's flags, of which the first that is set counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassFlags {
    /// `--s3-use-rrs`
    pub rrs: bool,
    /// `--s3-use-ia`
    pub ia: bool,
    /// `--s3-use-onezone-ia`
    pub onezone_ia: bool,
    /// `--s3-use-glacier`
    pub glacier: bool,
    /// `--s3-use-glacier-ir`
    pub glacier_ir: bool,
    /// `--s3-use-deep-archive`
    pub deep_archive: bool,
}

impl ClassFlags {
    /// The class that the flags ask for.
    pub fn class(self) -> Option<&'static str> {
        let flags = [
            (self.rrs, "REDUCED_REDUNDANCY"),
            (self.ia, "STANDARD_IA"),
            (self.onezone_ia, "ONEZONE_IA"),
            (self.glacier, "GLACIER"),
            (self.glacier_ir, "GLACIER_IR"),
            (self.deep_archive, "DEEP_ARCHIVE"),
        ];
        flags
            .into_iter()
            .find_map(|(set, class)| set.then_some(class))
    }
}

impl ClassPolicy {
    /// The class to name for an object of `len` bytes, where that is known; `None` names none,
    /// which is STANDARD on Amazon.
    pub(crate) fn choose(
        &self,
        kind: ObjectKind,
        len: Option<u64>,
        on_amazon: bool,
    ) -> Option<StorageClass> {
        let large = len.is_none_or(|len| len >= SMALLEST_IN_IA);
        let metadata = kind != ObjectKind::Volume;
        let class = match (&self.metadata_class, &self.class) {
            (Some(class), _) if metadata => Some(class.as_str()),
            (_, Some(class)) if !metadata => Some(class.as_str()),
            (_, Some(class)) if is_infrequent(class) => large.then_some(class.as_str()),
            (_, Some(class)) if !is_archive(class) => Some(class.as_str()),
            _ => (on_amazon && large).then_some("STANDARD_IA"),
        };
        class.map(StorageClass::from)
    }

    /// Whether the rule for Amazon decides, not the user.
    pub(crate) fn is_default(&self) -> bool {
        self.class.is_none()
    }
}

fn is_infrequent(class: &str) -> bool {
    matches!(class, "STANDARD_IA" | "ONEZONE_IA")
}

fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "GLACIER_IR" | "DEEP_ARCHIVE")
}

#[cfg(test)]
mod tests {
    use redup_storage::ObjectKind::{Manifest, Other, Signature, Volume};

    use super::*;

    const SMALL: Option<u64> = Some((128 << 10) - 1);
    const LARGE: Option<u64> = Some(128 << 10);

    /// Classes of: small volume, large volume, small manifest, large signature.
    fn classes(policy: &ClassPolicy, on_amazon: bool) -> [String; 4] {
        [
            (Volume, SMALL),
            (Volume, LARGE),
            (Manifest, SMALL),
            (Signature, LARGE),
        ]
        .map(|(kind, len)| {
            let class = policy.choose(kind, len, on_amazon);
            class.map_or("-".into(), |class| class.as_str().to_owned())
        })
    }

    fn asked(class: &str) -> ClassPolicy {
        ClassPolicy {
            class: Some(class.into()),
            metadata_class: None,
        }
    }

    #[test]
    fn infrequent_access_is_the_rule_on_amazon_from_128_kib_on() {
        let policy = ClassPolicy::default();
        assert_eq!(
            classes(&policy, true),
            ["-", "STANDARD_IA", "-", "STANDARD_IA"]
        );
        assert_eq!(
            policy.choose(Volume, None, true),
            Some(StorageClass::StandardIa)
        );
        assert_eq!(policy.choose(Other, Some(0), true), None);
    }

    #[test]
    fn other_servers_are_sent_a_class_only_when_asked() {
        assert_eq!(classes(&ClassPolicy::default(), false), ["-"; 4]);
        let ia = classes(&asked("STANDARD_IA"), false);
        assert_eq!(ia, ["STANDARD_IA", "STANDARD_IA", "-", "STANDARD_IA"]);
    }

    #[test]
    fn infrequent_classes_hold_volumes_of_any_size_and_large_metadata() {
        let zone = classes(&asked("ONEZONE_IA"), true);
        assert_eq!(zone, ["ONEZONE_IA", "ONEZONE_IA", "-", "ONEZONE_IA"]);
    }

    #[test]
    fn archive_classes_hold_volumes_only() {
        for class in ["GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"] {
            assert_eq!(
                classes(&asked(class), true),
                [class, class, "-", "STANDARD_IA"]
            );
            assert_eq!(classes(&asked(class), false), [class, class, "-", "-"]);
        }
    }

    #[test]
    fn other_classes_hold_everything() {
        for class in [
            "REDUCED_REDUNDANCY",
            "STANDARD",
            "INTELLIGENT_TIERING",
            "HOUSE_BRAND",
        ] {
            assert_eq!(classes(&asked(class), true), [class; 4]);
        }
    }

    #[test]
    fn metadata_can_have_a_class_of_its_own() {
        let policy = ClassPolicy {
            class: Some("DEEP_ARCHIVE".into()),
            metadata_class: Some("STANDARD".into()),
        };
        let expected = ["DEEP_ARCHIVE", "DEEP_ARCHIVE", "STANDARD", "STANDARD"];
        assert_eq!(classes(&policy, true), expected);
        let only = ClassPolicy {
            class: None,
            metadata_class: Some("GLACIER_IR".into()),
        };
        assert_eq!(
            classes(&only, true),
            ["-", "STANDARD_IA", "GLACIER_IR", "GLACIER_IR"]
        );
    }

    #[test]
    fn of_several_flags_the_first_in_duplicitys_order_counts() {
        let flags = ClassFlags {
            ia: true,
            glacier: true,
            ..ClassFlags::default()
        };
        assert_eq!(flags.class(), Some("STANDARD_IA"));
        let flags = ClassFlags {
            glacier_ir: true,
            deep_archive: true,
            ..ClassFlags::default()
        };
        assert_eq!(flags.class(), Some("GLACIER_IR"));
        assert_eq!(ClassFlags::default().class(), None);
    }
}
