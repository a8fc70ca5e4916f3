//! OpenPGP messages, keys and passphrases for encrypted volumes.
//!
//! [`Encryptor`] turns a byte stream into one binary OpenPGP message that every gpg since 1.4 reads;
//! [`Decryptor`] reads back what two decades of gpg wrote. Both stream with bounded memory and need no
//! gpg program.
//!
//! The bulk of a message (packet framing, the encrypted data packets, compression, literal data) is ours:
//! modules `packet`, `bulk` and [`deflate`]. Certificates, key packets, signatures and the policy that
//! chooses recipients come from `sequoia-openpgp`; none of its types is part of this crate's interface.
//!
//! Format facts are those of RFC 4880, of RFC 9580 where it describes the same packets, and of LibrePGP for the OCB
//! encrypted data packet.
#![forbid(unsafe_code)]

mod agent;
mod armor;
mod bulk;
mod cipher;
pub mod deflate;
mod error;
mod inflate;
mod keyring;
mod message;
mod packet;
mod s2k;
mod secret;
mod signer;

pub use agent::{Agent, AgentOptions};
pub use error::{Error, Result};
pub use keyring::{Keyring, KeyringOptions, Recipient};
pub use message::decrypt::{Decryptor, DecryptorOptions};
pub use message::encrypt::{Compression, Encryptor, EncryptorOptions};
pub use message::reader::MessageReader;
pub use message::report::{MessageReport, SignatureReport, Validity, Warning};
pub use message::writer::MessageWriter;
pub use secret::Secret;
pub use signer::Signer;
