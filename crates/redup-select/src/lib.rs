//! The ordered walk of a source tree and its include and exclude rules.
//!
//! A [`Walk`] lists a folder depth first, in the order every stream of the archive has, and holds one listing a level
//! in memory. [`Rules`] say which of the paths it meets belong to the backup; they answer for a path and what is
//! known of it alone, so a restore can ask them too.

#![forbid(unsafe_code)]

mod dir;
mod entry;
mod error;
mod listed;
mod owner;
mod rules;
mod source;
mod walk;

pub use entry::{Kind, Links, SourceEntry};
pub use error::{Access, RuleError, WalkError};
pub use listed::Listed;
pub use rules::{Action, Condition, Facts, Mode, Pattern, Rules, Separator, Verdict};
pub use source::canonical_source;
pub use walk::{OnSocket, Walk, WalkOptions};
