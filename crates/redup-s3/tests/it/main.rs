//! The S3 store against a real server.
#![expect(clippy::unwrap_used, reason = "a test ends there")]

mod credentials;
mod environment;
mod facts;
mod faults;
mod messages;
mod named;
mod server;
mod stalls;
mod surroundings;
