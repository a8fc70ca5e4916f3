//! The crate from outside.

mod walk;
