//! The crate from outside: against archives that duplicity wrote, against Python's tarfile, against bad input.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod backup;
mod combined;
mod fixture;
mod flavours;
mod golden;
mod hostile;
mod pieces;
mod python;
mod rebuild;
mod set_reader;
mod sigtars;
mod support;
