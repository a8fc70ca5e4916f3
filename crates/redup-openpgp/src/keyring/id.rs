//! What users type to name a key.

use sequoia_openpgp::Cert;
use sequoia_openpgp::packet::{Key, UserID, key};

/// A key name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    /// As typed, for messages.
    pub(crate) typed: String,
    pub(crate) pattern: Pattern,
    /// A trailing `!`: this very key, not the best one of its certificate.
    pub(crate) exact: bool,
}

/// What a name is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The last digits of a fingerprint, upper case: 8, 16 or 40 (64 for version 6).
    Digits(String),
    /// A whole user id (`=…`).
    UserId(String),
    /// A whole mail address (`<…>`), lower case.
    Mail(String),
    /// Part of a user id, lower case.
    Part(String),
}

impl KeySpec {
    /// Never fails: what is no key id is a part of a name.
    pub(crate) fn parse(typed: &str) -> Self {
        let text = typed.trim();
        let (digits, exact) = text
            .strip_suffix('!')
            .map_or((text, false), |text| (text, true));
        if let Some(digits) = hex_digits(digits) {
            return Self {
                typed: typed.to_owned(),
                pattern: Pattern::Digits(digits),
                exact,
            };
        }
        let pattern = if let Some(whole) = text.strip_prefix('=') {
            Pattern::UserId(whole.to_owned())
        } else if let Some(mail) = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'))
        {
            Pattern::Mail(mail.to_lowercase())
        } else {
            Pattern::Part(text.strip_prefix(['@', '*']).unwrap_or(text).to_lowercase())
        };
        Self {
            typed: typed.to_owned(),
            pattern,
            exact: false,
        }
    }

    /// Whether this certificate is meant.
    pub(crate) fn matches(&self, cert: &Cert) -> bool {
        match &self.pattern {
            Pattern::Digits(_) => cert.keys().any(|key| self.matches_key(key.key())),
            Pattern::UserId(whole) => user_ids(cert).any(|id| id.value() == whole.as_bytes()),
            Pattern::Mail(mail) => user_ids(cert).any(|id| mail_of(id).as_ref() == Some(mail)),
            Pattern::Part(part) => {
                !part.is_empty()
                    && user_ids(cert).any(|id| {
                        String::from_utf8_lossy(id.value())
                            .to_lowercase()
                            .contains(part)
                    })
            }
        }
    }

    /// Whether the typed text is a mail address of this certificate, in full.
    pub(crate) fn is_mail_of(&self, cert: &Cert) -> bool {
        match &self.pattern {
            Pattern::Part(part) | Pattern::Mail(part) => {
                user_ids(cert).any(|id| mail_of(id).as_ref() == Some(part))
            }
            _ => false,
        }
    }

    /// Whether this very key is meant.
    pub(crate) fn matches_key<P: key::KeyParts, R: key::KeyRole>(&self, key: &Key<P, R>) -> bool {
        matches!(&self.pattern, Pattern::Digits(digits) if key.fingerprint().to_hex().ends_with(digits))
    }
}

/// The digits in upper case, when there are as many as a key id or fingerprint has.
pub(crate) fn hex_digits(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    (matches!(digits.len(), 8 | 16 | 40 | 64) && digits.bytes().all(|c| c.is_ascii_hexdigit()))
        .then(|| digits.to_uppercase())
}

fn user_ids(cert: &Cert) -> impl Iterator<Item = &UserID> {
    cert.userids().map(|id| id.userid())
}

fn mail_of(id: &UserID) -> Option<String> {
    let text = std::str::from_utf8(id.value()).ok()?;
    let mail = match (text.rfind('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => &text[open + 1..close],
        _ => text,
    };
    Some(mail.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, pattern: Pattern, exact: bool) {
        assert_eq!(
            KeySpec::parse(typed),
            KeySpec {
                typed: typed.into(),
                pattern,
                exact
            }
        );
    }

    #[test]
    fn key_ids_of_all_lengths_are_told_from_names() {
        check("5b5b3d94", Pattern::Digits("5B5B3D94".into()), false);
        check(
            "0x705E9B5A5C5B3D94!",
            Pattern::Digits("705E9B5A5C5B3D94".into()),
            true,
        );
        check(
            "0223 4C02 E8C8 AB9C E311  3F3B 705E 9B5A 5C5B 3D94",
            Pattern::Digits("02234C02E8C8AB9CE3113F3B705E9B5A5C5B3D94".into()),
            false,
        );
        check("deadbee", Pattern::Part("deadbee".into()), false);
        check("Bob!", Pattern::Part("bob!".into()), false);
        check(
            "<Bob@Example.org>",
            Pattern::Mail("bob@example.org".into()),
            false,
        );
        check(
            "=Bob <bob@example.org>",
            Pattern::UserId("Bob <bob@example.org>".into()),
            false,
        );
        check("@example.org", Pattern::Part("example.org".into()), false);
    }
}
