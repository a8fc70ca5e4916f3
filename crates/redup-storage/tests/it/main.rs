//! What the stores promise, seen from outside.
#![expect(clippy::unwrap_used, reason = "a test ends there")]

mod conformance;
mod file;
