//! Trees, the duplicity oracle, servers and damage for redup's tests.
//!
//! Everything here serves tests, so a failure of the surroundings (a tool that is missing, a
//! folder that cannot be written) is a panic that names the object: a test has nobody to hand an
//! error to. What a test looks at ([`run::Outcome`], [`listing::Listing`]) is returned.
//!
//! | module | holds |
//! |---|---|
//! | [`listing`] | what a tree looks like, as comparable lines; the format of `fixtures/*/expected` |
//! | [`changes`] | what is different between two of these, as a comparison of backups tells it |
//! | [`trees`] | trees with awkward content, edits on them, random ones for properties |
//! | [`fixtures`] | the golden archives of `fixtures/`, case by case |
//! | [`env`](mod@env) | a home of its own for the programs under test: HOME, GnuPG, caches, temp |
//! | [`run`] | runs a program with a time limit, or kills it at a moment of the test's choice |
//! | [`log`] | duplicity's messages for programs, read back |
//! | [`tools`] | where `cargo xtask test` put duplicity, gpg and the S3 server |
//! | [`gpghome`] | a GnuPG home with the fixture keys |
//! | [`server`] | what the S3 servers have in common |
//! | [`seaweed`], [`s3s`] | two real S3 servers on loopback, of different makers |
//! | [`moto`] | one that plays archive classes through |
//! | [`recorder`] | a proxy before a server that keeps what it was asked |
//! | [`forward`] | a proxy of the kind that `HTTPS_PROXY` names |
//! | [`faulty`] | a proxy that does to requests and answers what networks and servers do |
//! | [`slow`] | a line that moves so many bytes a second |
//! | [`stub`] | a server that answers as a test says, in place of services that cannot be had |
//! | [`network`] | machines of their own, with the IP families and losses a test chooses |
//! | [`surroundings`] | without root's rights, or on a disk that is nearly full |
//! | [`damage`] | what disks and networks do to files |

#![forbid(unsafe_code)]

pub mod changes;
pub mod damage;
pub mod env;
pub mod faulty;
pub mod fixtures;
pub mod forward;
pub mod gpghome;
pub mod listing;
pub mod log;
pub mod moto;
pub mod network;
pub mod recorder;
pub mod run;
pub mod s3s;
pub mod seaweed;
pub mod server;
pub mod slow;
pub mod stub;
pub mod surroundings;
pub mod tools;
pub mod trees;
