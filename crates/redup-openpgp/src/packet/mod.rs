//! Packet framing: headers and bodies, without any meaning.
//!
//! Pure: works on `BufRead` and `Write`, opens nothing and asks no clock.

mod body;
mod header;
mod partial;

pub(crate) use body::{Body, BodyReader};
pub(crate) use header::{Header, write_header};
pub(crate) use partial::PartialWriter;

/// Packet types that occur in messages.
pub(crate) mod tag {
    pub(crate) const PKESK: u8 = 1;
    pub(crate) const SIGNATURE: u8 = 2;
    pub(crate) const SKESK: u8 = 3;
    pub(crate) const ONE_PASS_SIGNATURE: u8 = 4;
    pub(crate) const COMPRESSED: u8 = 8;
    pub(crate) const SED: u8 = 9;
    pub(crate) const MARKER: u8 = 10;
    pub(crate) const LITERAL: u8 = 11;
    pub(crate) const SEIPD: u8 = 18;
    pub(crate) const AED: u8 = 20;
    pub(crate) const PADDING: u8 = 21;
}
