//! Whole messages: how packets nest, and whose keys open them.

pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod public;
pub(crate) mod reader;
pub(crate) mod report;
pub(crate) mod session;
pub(crate) mod verify;
pub(crate) mod writer;
