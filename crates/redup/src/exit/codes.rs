//! The exit statuses, which are also the codes of `ERROR` stanzas.

/// An exit status. Numbers and meanings are duplicity's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u8);

impl Code {
    /// All is well.
    pub(crate) const SUCCESS: Self = Self(0);
    /// Anything without a code of its own; also a verify that found differences.
    pub(crate) const GENERIC: Self = Self(1);
    /// A shortened option that could be several.
    pub(crate) const AMBIGUOUS: Self = Self(2);
    /// `find` and `diff`: what would be [`GENERIC`](Self::GENERIC), were that not an answer of theirs.
    pub(crate) const TROUBLE: Self = Self(2);
    /// The host's name changed.
    pub(crate) const HOST_CHANGED: Self = Self(3);
    /// Ended by SIGINT.
    pub(crate) const INTERRUPTED: Self = Self(4);
    /// The newest set has no manifest.
    pub(crate) const NO_MANIFEST: Self = Self(4);
    /// Local and remote manifest differ.
    pub(crate) const MANIFESTS_DIFFER: Self = Self(5);
    /// A manifest cannot be read.
    pub(crate) const BAD_MANIFEST: Self = Self(6);
    /// An option that duplicity gave up.
    pub(crate) const DEPRECATED: Self = Self(10);
    /// The restore target holds something.
    pub(crate) const TARGET_NOT_EMPTY: Self = Self(11);
    /// The folder to verify is missing.
    pub(crate) const VERIFY_MISSING: Self = Self(12);
    /// A selection pattern that can match nothing.
    pub(crate) const PATTERN_PREFIX: Self = Self(14);
    /// A selection pattern that cannot be read.
    pub(crate) const PATTERN_SYNTAX: Self = Self(15);
    /// A selection that ends with an include.
    pub(crate) const PATTERN_REDUNDANT: Self = Self(16);
    /// An increment without anything to build on.
    pub(crate) const NOTHING_TO_BUILD_ON: Self = Self(17);
    /// The path to restore is not in the backup.
    pub(crate) const PATH_NOT_FOUND: Self = Self(19);
    /// Nothing was restored.
    pub(crate) const NOTHING_RESTORED: Self = Self(20);
    /// A volume is not what its manifest says.
    pub(crate) const HASH_MISMATCH: Self = Self(21);
    /// A volume is not signed by the right key.
    pub(crate) const WRONG_SIGNER: Self = Self(22);
    /// Mistakes in the command line, unusable URLs, a locked archive dir.
    pub(crate) const COMMAND_LINE: Self = Self(23);
    /// What ends duplicity with an exception: no backup, no passphrase, a local file error.
    pub(crate) const EXCEPTION: Self = Self(30);
    /// OpenPGP.
    pub(crate) const OPENPGP: Self = Self(31);
    /// The source folder changed.
    pub(crate) const SOURCE_CHANGED: Self = Self(42);
    /// The store holds another length than was sent.
    pub(crate) const STORE_LENGTH: Self = Self(44);
    /// Encryption settings differ from those of the interrupted set.
    pub(crate) const ENCRYPTION_CHANGED: Self = Self(45);
    /// The store, without a code of its own.
    pub(crate) const STORE: Self = Self(50);
    /// The store denies permission.
    pub(crate) const STORE_PERMISSION: Self = Self(51);
    /// The store lacks the object.
    pub(crate) const STORE_NOT_FOUND: Self = Self(52);
    /// The store is full.
    pub(crate) const STORE_FULL: Self = Self(53);
    /// Filter options that change nothing.
    pub(crate) const FILTER_WITHOUT_EFFECT: Self = Self(70);
    /// A filter option behind all patterns.
    pub(crate) const FILTER_LAST: Self = Self(71);
    /// A listed path outside of the source.
    pub(crate) const LISTED_PATH: Self = Self(72);
    /// A list of files without any.
    pub(crate) const NOTHING_LISTED: Self = Self(73);
    /// Nobody reads the output any more: as a shell tells the end by SIGPIPE, which the process then dies of.
    pub(crate) const PIPE: Self = Self(141);
    /// A hook of a profile failed. redup's own.
    pub(crate) const HOOK: Self = Self(80);
}
