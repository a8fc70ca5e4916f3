//! Secret keys that gpg-agent holds, used over its socket.
//!
//! A small client of our own: the protocol is lines of text, and the four requests that are needed
//! (`HAVEKEY`, `PKDECRYPT`, `PKSIGN` and what sets them up) have been the same since GnuPG 2.1. No gpg program is
//! needed while the agent runs; `gpgconf` starts it and finds its socket otherwise.

mod assuan;
mod key;
mod keygrip;
mod sexp;
mod socket;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) use key::AgentKey;
pub(crate) use keygrip::Keygrip;

use crate::error::{Error, Result};
use crate::keyring::PublicKey;
use assuan::Connection;

/// How to find and talk to gpg-agent.
#[derive(Clone, Debug, Default)]
pub struct AgentOptions {
    /// GnuPG's home; `None` is GnuPG's own default.
    pub gnupg_home: Option<PathBuf>,
    /// Options for the program that asks for passphrases, such as `("ttyname", "/dev/pts/1")`. Used for keys whose
    /// passphrase is not handed in.
    pub pinentry: Vec<(String, String)>,
}

/// gpg-agent, connected to anew for each use; clones share what was learnt.
#[derive(Clone)]
pub struct Agent(Arc<Inner>);

struct Inner {
    options: AgentOptions,
    socket: OnceLock<PathBuf>,
    keygrips: Mutex<HashMap<String, Option<Keygrip>>>,
    has_key: Mutex<HashMap<Keygrip, bool>>,
}

impl Agent {
    /// Connects to nothing yet: a machine without GnuPG has an agent without keys.
    pub fn new(options: AgentOptions) -> Self {
        Self(Arc::new(Inner {
            options,
            socket: OnceLock::new(),
            keygrips: Mutex::default(),
            has_key: Mutex::default(),
        }))
    }

    /// The agent's name for a key; `None` for kinds of keys it cannot have.
    pub(crate) fn keygrip(&self, key: &PublicKey) -> Option<Keygrip> {
        let fingerprint = key.fingerprint().to_hex();
        let mut known = self
            .0
            .keygrips
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(keygrip) = known.get(&fingerprint) {
            return keygrip.clone();
        }
        let keygrip = keygrip::compute(key)
            .or_else(|| keygrip::ask_gpg(self.0.options.gnupg_home.as_deref(), &fingerprint));
        known.insert(fingerprint, keygrip.clone());
        keygrip
    }

    /// Whether the agent has the secret key. No agent and no way to start one means no key.
    pub(crate) fn has_key(&self, keygrip: &Keygrip) -> Result<bool> {
        let known = self
            .0
            .has_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(keygrip)
            .copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let Some(mut connection) = self.connect_if_present()? else {
            return Ok(false);
        };
        let has = connection.ask_bool(&format!("HAVEKEY {keygrip}"))?;
        self.0
            .has_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(keygrip.clone(), has);
        Ok(has)
    }

    fn connect(&self) -> Result<Connection> {
        self.connect_if_present()?.ok_or(Error::Agent {
            what: "there is none, and gpgconf cannot start one".into(),
            source: None,
        })
    }

    fn connect_if_present(&self) -> Result<Option<Connection>> {
        socket::connect(self.0.options.gnupg_home.as_deref(), &self.0.socket)?
            .map(Connection::open)
            .transpose()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
