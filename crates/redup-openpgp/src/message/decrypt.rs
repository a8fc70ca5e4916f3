//! From an encrypted message to a reader of its content: finds the key, opens the container.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use super::public::{KeyCache, Pkesk, SecretKeys};
use super::reader::{MessageReader, Source};
use super::report::{MessageReport, Warning};
use super::session::{SessionKey, Skesk};
use crate::agent::Agent;
use crate::armor::{Dearmor, is_armored};
use crate::bulk::{LockedOcb, MdcReader, NoMdcReader, exactly, key_fits};
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::packet::{Body, BodyReader, Header, tag};
use crate::s2k::S2kCache;
use crate::secret::Secret;

/// What may open messages.
#[derive(Clone, Debug, Default)]
pub struct DecryptorOptions {
    /// For symmetric messages, and for protected secret keys in files or in the agent. Without it the agent may prompt.
    pub passphrase: Option<Secret>,
    /// Secret keys, public keys that lead to the agent's secret ones, and keys that signatures are checked with.
    pub keyring: Option<Arc<Keyring>>,
    /// Asked for secret keys that the keyring has the public part of only.
    pub agent: Option<Agent>,
}

/// Opens messages; can be shared between threads.
///
/// Accepts what gpg ever wrote as far as the key allows; what is weak about a message is reported, not refused.
pub struct Decryptor {
    options: DecryptorOptions,
    s2k: S2kCache,
    keys: KeyCache,
}

/// Key packets before the encrypted data; more recipients than anybody has, few enough to try.
const MAX_KEY_PACKETS: usize = 256;

/// Passphrase packets that are tried: each may cost a tenth of a second.
const MAX_PASSPHRASE_PACKETS: usize = 16;

/// Size of a key packet: an RSA key of 16384 bits takes 2 KiB.
const MAX_KEY_PACKET_LEN: usize = 1 << 16;

/// Buffer between the input and the packet parser.
const INPUT_BUFFER: usize = 1 << 16;

/// The largest prefix of encrypted data and one octet behind it, enough to judge a key.
const START_LEN: usize = 19;

impl Decryptor {
    /// Remembers what may open messages; nothing is derived or asked until a message needs it.
    pub fn new(options: DecryptorOptions) -> Self {
        Self {
            options,
            s2k: S2kCache::default(),
            keys: KeyCache::default(),
        }
    }

    /// Opens one message and reads up to its content.
    ///
    /// Errors tell a wrong passphrase, a missing key, damage and unknown features apart. What follows the message in
    /// `input` is not looked at.
    pub fn open<'a, R: Read + Send + 'a>(&self, input: R) -> Result<MessageReader<'a>> {
        let Opened { source, report } = self.open_container(input)?;
        MessageReader::new(source, report, self.options.keyring.clone())
    }

    /// Reads one message to its end for its integrity alone: nothing inside is unpacked, so this costs a fraction of
    /// reading the content. Signatures are not looked at, and the report names none.
    ///
    /// A message without integrity protection passes, with that warning: there is nothing to check.
    pub fn check_integrity<R: Read + Send>(&self, input: R) -> Result<MessageReport> {
        let Opened { mut source, report } = self.open_container(input)?;
        loop {
            let len = source.fill_buf().map_err(Error::from_io)?.len();
            if len == 0 {
                return Ok(report);
            }
            source.consume(len);
        }
    }

    fn open_container<'a, R: Read + Send + 'a>(&self, input: R) -> Result<Opened<'a>> {
        let mut input = BufReader::with_capacity(INPUT_BUFFER, input);
        if is_armored(input.fill_buf()?) {
            self.open_packets(BufReader::new(Dearmor::new(input)?))
        } else {
            self.open_packets(input)
        }
    }

    fn open_packets<'a>(&self, mut input: impl BufRead + Send + 'a) -> Result<Opened<'a>> {
        let mut keys = KeyPackets::default();
        for _ in 0..MAX_KEY_PACKETS {
            let header = Header::read(&mut input)?.ok_or(Error::truncated("no encrypted data"))?;
            let mut body = Body::new(header.length);
            match header.tag {
                tag::MARKER | tag::PADDING => body.skip(&mut input)?,
                tag::SKESK => keys
                    .passphrase
                    .push(body.collect(&mut input, MAX_KEY_PACKET_LEN)?),
                tag::PKESK => keys
                    .public
                    .push(body.collect(&mut input, MAX_KEY_PACKET_LEN)?),
                tag::SEIPD => return self.open_seipd(&keys, BodyReader::new(input, body)),
                tag::SED => return self.open_sed(&keys, BodyReader::new(input, body)),
                tag::AED => return self.open_ocb(&keys, BodyReader::new(input, body)),
                tag::LITERAL | tag::COMPRESSED | tag::ONE_PASS_SIGNATURE | tag::SIGNATURE => {
                    return Err(Error::damaged("the data are not encrypted"));
                }
                other => return Err(Error::unsupported("packet", other)),
            }
        }
        Err(Error::Limit {
            what: "number of key packets",
        })
    }

    fn open_seipd<'a>(
        &self,
        keys: &KeyPackets,
        mut body: impl BufRead + Send + 'a,
    ) -> Result<Opened<'a>> {
        let start: [u8; START_LEN + 1] = exactly(&mut body)?;
        let (version, start) = (start[0], &start[1..]);
        if version != 1 {
            return Err(Error::unsupported("encrypted data version", version));
        }
        let session = self.session_key(keys, |session| {
            key_fits(session.cipher, &session.key, start, false)
        })?;
        let source = MdcReader::new(session.cipher, &session.key, start, body)?;
        Ok(Opened::new(
            Box::new(source),
            &session,
            MessageReport::default(),
        ))
    }

    fn open_sed<'a>(
        &self,
        keys: &KeyPackets,
        mut body: impl BufRead + Send + 'a,
    ) -> Result<Opened<'a>> {
        let start: [u8; START_LEN] = exactly(&mut body)?;
        let session = self.session_key(keys, |session| {
            key_fits(session.cipher, &session.key, &start, true)
        })?;
        let source = BufReader::new(NoMdcReader::new(
            session.cipher,
            &session.key,
            &start,
            body,
        )?);
        let report = MessageReport {
            warnings: vec![Warning::NoIntegrityProtection],
            ..MessageReport::default()
        };
        Ok(Opened::new(Box::new(source), &session, report))
    }

    fn open_ocb<'a>(
        &self,
        keys: &KeyPackets,
        body: impl BufRead + Send + 'a,
    ) -> Result<Opened<'a>> {
        let locked = LockedOcb::read(body)?;
        let session = self.session_key(keys, |session| locked.fits(session))?;
        let source = locked.unlock(&session)?;
        Ok(Opened::new(
            Box::new(source),
            &session,
            MessageReport::default(),
        ))
    }

    /// Tries what opens the key packets until `fits` accepts a session key: secret keys, then the passphrase.
    ///
    /// When nothing does, the error is the one that helps most: what is wrong with a key that is there, the
    /// passphrase, or the keys that would be needed.
    fn session_key(
        &self,
        keys: &KeyPackets,
        fits: impl Fn(&SessionKey) -> Result<bool>,
    ) -> Result<SessionKey> {
        let mut failure = None;
        match self.open_with_secret_keys(keys, &fits) {
            Ok(Some(session)) => return Ok(session),
            Ok(None) => {}
            Err(error) => failure = Some(error),
        }
        if keys.passphrase.is_empty() {
            return Err(failure.unwrap_or_else(|| Error::NoSecretKey {
                key_ids: keys.public_ids(),
            }));
        }
        let Some(passphrase) = &self.options.passphrase else {
            return Err(failure.unwrap_or(Error::PassphraseMissing));
        };
        for packet in keys.passphrase.iter().take(MAX_PASSPHRASE_PACKETS) {
            match Skesk::parse(packet) {
                Ok(skesk) => {
                    if let Some(session) = skesk.open(passphrase, &self.s2k)
                        && fits(&session)?
                    {
                        return Ok(session);
                    }
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(Error::WrongPassphrase))
    }

    fn open_with_secret_keys(
        &self,
        keys: &KeyPackets,
        fits: &dyn Fn(&SessionKey) -> Result<bool>,
    ) -> Result<Option<SessionKey>> {
        let Some(keyring) = &self.options.keyring else {
            return Ok(None);
        };
        let secret_keys = SecretKeys {
            keyring,
            passphrase: self.options.passphrase.as_ref(),
            agent: self.options.agent.as_ref(),
            cache: &self.keys,
        };
        let mut failure = None;
        for packet in &keys.public {
            match Pkesk::parse(packet).and_then(|pkesk| secret_keys.open(&pkesk, fits)) {
                Ok(Some(session)) => return Ok(Some(session)),
                Ok(None) => {}
                // One recipient's broken packet does not shut out the others.
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

/// A container whose key was found.
struct Opened<'a> {
    /// What it holds; reading it to its end checks its integrity.
    source: Source<'a>,
    report: MessageReport,
}

impl<'a> Opened<'a> {
    fn new(source: Source<'a>, session: &SessionKey, mut report: MessageReport) -> Self {
        if session.cipher.block_len() < 16 {
            report.warnings.push(Warning::SmallBlocks);
        }
        Self { source, report }
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryptor")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Bodies of the packets that carry the session key.
#[derive(Default)]
struct KeyPackets {
    passphrase: Vec<Vec<u8>>,
    public: Vec<Vec<u8>>,
}

impl KeyPackets {
    /// Ids of the keys the message is encrypted to.
    fn public_ids(&self) -> Vec<String> {
        self.public
            .iter()
            .filter_map(|body| body.get(1..9))
            .map(|id| id.iter().map(|octet| format!("{octet:02X}")).collect())
            .collect()
    }
}
