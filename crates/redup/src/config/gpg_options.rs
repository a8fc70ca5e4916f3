//! What `--gpg-options` asks of a gpg that redup does not run.
//!
//! Words that choose keys or compression have their effect, words that redup does by itself are
//! remarked on, and anything else is refused: it might ask for protection that would be missing.

use std::path::PathBuf;

/// The part of gpg's options that means something here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GpgOptions {
    /// `--homedir`: the GnuPG home with keyrings and agent socket.
    pub(crate) homedir: Option<PathBuf>,
    /// `--keyring`, `--secret-keyring`: more files with keys.
    pub(crate) key_files: Vec<PathBuf>,
    /// `--compress-algo`.
    pub(crate) compression: Option<CompressAlgo>,
    /// `--compress-level`, `-z`.
    pub(crate) level: Option<u32>,
    /// What to tell at info level.
    pub(crate) remarks: Vec<String>,
}

/// How messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompressAlgo {
    None,
    Zip,
    Zlib,
}

/// A word that is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GpgOptionError {
    #[error(
        "--gpg-options: '{0}' is not understood; redup does not run gpg, and knows only its options about keys, compression and prompts"
    )]
    Unknown(String),
    #[error("--gpg-options: '{0}' needs a value")]
    MissingValue(String),
    #[error("--gpg-options: '{value}' is no value for {option}")]
    BadValue { option: String, value: String },
}

/// Options without a value that ask for what redup does anyway, or for nothing it could do.
const SETTLED_FLAGS: &[&str] = &[
    "always-trust",
    "batch",
    "yes",
    "no",
    "quiet",
    "q",
    "verbose",
    "v",
    "no-tty",
    "no-verbose",
    "no-greeting",
    "no-secmem-warning",
    "no-permission-warning",
    "no-mdc-warning",
    "force-mdc",
    "use-agent",
    "no-use-agent",
    "lock-never",
    "lock-once",
    "no-auto-check-trustdb",
    "no-auto-key-locate",
    "no-random-seed-file",
    "no-options",
    "no-armor",
    "no-default-keyring",
    "no-throw-keyids",
    "textmode",
    "no-textmode",
    "enable-progress-filter",
];

/// Options with a value, of the same kind.
const SETTLED_VALUES: &[&str] = &[
    "trust-model",
    "pinentry-mode",
    "cipher-algo",
    "digest-algo",
    "s2k-cipher-algo",
    "s2k-digest-algo",
    "s2k-mode",
    "s2k-count",
    "cert-digest-algo",
    "bzip2-compress-level",
    "status-fd",
    "logger-fd",
    "status-file",
    "logger-file",
    "display-charset",
    "charset",
    "agent-program",
    "trustdb-name",
    "lc-messages",
    "lc-ctype",
    "ttyname",
    "ttytype",
    "no-sig-cache",
    "keyid-format",
];

impl GpgOptions {
    /// Reads the words of all `--gpg-options` together.
    ///
    /// # Errors
    /// At a word that redup neither follows nor can safely pass over.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, GpgOptionError> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let unknown = || GpgOptionError::Unknown(crate::ui::escape(word.as_bytes()));
            let name = word
                .strip_prefix("--")
                .or_else(|| word.strip_prefix('-'))
                .ok_or_else(unknown)?;
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                // `-z9`
                None if name.len() > 1 && name.starts_with('z') && !word.starts_with("--") => {
                    ("z", Some(&name[1..]))
                }
                None => (name, None),
            };
            if SETTLED_FLAGS.contains(&name) && attached.is_none() {
                options.settled(name);
                continue;
            }
            let mut value = || {
                attached
                    .or_else(|| words.next().copied())
                    .ok_or_else(|| GpgOptionError::MissingValue(format!("--{name}")))
            };
            match name {
                "homedir" => options.homedir = Some(value()?.into()),
                "keyring" | "primary-keyring" | "secret-keyring" => {
                    options.key_files.push(value()?.into());
                }
                "compress-algo" | "compression-algo" => options.compress_algo(value()?)?,
                "compress-level" | "z" => options.compress_level(value()?)?,
                _ if SETTLED_VALUES.contains(&name) => {
                    value()?;
                    options.settled(name);
                }
                _ => return Err(unknown()),
            }
        }
        Ok(options)
    }

    fn compress_algo(&mut self, value: &str) -> Result<(), GpgOptionError> {
        let algo = match value.to_ascii_lowercase().as_str() {
            "none" | "uncompressed" | "z0" | "0" => CompressAlgo::None,
            "zip" | "z1" | "1" => CompressAlgo::Zip,
            "zlib" | "z2" | "2" => CompressAlgo::Zlib,
            "bzip2" | "z3" | "3" => {
                self.remarks
                    .push("gpg option --compress-algo: zlib is used in place of bzip2.".to_owned());
                CompressAlgo::Zlib
            }
            _ => return Err(bad_value("compress-algo", value)),
        };
        self.compression = Some(algo);
        Ok(())
    }

    fn compress_level(&mut self, value: &str) -> Result<(), GpgOptionError> {
        let level = value.parse().ok().filter(|level| *level <= 9);
        self.level = Some(level.ok_or_else(|| bad_value("compress-level", value))?);
        Ok(())
    }

    fn settled(&mut self, name: &str) {
        self.remarks.push(format!(
            "gpg option --{name} has no effect: OpenPGP is built in."
        ));
    }
}

fn bad_value(option: &str, value: &str) -> GpgOptionError {
    GpgOptionError::BadValue {
        option: format!("--{option}"),
        value: crate::ui::escape(value.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<GpgOptions, GpgOptionError> {
        GpgOptions::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn keys_and_compression_are_followed() {
        let options =
            read("--homedir=/x --keyring a.gpg --compress-algo none -z3 --secret-keyring=b")
                .unwrap();
        let expected = GpgOptions {
            homedir: Some("/x".into()),
            key_files: vec!["a.gpg".into(), "b".into()],
            compression: Some(CompressAlgo::None),
            level: Some(3),
            remarks: Vec::new(),
        };
        assert_eq!(options, expected);
        assert_eq!(
            read("--compress-level 0 --compress-algo=ZIP")
                .unwrap()
                .level,
            Some(0)
        );
    }

    #[test]
    fn what_redup_does_anyway_is_remarked() {
        let options = read("--trust-model always --pinentry-mode=loopback --batch -q").unwrap();
        assert_eq!(options.remarks.len(), 4);
        assert_eq!(
            options.remarks[0],
            "gpg option --trust-model has no effect: OpenPGP is built in."
        );
        let bzip2 = read("--compress-algo=bzip2 --bzip2-compress-level=9").unwrap();
        assert_eq!(bzip2.compression, Some(CompressAlgo::Zlib));
        assert_eq!(bzip2.remarks.len(), 2);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert_eq!(
            read("--armor"),
            Err(GpgOptionError::Unknown("--armor".into()))
        );
        assert_eq!(read("word"), Err(GpgOptionError::Unknown("word".into())));
        assert_eq!(
            read("--homedir"),
            Err(GpgOptionError::MissingValue("--homedir".into()))
        );
        assert!(matches!(
            read("--compress-algo lzma"),
            Err(GpgOptionError::BadValue { .. })
        ));
        assert!(matches!(read("-z10"), Err(GpgOptionError::BadValue { .. })));
        assert_eq!(read("-"), Err(GpgOptionError::Unknown("-".into())));
        assert_eq!(
            read("--batch=1"),
            Err(GpgOptionError::Unknown("--batch=1".into()))
        );
    }
}
