//! The crate from outside: against the golden archives, and against real gpg in both directions.

mod fixtures;
