//! The rsync engine from outside, against librsync and against itself.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod delta;
mod hostile;
mod librsync_oracle;
mod sample;
mod specification;
