//! What a reader passes over, and says so.

use std::fmt;
use std::sync::Arc;

use redup_format::index::PathIndex;

/// Something odd in an archive that does not stop its reading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An entry that does not come after the one before it was left out.
    LateEntry {
        /// The volume it is in.
        volume: String,
        /// The entry left out.
        index: PathIndex,
        /// The greatest index before it.
        previous: PathIndex,
    },
    /// A file's last piece is a full one, though a short one should follow: the file shrank or vanished while an
    /// interrupted backup was resumed, or the volume with the rest is missing.
    MissingLastPiece {
        /// The file, which may be incomplete.
        index: PathIndex,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LateEntry {
                volume,
                index,
                previous,
            } => write!(
                f,
                "entry \"{index}\" in volume \"{volume}\" is out of order after \"{previous}\" and left out"
            ),
            Self::MissingLastPiece { index } => {
                write!(
                    f,
                    "\"{index}\" may be incomplete: its last piece is missing"
                )
            }
        }
    }
}

/// Where warnings go. Cloning gives another handle to the same place.
#[derive(Clone)]
pub struct Warnings(Arc<dyn Fn(Warning) + Send + Sync>);

impl Warnings {
    /// Hands each warning to `receive` as it arises.
    pub fn new(receive: impl Fn(Warning) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    pub(crate) fn report(&self, warning: Warning) {
        (self.0)(warning);
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Warnings(..)")
    }
}
