//! What a message told about itself beside its content.

use std::fmt;

/// Findings about a message; complete once it was read to its end without an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageReport {
    /// What was weak, in the order it was met. Never a reason to refuse a restore.
    pub warnings: Vec<Warning>,
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
