//! The crate from outside: against the golden archives, and against real gpg in both directions.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod fixtures;
mod gpg;
mod hostile;
mod keys;
mod ocb;
mod roundtrip;
