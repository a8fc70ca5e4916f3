//! The engine from outside: whole runs over stores in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod concurrency;
mod damage;
mod history;
mod hooked;
mod hostile;
mod progress;
mod reading;
mod remove;
mod restart;
mod signed;
mod transfers;
mod world;
