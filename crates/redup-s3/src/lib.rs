//! A backup's files in a bucket of Amazon S3, or of a server that speaks its protocol.
//!
//! [`S3Storage::connect`] turns [`S3Options`] into a [`Storage`](redup_storage::Storage):
//!
//! | module | decides |
//! |---|---|
//! | `options` | what the caller can ask for |
//! | `endpoint` | which server, by which kind of address, over which IP families |
//! | `profile` | settings of configuration files that the SDK leaves to us |
//! | `reach` | the way there, each IP family for itself |
//! | `http` | TLS roots, proxies, connections |
//! | `setup` | region, credentials and server, from options, environment and files |
//! | `connect` | whether the bucket is there, and where |
//! | `backslash` | servers that take a backslash for a slash |
//! | `renewal` | credentials that end in mid-run |
//! | `class` | the storage class of each object |
//! | `checksum` | checksums on uploads |
//! | `habit` | what uploads do until a server refuses it |
//! | `pace`, `gauge` | how many requests at once, from what they take |
//! | `stall` | uploads that stand still, however slow the line is |
//! | `storage`, `list`, `read`, `upload` | the requests |
//! | `facts` | what HEAD tells of an object; getting one out of an archive class |
//! | `error`, `trouble`, `hint` | what went wrong, in words that help |
//!
//! Amazon's endpoints are used dual-stack, so that hosts with IPv6 only and with IPv4 only both
//! reach them; a server named by URL is used as it was named.
#![forbid(unsafe_code)]

mod backslash;
mod checksum;
mod class;
mod connect;
mod endpoint;
mod error;
mod facts;
mod gauge;
mod habit;
mod hint;
mod http;
mod list;
mod options;
mod pace;
mod profile;
mod reach;
mod read;
mod renewal;
mod retries;
#[cfg(test)]
mod scripted;
mod setup;
mod stall;
mod storage;
#[cfg(test)]
mod testing;
mod trouble;
mod upload;

pub use class::{ClassFlags, ClassPolicy};
pub use options::{Addressing, Encryption, Keys, Notice, NoticeSink, S3Options, Thaw, ThawTier};
pub use reach::{FamilyReach, Reach, reach};
pub use storage::S3Storage;
