//! The crate from outside.
#![expect(clippy::unwrap_used, reason = "a test ends there")]

mod selection;
mod walk;
