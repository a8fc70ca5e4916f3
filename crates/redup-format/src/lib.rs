//! Names, times, manifests, backup sets and chains of duplicity's archive format.
//!
//! Everything here is pure: bytes, names and listings go in, decisions come out. No file is opened, no clock is
//! read, and nothing taken from a listing or a manifest can make it panic.

#![forbid(unsafe_code)]

pub mod collections;
pub mod entry;
pub mod filename;
pub mod index;
pub mod manifest;
pub mod retention;
pub mod time;
