//! The command line as a person or a program uses it: what it prints, returns and leaves. Needs no
//! other program but `setsid`.
#![allow(clippy::unwrap_used, reason = "a test that fails shows where")]

mod bar;
mod commands;
mod log;
mod prompts;
mod refusals;
mod signals;
pub(crate) mod support;
pub(crate) mod terminal;
