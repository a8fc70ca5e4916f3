//! Whole messages: how packets nest, and whose keys open them.

pub(crate) mod decrypt;
pub(crate) mod encrypt;
mod public;
pub(crate) mod reader;
pub(crate) mod report;
mod session;
mod verify;
pub(crate) mod writer;

pub(crate) use session::SessionKey;
