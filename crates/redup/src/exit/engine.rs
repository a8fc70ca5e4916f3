//! Which code, words and hints go with a failure of the engine or the store.

use std::error::Error as StdError;
use std::io;

use redup_engine::Error;
use redup_storage::{ErrorKind, Op};

use super::{Code, Failure};
use crate::ui::quote_word;

/// Nothing can be restored by leaving them out: nothing is restored from them.
const DAMAGED_SIGNATURES: &str = "if the archive dir has that file, remove it there and it is fetched anew; else make a full backup";

const DAMAGED_MANIFEST: &str =
    "restore an older time with --time, or bring that manifest back from a copy";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let error = match error {
            // It speaks for the store's error, and a search of its sources would miss that.
            Error::Storage(error) => return error.into(),
            error => error,
        };
        let base = |code| Self::from_error(code, &error);
        match &error {
            Error::Locked(dir) => Self::new(
                Code::COMMAND_LINE,
                format!(
                    "Another duplicity instance is already running with this archive directory: {}",
                    dir.display()
                ),
            )
            .hint("wait until it has ended; the lock goes with it"),
            Error::NoPassphrase => {
                base(Code::EXCEPTION).extra("EOFError").hint("set PASSPHRASE, or run it at a terminal")
            }
            Error::NoChains(place) => {
                Self::new(Code::EXCEPTION, format!("No backup chains found at {place}"))
                    .extra("CollectionsError")
                    .hint("check the URL and the --file-prefix options; collection-status shows what is there")
            }
            Error::NoSignatureChains(place) => {
                Self::new(Code::EXCEPTION, format!("No signature chains found at {place}"))
                    .extra("CollectionsError")
                    .hint("check the URL and the --file-prefix options; collection-status shows what is there")
            }
            Error::Collection(_) => base(Code::EXCEPTION).extra("CollectionsError"),
            Error::NothingToBuildOn(_) => {
                base(Code::NOTHING_TO_BUILD_ON).hint("make a full backup first, or leave out the command to get one")
            }
            Error::HostMismatch { current, previous } => {
                mismatch(base(Code::HOST_CHANGED), current, previous)
            }
            Error::SourceMismatch { current, previous } => {
                mismatch(base(Code::SOURCE_CHANGED), current, previous)
            }
            Error::ManifestMismatch(_) => base(Code::MANIFESTS_DIFFER)
                .hint("if the target is right, remove that manifest from the archive dir and run it again"),
            Error::EmptyManifest(_) => base(Code::BAD_MANIFEST).hint(DAMAGED_MANIFEST),
            Error::ManifestShort { .. } => base(Code::GENERIC).hint(DAMAGED_MANIFEST),
            Error::NoManifest(_) => base(Code::NO_MANIFEST).hint(DAMAGED_MANIFEST),
            Error::BadManifest { .. } => refined(&error, Code::BAD_MANIFEST).or_hint(DAMAGED_MANIFEST),
            Error::Signatures { .. } => {
                refined(&error, Code::GENERIC).else_hint(DAMAGED_SIGNATURES)
            }
            Error::Volume { name, .. } if name.contains(".sigtar") => {
                refined(&error, Code::GENERIC).else_hint(DAMAGED_SIGNATURES)
            }
            Error::Volume { name, .. } if name.contains(".manifest") => {
                refined(&error, Code::GENERIC).else_hint(DAMAGED_MANIFEST)
            }
            Error::Volume { .. } | Error::Archive(_) => refined(&error, Code::GENERIC)
                .or_hint("--ignore-errors restores what can be rebuilt without it"),
            Error::MissingVolume { .. } => base(Code::GENERIC)
                .hint("--ignore-errors restores what can be rebuilt without it"),
            Error::Archived { .. } => base(Code::STORE).hint(
                "--s3-restore-tier Standard (or Bulk, or Expedited) asks for them, waits, and goes on",
            ),
            Error::HashMismatch { .. } => base(Code::HASH_MISMATCH)
                .hint("--ignore-errors restores what can be rebuilt without it"),
            Error::AnotherVolume(_) => base(Code::HASH_MISMATCH).hint(
                "run it again; if it ends here again, the store, or something on the way to it, does not give the same bytes each time",
            ),
            Error::WrongSigner { .. } => base(Code::WRONG_SIGNER),
            Error::NotSigned { .. } => base(Code::WRONG_SIGNER).hint(
                "if this backup was made without encryption, say so with --no-encryption; if not, somebody has put that there",
            ),
            Error::EncryptionChanged { .. } => base(Code::ENCRYPTION_CHANGED)
                .hint("repeat the options of the interrupted run, or remove its files"),
            Error::SourceMissing(_) => base(Code::COMMAND_LINE),
            Error::VerifyMissing(_) => base(Code::VERIFY_MISSING),
            Error::TargetNotEmpty(_) => {
                base(Code::TARGET_NOT_EMPTY).hint("--force restores into it and replaces what the backup holds")
            }
            Error::PathNotFound(_) => {
                base(Code::PATH_NOT_FOUND).hint("list-current-files prints the paths of a backup")
            }
            Error::Output(_) => base(Code::EXCEPTION).extra("OSError"),
            Error::NothingRestored => base(Code::NOTHING_RESTORED),
            Error::Keys { .. } => base(Code::OPENPGP).extra("GPGError"),
            Error::Internal(_) => base(Code::EXCEPTION).extra("AssertionError"),
            _ => refined(&error, Code::GENERIC),
        }
    }
}

impl From<redup_storage::Error> for Failure {
    fn from(error: redup_storage::Error) -> Self {
        refined(&error, Code::STORE)
    }
}

/// A failure whose code is decided by what lies deepest: the store, a key, the local system.
fn refined(error: &(dyn StdError + 'static), otherwise: Code) -> Failure {
    let mut found = Failure::from_error(otherwise, error);
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = below::<redup_storage::Error>(error) {
            return stored(found, error);
        }
        if let Some(error) = below::<redup_openpgp::Error>(error) {
            found.code = Code::OPENPGP;
            found.extra = "GPGError".to_owned();
            found.hints.extend(key_hint(error).map(str::to_owned));
            return found;
        }
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.raw_os_error().is_some())
        {
            found.code = Code::EXCEPTION;
            found.extra = "OSError".to_owned();
            return found;
        }
        next = error.source();
    }
    found
}

/// The store's hint, if it is a store's error that lies below.
pub(crate) fn hint_below(error: &Error) -> Option<&str> {
    if let Error::Storage(error) = error {
        return error.hint();
    }
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(error) = below::<redup_storage::Error>(error) {
            return error.hint();
        }
        next = error.source();
    }
    None
}

/// The error itself as a `T`, or the one that an I/O error was made of.
fn below<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let inner = || error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref();
    error.downcast_ref().or_else(inner)
}

fn stored(mut failure: Failure, error: &redup_storage::Error) -> Failure {
    let name = quote_word(error.object().as_bytes());
    let (verb, names) = match error.op() {
        Op::List | Op::ListUnfinished | Op::Connect => ("list", name),
        Op::Get => ("get", format!("{name} {name}")),
        Op::Head => ("query", name),
        Op::Delete | Op::Abort | Op::DiscardUnfinished => ("delete", name),
        _ => ("put", format!("{name} {name}")),
    };
    failure.code = match error.kind() {
        ErrorKind::PermissionDenied => Code::STORE_PERMISSION,
        ErrorKind::NoSpace => Code::STORE_FULL,
        ErrorKind::WrongLength { sent, found } => {
            let name = error.object().rsplit('/').next().unwrap_or_default();
            let found = found.map_or(-1, |found| i64::try_from(found).unwrap_or(i64::MAX));
            failure.code = Code::STORE_LENGTH;
            failure.extra = format!("{} {sent} {found}", quote_word(name.as_bytes()));
            return failure.hint("type it again: it goes on with this file");
        }
        // A bucket or folder that is not there is a store that cannot be used.
        ErrorKind::NotFound if verb != "list" => Code::STORE_NOT_FOUND,
        _ => Code::STORE,
    };
    failure.extra = format!("{verb} {names}");
    failure.hints.extend(error.hint().map(str::to_owned));
    failure
}

fn mismatch(failure: Failure, current: &str, previous: &str) -> Failure {
    failure
        .extra(format!("{} {}", quote_word(current.as_bytes()), quote_word(previous.as_bytes())))
        .hint("if this is meant, --allow-source-mismatch goes on; else check that the target URL is the right one")
}

fn key_hint(error: &redup_openpgp::Error) -> Option<&'static str> {
    use redup_openpgp::Error;
    match error {
        Error::WrongPassphrase => Some("check PASSPHRASE"),
        Error::SecretKey { .. } => Some("check PASSPHRASE: it must be the secret key's"),
        Error::PassphraseMissing => {
            Some("set PASSPHRASE to the passphrase that the backup was made with")
        }
        Error::NoSecretKey { .. } => {
            Some("give the secret key with --secret-key-file, or GNUPGHOME where gpg-agent has it")
        }
        Error::KeyNotFound { .. } => {
            Some("gpg --list-keys shows the keys at hand; --secret-key-file adds an exported one")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(failure: impl Into<Failure>, expected: Expect) {
        expected.assert_eq(&failure.into().message("duplicity").stanza());
    }

    #[test]
    fn an_empty_store_is_what_callers_know() {
        check(
            Error::NoChains("file:///t".into()),
            expect![[r#"
            ERROR 30 CollectionsError
            . error: No backup chains found at file:///t
            . hint: check the URL and the --file-prefix options; collection-status shows what is there

        "#]],
        );
    }

    #[test]
    fn another_host_names_both_and_the_option() {
        let error = Error::HostMismatch {
            current: "new".into(),
            previous: "old".into(),
        };
        check(
            error,
            expect![[r#"
            ERROR 3 'new' 'old'
            . error: the newest backup was made on host "old", this is "new"
            . hint: if this is meant, --allow-source-mismatch goes on; else check that the target URL is the right one

        "#]],
        );
    }

    #[test]
    fn an_object_that_is_gone_or_too_short_is_named() {
        check(
            redup_storage::Error::new(ErrorKind::NotFound, Op::Get, "file:///t/x"),
            expect![[r#"
                ERROR 52 get 'file:///t/x' 'file:///t/x'
                . error: cannot read file:///t/x: does not exist

            "#]],
        );
        let kind = ErrorKind::WrongLength {
            sent: 5,
            found: None,
        };
        check(
            redup_storage::Error::new(kind, Op::Complete, "s3://b/p/x y"),
            expect![[r#"
                ERROR 44 'x y' 5 -1
                . error: cannot complete the upload of s3://b/p/x y: the store has another length than was sent
                . hint: type it again: it goes on with this file

            "#]],
        );
    }

    #[test]
    fn a_full_store_names_operation_and_object() {
        let io = io::Error::from_raw_os_error(28);
        check(
            redup_storage::Error::from_io(Op::Put, "file:///t/x", io),
            expect![[r#"
            ERROR 53 put 'file:///t/x' 'file:///t/x'
            . error: cannot write file:///t/x: no space left at the target
            . caused by: [Errno 28] No space left on device

        "#]],
        );
        let io = io::Error::from_raw_os_error(28);
        check(
            Error::Storage(redup_storage::Error::from_io(
                Op::PutPart,
                "file:///t/x",
                io,
            )),
            expect![[r#"
            ERROR 53 put 'file:///t/x' 'file:///t/x'
            . error: cannot upload a part of file:///t/x: no space left at the target
            . caused by: [Errno 28] No space left on device

        "#]],
        );
    }

    #[test]
    fn a_missing_bucket_is_a_store_error_with_its_hint() {
        let error = redup_storage::Error::new(ErrorKind::NotFound, Op::Connect, "s3://b")
            .with_hint("create it");
        check(
            error,
            expect![[r#"
            ERROR 50 list 's3://b'
            . error: cannot open s3://b: does not exist
            . hint: create it

        "#]],
        );
    }

    #[test]
    fn a_full_disk_here_carries_its_number() {
        let error = Error::Io {
            action: "write",
            path: "/cache/x".into(),
            source: io::Error::from_raw_os_error(28),
        };
        check(
            error,
            expect![[r#"
            ERROR 30 OSError
            . error: cannot write /cache/x
            . caused by: [Errno 28] No space left on device

        "#]],
        );
    }

    #[test]
    fn a_wrong_passphrase_is_code_31_however_deep_it_lies() {
        let deep: io::Error = redup_openpgp::Error::WrongPassphrase.into();
        let error = Error::Volume {
            name: "vol1".into(),
            source: redup_volume::Error::Gzip(deep),
        };
        check(
            error,
            expect![[r#"
            ERROR 31 GPGError
            . error: cannot process vol1
            . caused by: the gzip data are damaged or truncated
            . caused by: cannot decrypt: Bad session key (wrong passphrase)
            . hint: check PASSPHRASE

        "#]],
        );
    }

    #[test]
    fn the_other_codes_are_those_of_the_table() {
        let code = |error: Error| Failure::from(error).code.0;
        assert_eq!(code(Error::Locked("/x".into())), 23);
        assert_eq!(code(Error::NoPassphrase), 30);
        assert_eq!(code(Error::NoSignatureChains("x".into())), 30);
        assert_eq!(code(Error::NothingToBuildOn("x".into())), 17);
        assert_eq!(
            code(Error::SourceMismatch {
                current: "a".into(),
                previous: "b".into()
            }),
            42
        );
        assert_eq!(code(Error::TargetNotEmpty("x".into())), 11);
        assert_eq!(code(Error::VerifyMissing("x".into())), 12);
        assert_eq!(code(Error::PathNotFound("x".into())), 19);
        assert_eq!(code(Error::NothingRestored), 20);
        assert_eq!(
            code(Error::Keys {
                message: "x".into()
            }),
            31
        );
    }
}
