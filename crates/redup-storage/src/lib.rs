//! Where a backup's files are kept: the [`Storage`] trait, what fulfils it, and what wraps it.
//!
//! A store is one flat folder of named objects, written once and whole. The crate has
//!
//! * the trait itself ([`Storage`], [`Upload`], [`Pieces`]) with its guarantees, and [`Error`];
//! * [`TargetUrl`], which says what store a user's URL means;
//! * [`FileStorage`] for a local folder and [`MemoryStorage`] for tests;
//! * [`wrap`]: stores around a store ([`Retry`], [`Confirm`], [`Interruptible`], [`Record`], [`Fault`]);
//! * [`probe`]: trying a store out, for users who want to know whether a target works;
//! * [`conformance`]: one suite that every store and every wrapper passes.
//!
//! The S3 store is a crate of its own, so that only the program that offers it builds it.
#![forbid(unsafe_code)]

mod buffers;
pub mod conformance;
mod error;
mod file;
mod memory;
mod name;
mod parts;
pub mod probe;
mod store;
mod url;
pub mod wrap;

pub use buffers::{Buffer, Buffers, keep_freed_memory};
pub use error::{BoxError, Error, ErrorKind, Op, Result};
pub use file::FileStorage;
pub use memory::MemoryStorage;
pub use name::check_name;
pub use parts::PartLedger;
pub use store::{
    Access, Arrived, ObjectInfo, ObjectKind, Pieces, Storage, StorageExt, Tuning, Unfinished,
    Upload,
};
pub use url::{FileUrl, S3Location, S3Url, TargetUrl, UrlError, masked, percent_decoded};
pub use wrap::{
    Action, Call, Confirm, Fault, FaultRule, Interruptible, Record, Retry, RetryEvent, RetryPolicy,
    When,
};
