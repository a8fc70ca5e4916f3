//! Passphrases and session keys: wiped when dropped, never shown.

use std::fmt;

use zeroize::Zeroizing;

/// A passphrase.
///
/// Its memory is wiped on drop and its `Debug` form is a fixed word, so it can sit inside option structs
/// that are logged. Equality is textual, as duplicity compares passphrases.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of the bytes; the caller's buffer is not copied.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The passphrase itself, for the few places that must compare or hash it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no bytes: legal for an unprotected key, never for symmetric encryption.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(
            format!("{:?}", Some(Secret::from("hunter2"))),
            "Some(Secret(redacted))"
        );
    }
}
