//! Keys and passphrases of a run, made when something encrypted is met and not before.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use redup_engine::{Error, KeyProvider, SignedBy, VolumeMode};
use redup_openpgp::{
    Agent, AgentOptions, Compression, Decryptor, DecryptorOptions, Encryptor, EncryptorOptions,
    Keyring, KeyringOptions, Recipient, Secret, Signer,
};

use super::{CompressAlgo, GpgOptions, expand};
use crate::args::{Args, Opt};
use crate::env::Environment;
use crate::exit::{Failure, command_line};
use crate::passphrase::{Given, PassphraseError, Passphrases, Purpose, Terminal, Typed};
use crate::ui::{Level, Message, Ui};

/// Level of compression when nothing else is said: duplicity's, and so its size.
const DEFAULT_LEVEL: u32 = 6;

/// Everything the command line says about encryption.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    /// Whether new volumes are encrypted.
    pub(crate) enabled: bool,
    /// Keys to encrypt to.
    recipients: Vec<RecipientId>,
    /// The signing key; the last one named.
    sign_key: Option<String>,
    /// What must be signed to be read, and by whom.
    signed_by: Option<SignedBy>,
    compress: bool,
    algo: Option<CompressAlgo>,
    level: u32,
    use_agent: bool,
    /// Whether this run makes a backup.
    writes: bool,
    gnupg_home: Option<PathBuf>,
    key_files: Vec<PathBuf>,
    /// What to tell at info level about gpg's options.
    pub(crate) remarks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct RecipientId {
    id: String,
    hidden: bool,
}

impl Encryption {
    /// Reads the options about keys, encryption and compression.
    ///
    /// # Errors
    /// When `--gpg-options` asks for something unknown, or a level is no level.
    pub(crate) fn of(args: &Args, environment: &Environment) -> Result<Self, Failure> {
        let options = &args.options;
        let gpg = GpgOptions::parse(&options.words(Opt::GpgOptions))
            .map_err(|error| command_line(error.to_string()))?;
        let level = match options.number(Opt::CompressLevel).map(u32::try_from) {
            None => gpg.level.unwrap_or(DEFAULT_LEVEL),
            Some(Ok(level @ 0..=9)) => level,
            Some(_) => {
                return Err(command_line(
                    "option --compress-level: a level is a number from 0 to 9",
                ));
            }
        };
        let mut key_files: Vec<PathBuf> = options
            .all_os(Opt::SecretKeyFile)
            .map(|word| expand(word, environment).into())
            .collect();
        key_files.extend(gpg.key_files);
        key_files.extend(super::file(args, Opt::EncryptSecretKeyring, environment));
        let enabled = options.switch(Opt::Encryption, true);
        let writes = args.command.is_backup();
        let sign_key = sign_key(args);
        // A backup signs, and goes on with what is there, as duplicity does.
        let signed_by = sign_key.clone().map(|key| SignedBy {
            key,
            metadata: !writes,
            unencrypted: !enabled,
        });
        Ok(Self {
            enabled,
            recipients: recipients(args),
            sign_key,
            signed_by,
            compress: options.switch(Opt::Compression, true),
            algo: gpg.compression,
            level,
            use_agent: options.flag(Opt::UseAgent),
            writes,
            gnupg_home: gpg.homedir.or_else(|| environment.gnupg_home()),
            key_files,
            remarks: gpg.remarks,
        })
    }

    /// How volumes are written.
    pub(crate) fn volume_mode(&self) -> VolumeMode {
        match (self.enabled, self.compress) {
            (true, _) => VolumeMode::Encrypted,
            (false, true) => VolumeMode::Gzip { level: self.level },
            (false, false) => VolumeMode::Plain,
        }
    }

    /// gpg's own choice of algorithm: zlib with recipients, zip with a passphrase alone.
    fn compression(&self) -> Compression {
        let chosen = match self.recipients.is_empty() {
            true => CompressAlgo::Zip,
            false => CompressAlgo::Zlib,
        };
        match self.algo.unwrap_or(chosen) {
            _ if !self.compress => Compression::None,
            CompressAlgo::None => Compression::None,
            CompressAlgo::Zip => Compression::Zip(self.level),
            CompressAlgo::Zlib => Compression::Zlib(self.level),
        }
    }

    /// Whether the run's own options leave nothing to ask a passphrase for: the agent has it, nothing
    /// is encrypted, or only public keys are used.
    fn needs_no_passphrase(&self) -> bool {
        self.use_agent || !self.enabled || (self.writes && !self.recipients.is_empty())
    }

    fn signer_is_recipient(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| Some(&recipient.id) == self.sign_key.as_ref())
    }
}

fn recipients(args: &Args) -> Vec<RecipientId> {
    let mut recipients = Vec::new();
    for occurrence in args.options.iter() {
        let hidden = match occurrence.spec.id {
            Opt::EncryptKey | Opt::EncryptSignKey => false,
            Opt::HiddenEncryptKey => true,
            _ => continue,
        };
        let recipient = occurrence.text().map(|id| RecipientId {
            id: id.to_owned(),
            hidden,
        });
        recipients.extend(recipient);
    }
    recipients
}

fn sign_key(args: &Args) -> Option<String> {
    let signs = |id| matches!(id, Opt::SignKey | Opt::EncryptSignKey);
    let last = args
        .options
        .iter()
        .rfind(|occurrence| signs(occurrence.spec.id))?;
    last.text().map(str::to_owned)
}

/// The keys of a run: opened once, at the first use.
pub(crate) struct Keys {
    encryption: Encryption,
    passphrases: Mutex<Passphrases>,
    /// Whether `PASSPHRASE` is set, so that it is used even where none is needed.
    has_passphrase: bool,
    agent: Agent,
    keyring: OnceLock<Arc<Keyring>>,
    decryptor: Mutex<Option<Arc<Decryptor>>>,
    encryptor: Mutex<Option<Arc<Encryptor>>>,
}

impl Keys {
    /// Nothing is read or asked yet.
    pub(crate) fn new(
        encryption: Encryption,
        environment: &Environment,
        ui: &Arc<Ui>,
        typed: Typed,
    ) -> Self {
        let given = Given {
            passphrase: environment.passphrase(),
            sign_passphrase: environment.sign_passphrase(),
            signer_is_recipient: encryption.signer_is_recipient(),
            use_agent: encryption.use_agent,
        };
        let has_passphrase = given.passphrase.is_some()
            || (given.sign_passphrase.is_some() && given.signer_is_recipient);
        let told = Arc::clone(ui);
        let notice = move |text: &str| told.say(&Message::new(Level::NOTICE, text).forced());
        let agent = Agent::new(AgentOptions {
            gnupg_home: encryption.gnupg_home.clone(),
            pinentry: Vec::new(),
        });
        Self {
            encryption,
            passphrases: Mutex::new(Passphrases::new(
                given,
                Box::new(Terminal::new(Arc::clone(ui))),
                Box::new(notice),
                typed,
            )),
            has_passphrase,
            agent,
            keyring: OnceLock::new(),
            decryptor: Mutex::new(None),
            encryptor: Mutex::new(None),
        }
    }

    /// Checks, before anything is read, that a symmetric and signed backup has one passphrase.
    ///
    /// # Errors
    /// When it has two, or none can be had.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let encryption = &self.encryption;
        if encryption.enabled
            && encryption.writes
            && encryption.sign_key.is_some()
            && self.is_symmetric()
        {
            lock(&self.passphrases).check_symmetric_signer()?;
        }
        Ok(())
    }

    fn keyring(&self) -> Result<Arc<Keyring>, Error> {
        if let Some(keyring) = self.keyring.get() {
            return Ok(Arc::clone(keyring));
        }
        let options = KeyringOptions {
            gnupg_home: self.encryption.gnupg_home.clone(),
            key_files: self.encryption.key_files.clone(),
        };
        let opened = Keyring::open(&options).map_err(|source| failed("the keyring", source))?;
        Ok(Arc::clone(self.keyring.get_or_init(|| Arc::new(opened))))
    }

    fn new_decryptor(&self) -> Result<Decryptor, Error> {
        let passphrase = if self.encryption.use_agent
            || (!self.has_passphrase && self.encryption.needs_no_passphrase())
        {
            None
        } else {
            Some(self.passphrase(Purpose::Decrypt)?)
        };
        Ok(Decryptor::new(DecryptorOptions {
            passphrase,
            keyring: Some(self.keyring()?),
            agent: Some(self.agent.clone()),
        }))
    }

    fn new_encryptor(&self) -> Result<Encryptor, Error> {
        let encryption = &self.encryption;
        let passphrase = if self.is_symmetric() {
            Some(self.passphrase(Purpose::Encrypt)?)
        } else {
            None
        };
        let recipients = encryption
            .recipients
            .iter()
            .map(|recipient| self.recipient(recipient));
        let options = EncryptorOptions {
            recipients: recipients.collect::<Result<_, _>>()?,
            passphrase,
            signer: encryption
                .sign_key
                .as_deref()
                .map(|id| self.signer(id))
                .transpose()?,
            compression: encryption.compression(),
        };
        Encryptor::new(options).map_err(|source| failed("the encryption of volumes", source))
    }

    fn recipient(&self, RecipientId { id, hidden }: &RecipientId) -> Result<Recipient, Error> {
        let recipient = self
            .keyring()?
            .recipient(id)
            .map_err(|source| failed("the keys to encrypt to", source))?;
        Ok(if *hidden {
            recipient.hidden()
        } else {
            recipient
        })
    }

    fn signer(&self, id: &str) -> Result<Signer, Error> {
        let passphrase = match self.encryption.use_agent {
            true => None,
            false => Some(self.passphrase(Purpose::Sign)?),
        };
        self.keyring()?
            .signer(id, passphrase.as_ref(), Some(&self.agent))
            .map_err(|source| failed("the signing key", source))
    }

    fn passphrase(&self, purpose: Purpose) -> Result<Secret, Error> {
        let secret = lock(&self.passphrases)
            .get(purpose)
            .map_err(|error| match error {
                PassphraseError::Ended => Error::NoPassphrase,
                other => Error::Keys {
                    message: other.to_string(),
                },
            })?;
        Ok(Secret::new(secret.to_vec()))
    }
}

impl KeyProvider for Keys {
    fn decryptor(&self) -> Result<Arc<Decryptor>, Error> {
        let mut slot = lock(&self.decryptor);
        if let Some(decryptor) = &*slot {
            return Ok(Arc::clone(decryptor));
        }
        let made = Arc::new(self.new_decryptor()?);
        Ok(Arc::clone(slot.insert(made)))
    }

    fn encryptor(&self) -> Result<Arc<Encryptor>, Error> {
        let mut slot = lock(&self.encryptor);
        if let Some(encryptor) = &*slot {
            return Ok(Arc::clone(encryptor));
        }
        let made = Arc::new(self.new_encryptor()?);
        Ok(Arc::clone(slot.insert(made)))
    }

    fn is_symmetric(&self) -> bool {
        self.encryption.recipients.is_empty()
    }

    fn required_signer(&self) -> Option<&SignedBy> {
        self.encryption.signed_by.as_ref()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

fn failed(object: &str, source: redup_openpgp::Error) -> Error {
    Error::OpenPgp {
        object: object.to_owned(),
        source,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn encryption(line: &str) -> Result<Encryption, Failure> {
        match parse(line.split(' ').map(Into::into), &|_| false) {
            Ok(Parsed::Run(args)) => Encryption::of(&args, &Environment::from([("HOME", "/h")])),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn recipients_keep_their_order_and_whether_they_are_hidden() {
        let read =
            encryption("src file:///t --encrypt-key A --hidden-encrypt-key B --encrypt-sign-key C")
                .unwrap();
        let ids: Vec<_> = read
            .recipients
            .iter()
            .map(|r| (r.id.as_str(), r.hidden))
            .collect();
        assert_eq!(ids, [("A", false), ("B", true), ("C", false)]);
        assert_eq!(read.sign_key.as_deref(), Some("C"));
        assert!(read.signer_is_recipient());
    }

    #[test]
    fn who_reads_with_a_signing_key_asks_for_its_signature_on_everything() {
        let asked = |line: &str| encryption(line).unwrap().signed_by;
        let by = |metadata, unencrypted| {
            let key = "K".to_owned();
            Some(SignedBy {
                key,
                metadata,
                unencrypted,
            })
        };
        assert_eq!(asked("file:///t out"), None);
        assert_eq!(asked("file:///t out --sign-key K"), by(true, false));
        assert_eq!(
            asked("verify file:///t out --encrypt-sign-key K --no-encryption"),
            by(true, true)
        );
        assert_eq!(asked("src file:///t --sign-key K"), by(false, false));
    }

    #[test]
    fn compression_follows_gpg_unless_told_otherwise() {
        let compression = |line: &str| encryption(line).unwrap().compression();
        assert_eq!(compression("src file:///t"), Compression::Zip(6));
        assert_eq!(
            compression("src file:///t --encrypt-key A"),
            Compression::Zlib(6)
        );
        assert_eq!(
            compression("src file:///t --no-compression"),
            Compression::None
        );
        assert_eq!(
            compression("src file:///t --gpg-options -z9"),
            Compression::Zip(9)
        );
        assert_eq!(
            compression("src file:///t --gpg-options --compress-algo=none"),
            Compression::None
        );
        assert_eq!(
            compression("src file:///t --compress-level 1"),
            Compression::Zip(1)
        );
        assert!(encryption("src file:///t --compress-level 10").is_err());
    }

    #[test]
    fn volumes_are_encrypted_unless_told_otherwise() {
        let mode = |line: &str| encryption(line).unwrap().volume_mode();
        assert_eq!(mode("src file:///t"), VolumeMode::Encrypted);
        assert_eq!(
            mode("src file:///t --no-encryption"),
            VolumeMode::Gzip { level: 6 }
        );
        assert_eq!(
            mode("src file:///t --no-encryption --no-compression"),
            VolumeMode::Plain
        );
    }

    #[test]
    fn only_who_reads_or_types_a_secret_is_asked_for_it() {
        let needs_none = |line: &str| encryption(line).unwrap().needs_no_passphrase();
        assert!(!needs_none("src file:///t"));
        assert!(needs_none("src file:///t --encrypt-key A"));
        assert!(needs_none("src file:///t --no-encryption"));
        assert!(needs_none("file:///t out --use-agent"));
        assert!(!needs_none("file:///t out --encrypt-key A"));
    }

    #[test]
    fn the_gnupg_home_is_the_nearest_one_named() {
        assert_eq!(
            encryption("src file:///t").unwrap().gnupg_home,
            Some("/h/.gnupg".into())
        );
        let named = encryption("src file:///t --gpg-options --homedir=/x").unwrap();
        assert_eq!(named.gnupg_home, Some("/x".into()));
        let files = encryption("src file:///t --secret-key-file ~/k --secret-key-file l")
            .unwrap()
            .key_files;
        assert_eq!(files, [PathBuf::from("/h/k"), PathBuf::from("l")]);
    }
}
