//! The S3 store against a real server.
#![expect(clippy::unwrap_used, reason = "a test ends there")]

mod environment;
mod facts;
mod faults;
mod messages;
mod server;
mod surroundings;
