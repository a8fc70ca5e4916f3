//! Which passphrase a run uses, and when a person is asked for it.

mod terminal;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

pub(crate) use terminal::{Terminal, restore_echo};

/// Bytes that are wiped when they are no longer needed.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Somebody who can be asked.
pub(crate) trait Ask: Send {
    /// Shows `prompt` and returns the line typed; `None` when nothing more comes.
    fn ask(&mut self, prompt: &str) -> io::Result<Option<Secret>>;
}

/// What a passphrase is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read what is encrypted, or to unlock the key that does.
    Decrypt,
    /// To encrypt to nobody but whoever knows it: confirmed by typing it twice, never empty.
    Encrypt,
    /// To unlock the signing key.
    Sign,
}

/// What is known before anybody is asked.
#[derive(Default)]
pub(crate) struct Given {
    /// `PASSPHRASE`.
    pub(crate) passphrase: Option<Secret>,
    /// `SIGN_PASSPHRASE`.
    pub(crate) sign_passphrase: Option<Secret>,
    /// Whether the signing key is also one of the recipients.
    pub(crate) signer_is_recipient: bool,
    /// Whether an agent is trusted with the passphrases: nobody is asked.
    pub(crate) use_agent: bool,
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassphraseError {
    #[error("no passphrase: PASSPHRASE is not set and standard input ended")]
    Ended,
    #[error("cannot read the passphrase")]
    Read(#[source] io::Error),
    #[error(
        "When using symmetric encryption, the signing passphrase must equal the encryption passphrase."
    )]
    SignerDiffers,
}

/// What was typed. Clones share it: the commands of one run ask once.
#[derive(Clone, Default)]
pub(crate) struct Typed(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    passphrase: Option<Secret>,
    /// Whether it was typed twice.
    confirmed: bool,
    for_signing: Option<Secret>,
}

impl Typed {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the passphrases of one run. What was typed once is not asked for again.
pub(crate) struct Passphrases {
    given: Given,
    asker: Box<dyn Ask>,
    notice: Box<dyn Fn(&str) + Send>,
    typed: Typed,
}

impl Passphrases {
    /// `notice` tells the user what happens: mismatches, and the reuse of one passphrase for both
    /// purposes.
    pub(crate) fn new(
        given: Given,
        asker: Box<dyn Ask>,
        notice: Box<dyn Fn(&str) + Send>,
        typed: Typed,
    ) -> Self {
        Self {
            given,
            asker,
            notice,
            typed,
        }
    }

    /// The passphrase for `purpose`, asked for at the terminal when nothing else gives it.
    ///
    /// # Errors
    /// When the input ends before an answer comes.
    pub(crate) fn get(&mut self, purpose: Purpose) -> Result<Secret, PassphraseError> {
        if let Some(secret) = self.known(purpose) {
            return Ok(secret);
        }
        let typed = match purpose {
            Purpose::Sign => self.typed.answers().for_signing.clone(),
            Purpose::Decrypt => self.typed.answers().passphrase.clone(),
            Purpose::Encrypt => return self.confirmed(),
        };
        if let Some(secret) = typed {
            return Ok(secret);
        }
        let sign = purpose == Purpose::Sign;
        let secret = self.ask(match sign {
            true => "GnuPG passphrase for signing key: ",
            false => DECRYPTION_PROMPT,
        })?;
        let mut answers = self.typed.answers();
        let slot = match sign {
            true => &mut answers.for_signing,
            false => &mut answers.passphrase,
        };
        Ok(slot.insert(secret).clone())
    }

    /// Checks that one passphrase serves both purposes of a symmetric, signed backup: gpg could
    /// otherwise not tell which is which.
    ///
    /// # Errors
    /// When both are given, not empty, and different.
    pub(crate) fn check_symmetric_signer(&mut self) -> Result<(), PassphraseError> {
        let (signing, encryption) = (self.get(Purpose::Sign)?, self.get(Purpose::Encrypt)?);
        if !signing.is_empty() && !encryption.is_empty() && signing != encryption {
            return Err(PassphraseError::SignerDiffers);
        }
        Ok(())
    }

    fn known(&self, purpose: Purpose) -> Option<Secret> {
        let Given {
            passphrase,
            sign_passphrase,
            signer_is_recipient,
            use_agent,
        } = &self.given;
        let reused = |secret: &Secret, message: &str| {
            (self.notice)(message);
            secret.clone()
        };
        let found = match purpose {
            Purpose::Sign => match (sign_passphrase, passphrase) {
                (Some(secret), _) => Some(secret.clone()),
                (None, Some(secret)) if *signer_is_recipient => Some(reused(
                    secret,
                    "Reuse configured PASSPHRASE as SIGN_PASSPHRASE",
                )),
                (None, Some(secret)) => Some(secret.clone()),
                (None, None) => None,
            },
            Purpose::Decrypt | Purpose::Encrypt => match (passphrase, sign_passphrase) {
                (Some(secret), _) => Some(secret.clone()),
                (None, Some(secret)) if *signer_is_recipient => Some(reused(
                    secret,
                    "Reuse configured SIGN_PASSPHRASE as PASSPHRASE",
                )),
                (None, _) => None,
            },
        };
        found.or_else(|| use_agent.then(Secret::default))
    }

    /// Asks until the same passphrase was typed twice and is not empty.
    fn confirmed(&mut self) -> Result<Secret, PassphraseError> {
        let mut typed = {
            let answers = self.typed.answers();
            if let Some(secret) = answers.passphrase.as_ref().filter(|_| answers.confirmed) {
                return Ok(secret.clone());
            }
            answers.passphrase.clone()
        };
        loop {
            let first = match typed.take() {
                Some(secret) => secret,
                None => self.ask(DECRYPTION_PROMPT)?,
            };
            let second = self.ask("Retype passphrase for decryption to confirm: ")?;
            if first != second {
                (self.notice)("First and second passphrases do not match!  Please try again.");
            } else if first.is_empty() {
                (self.notice)(
                    "Cannot use empty passphrase with symmetric encryption!  Please try again.",
                );
            } else {
                let mut answers = self.typed.answers();
                answers.confirmed = true;
                return Ok(answers.passphrase.insert(first).clone());
            }
        }
    }

    fn ask(&mut self, prompt: &str) -> Result<Secret, PassphraseError> {
        self.asker
            .ask(prompt)
            .map_err(PassphraseError::Read)?
            .ok_or(PassphraseError::Ended)
    }
}

impl std::fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passphrases").finish_non_exhaustive()
    }
}

const DECRYPTION_PROMPT: &str = "GnuPG passphrase for decryption: ";

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers in order; what was shown is kept.
    struct Script {
        answers: Vec<&'static str>,
        shown: Arc<Mutex<Vec<String>>>,
    }

    impl Ask for Script {
        fn ask(&mut self, prompt: &str) -> io::Result<Option<Secret>> {
            self.shown.lock().unwrap().push(prompt.to_owned());
            let next = (!self.answers.is_empty()).then(|| self.answers.remove(0));
            Ok(next.map(|answer| Secret::new(answer.into())))
        }
    }

    fn scripted(given: Given, answers: &[&'static str]) -> (Passphrases, Arc<Mutex<Vec<String>>>) {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let asker = Script {
            answers: answers.to_vec(),
            shown: Arc::clone(&shown),
        };
        let told = Arc::clone(&shown);
        let notice = move |text: &str| told.lock().unwrap().push(text.to_owned());
        (
            Passphrases::new(given, Box::new(asker), Box::new(notice), Typed::default()),
            shown,
        )
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text.into()))
    }

    #[test]
    fn what_the_environment_gives_is_not_asked_for() {
        let given = Given {
            passphrase: secret("a"),
            sign_passphrase: secret("b"),
            ..Given::default()
        };
        let (mut passphrases, shown) = scripted(given, &[]);
        assert_eq!(**passphrases.get(Purpose::Decrypt).unwrap(), *b"a");
        assert_eq!(**passphrases.get(Purpose::Encrypt).unwrap(), *b"a");
        assert_eq!(**passphrases.get(Purpose::Sign).unwrap(), *b"b");
        assert!(shown.lock().unwrap().is_empty());
    }

    #[test]
    fn an_empty_passphrase_in_the_environment_is_an_answer() {
        let (mut passphrases, _) = scripted(
            Given {
                passphrase: secret(""),
                ..Given::default()
            },
            &[],
        );
        assert!(passphrases.get(Purpose::Decrypt).unwrap().is_empty());
    }

    #[test]
    fn the_passphrase_serves_for_signing_too() {
        let (mut passphrases, shown) = scripted(
            Given {
                passphrase: secret("a"),
                ..Given::default()
            },
            &[],
        );
        assert_eq!(**passphrases.get(Purpose::Sign).unwrap(), *b"a");
        assert!(shown.lock().unwrap().is_empty());
    }

    #[test]
    fn a_signer_who_is_recipient_lends_the_passphrase_with_a_notice() {
        let given = Given {
            sign_passphrase: secret("b"),
            signer_is_recipient: true,
            ..Given::default()
        };
        let (mut passphrases, shown) = scripted(given, &[]);
        assert_eq!(**passphrases.get(Purpose::Decrypt).unwrap(), *b"b");
        assert_eq!(
            *shown.lock().unwrap(),
            ["Reuse configured SIGN_PASSPHRASE as PASSPHRASE"]
        );
    }

    #[test]
    fn an_agent_needs_no_passphrase() {
        let (mut passphrases, shown) = scripted(
            Given {
                use_agent: true,
                ..Given::default()
            },
            &[],
        );
        assert!(passphrases.get(Purpose::Decrypt).unwrap().is_empty());
        assert!(shown.lock().unwrap().is_empty());
    }

    #[test]
    fn a_reader_is_asked_once() {
        let (mut passphrases, shown) = scripted(Given::default(), &["x", "never"]);
        assert_eq!(**passphrases.get(Purpose::Decrypt).unwrap(), *b"x");
        assert_eq!(**passphrases.get(Purpose::Decrypt).unwrap(), *b"x");
        assert_eq!(
            *shown.lock().unwrap(),
            ["GnuPG passphrase for decryption: "]
        );
    }

    #[test]
    fn a_writer_types_twice_what_a_reader_typed_once() {
        let (mut passphrases, shown) = scripted(Given::default(), &["x", "x"]);
        assert_eq!(**passphrases.get(Purpose::Decrypt).unwrap(), *b"x");
        assert_eq!(**passphrases.get(Purpose::Encrypt).unwrap(), *b"x");
        assert_eq!(**passphrases.get(Purpose::Encrypt).unwrap(), *b"x");
        assert_eq!(
            *shown.lock().unwrap(),
            [
                "GnuPG passphrase for decryption: ",
                "Retype passphrase for decryption to confirm: "
            ]
        );
    }

    #[test]
    fn commands_that_share_what_was_typed_ask_once() {
        let (mut first, shown) = scripted(Given::default(), &["x", "x", "s"]);
        first.get(Purpose::Encrypt).unwrap();
        first.get(Purpose::Sign).unwrap();
        let (mut second, asked) = scripted(Given::default(), &[]);
        second.typed = first.typed.clone();
        for (purpose, expected) in [
            (Purpose::Decrypt, b"x"),
            (Purpose::Encrypt, b"x"),
            (Purpose::Sign, b"s"),
        ] {
            assert_eq!(**second.get(purpose).unwrap(), *expected, "{purpose:?}");
        }
        assert_eq!(shown.lock().unwrap().len(), 3);
        assert!(asked.lock().unwrap().is_empty());
    }

    #[test]
    fn a_writer_is_asked_until_both_agree_and_are_not_empty() {
        let (mut passphrases, shown) = scripted(Given::default(), &["x", "y", "", "", "z", "z"]);
        assert_eq!(**passphrases.get(Purpose::Encrypt).unwrap(), *b"z");
        let shown = shown.lock().unwrap();
        assert_eq!(
            shown[2],
            "First and second passphrases do not match!  Please try again."
        );
        assert_eq!(
            shown[5],
            "Cannot use empty passphrase with symmetric encryption!  Please try again."
        );
        assert_eq!(shown.len(), 8);
    }

    #[test]
    fn the_end_of_the_input_is_an_error() {
        let (mut passphrases, _) = scripted(Given::default(), &["only one"]);
        assert!(matches!(
            passphrases.get(Purpose::Encrypt),
            Err(PassphraseError::Ended)
        ));
    }

    #[test]
    fn a_symmetric_backup_has_one_passphrase_for_both() {
        let given = Given {
            passphrase: secret("a"),
            sign_passphrase: secret("b"),
            ..Given::default()
        };
        let (mut passphrases, _) = scripted(given, &[]);
        assert!(matches!(
            passphrases.check_symmetric_signer(),
            Err(PassphraseError::SignerDiffers)
        ));
        let given = Given {
            passphrase: secret("a"),
            sign_passphrase: secret("a"),
            ..Given::default()
        };
        assert!(scripted(given, &[]).0.check_symmetric_signer().is_ok());
    }
}
