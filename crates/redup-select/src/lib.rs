//! The ordered walk of a source tree and its include and exclude rules.
//!
//! A walk lists a folder depth first, in the order every stream of the archive has, and holds one listing a level
//! in memory. Rules say which of the paths it meets belong to the backup; they answer for a path and its
//! attributes alone, so a restore can ask them too.
