//! What a message told about itself beside its content.

use std::fmt;

use crate::keyring::hex_digits;

/// Findings about a message; complete once it was read to its end without an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageReport {
    /// The signatures over the content. Those that are wrong are not here: they made reading fail.
    pub signatures: Vec<SignatureReport>,
    /// What was weak, in the order it was met. Never a reason to refuse a restore.
    pub warnings: Vec<Warning>,
}

/// One signature over the whole content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureReport {
    /// The key that signed, as the signature names it: a fingerprint when it has one, else a key id; upper-case
    /// hexadecimal. Confirmed only when [`validity`](Self::validity) is not [`Validity::UnknownKey`].
    pub issuer: String,
    /// Fingerprint of the primary key that the signing key belongs to, when it is known.
    pub primary: Option<String>,
    /// What checking it gave.
    pub validity: Validity,
}

/// What is known about a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validity {
    /// It fits the content, and its key is in force.
    Good,
    /// It fits the content, and its key, or the signature itself, has expired.
    Expired,
    /// It fits the content, and its key is revoked.
    Revoked,
    /// Its key is not in the keyring.
    UnknownKey,
    /// It uses an algorithm or form that cannot be checked.
    Unsupported,
}

impl MessageReport {
    /// Whether the key that `id` names made a good signature: what `--sign-key` asks of a restore.
    ///
    /// `id` is 8, 16 or 40 hexadecimal digits in either case, with or without `0x`, of the key that signed or of its primary
    /// key. Anything else, a name for instance, never fits. A key that has expired or is revoked does not count, as with
    /// gpg.
    pub fn is_signed_by(&self, id: &str) -> bool {
        let id = id.trim();
        let Some(digits) = hex_digits(id.strip_suffix('!').unwrap_or(id)) else {
            return false;
        };
        self.signatures.iter().any(|signature| {
            let fits = |name: &str| name.ends_with(&digits) || digits.ends_with(name);
            let primary = signature.primary.as_deref();
            signature.validity == Validity::Good
                && (fits(&signature.issuer) || primary.is_some_and(fits))
        })
    }
}

/// Something weak about a message that was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Encrypted without any integrity protection: changes would not have been noticed.
    NoIntegrityProtection,
    /// A cipher with 64-bit blocks.
    SmallBlocks,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoIntegrityProtection => "the message carries no integrity protection (MDC)",
            Self::SmallBlocks => "the message uses a cipher with 64-bit blocks",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBKEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0001";
    const PRIMARY: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB0002";

    fn check(validity: Validity, id: &str, expected: bool) {
        let signature = SignatureReport {
            issuer: SUBKEY.into(),
            primary: Some(PRIMARY.into()),
            validity,
        };
        let report = MessageReport {
            signatures: vec![signature],
            warnings: Vec::new(),
        };
        assert_eq!(report.is_signed_by(id), expected, "{validity:?} {id}");
    }

    #[test]
    fn signers_are_named_by_subkey_or_primary_key_in_any_form() {
        for id in [
            "AAAA0001",
            "aaaa0001",
            "0xAAAAAAAAAAAA0001",
            SUBKEY,
            "BBBBBBBBBBBB0002",
            PRIMARY,
            "AAAAAAAAAAAA0001!",
        ] {
            check(Validity::Good, id, true);
        }
        for id in [
            "AAAA0002",
            "0001",
            "",
            "backup@example.org",
            "CCCCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0001",
        ] {
            check(Validity::Good, id, false);
        }
    }

    #[test]
    fn only_good_signatures_count() {
        for validity in [
            Validity::Expired,
            Validity::Revoked,
            Validity::UnknownKey,
            Validity::Unsupported,
        ] {
            check(validity, SUBKEY, false);
        }
        assert!(!MessageReport::default().is_signed_by(SUBKEY));
    }
}
