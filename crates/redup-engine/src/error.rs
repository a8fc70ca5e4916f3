//! The engine's errors: each names the object, and keeps its cause as the source.

use std::io;
use std::path::{Path, PathBuf};

use redup_format::entry::FileType;
use redup_format::filename::Span;
use redup_format::index::escaped;
use redup_format::time::Timestamp;

/// Result of an engine function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run ended, or why one path of it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program works with this archive dir.
    #[error("archive dir {} is in use by another run", .0.display())]
    Locked(PathBuf),
    /// A local file or folder.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "open", "write".
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store; its error names the object and the operation.
    #[error(transparent)]
    Storage(#[from] redup_storage::Error),
    /// OpenPGP: a key, a passphrase, or a damaged message.
    #[error("OpenPGP failed on {object}")]
    OpenPgp {
        /// The object, or what was prepared.
        object: String,
        /// What failed.
        source: redup_openpgp::Error,
    },
    /// The passphrase could not be had: nothing in the environment and no terminal to ask at.
    #[error("no passphrase: PASSPHRASE is not set and standard input ended")]
    NoPassphrase,
    /// A key could not be used; reported by the caller's [`crate::KeyProvider`].
    #[error("{message}")]
    Keys {
        /// What is wrong, complete.
        message: String,
    },
    /// The store holds no backup.
    #[error("no backup chains found at {0}")]
    NoChains(String),
    /// The store holds no signatures that a listing needs.
    #[error("no signature chains found at {0}")]
    NoSignatureChains(String),
    /// An increment was asked for and there is nothing to build on.
    #[error("no signatures to build an increment on at {0}")]
    NothingToBuildOn(String),
    /// The newest set was made on another host.
    #[error("the newest backup was made on host {previous:?}, this is {current:?}")]
    HostMismatch {
        /// This host.
        current: String,
        /// The one in the manifest.
        previous: String,
    },
    /// The newest set was made of another folder.
    #[error("the newest backup was made of {previous:?}, the source is now {current:?}")]
    SourceMismatch {
        /// The source now.
        current: String,
        /// The one in the manifest.
        previous: String,
    },
    /// Local and remote manifest of the newest set differ.
    #[error("local and remote manifest of the set {0} differ")]
    ManifestMismatch(Timestamp),
    /// A manifest is missing.
    #[error("set {0} has no manifest")]
    NoManifest(Span),
    /// The signatures of a set are missing.
    #[error("set {0} has no signatures")]
    NoSignatures(Span),
    /// A manifest cannot be understood.
    #[error("manifest {name} is damaged")]
    BadManifest {
        /// Its name.
        name: String,
        /// What is wrong.
        source: redup_format::manifest::ManifestError,
    },
    /// A manifest names no volume, and every set has at least one.
    #[error("manifest {0} is damaged: it names no volume")]
    EmptyManifest(String),
    /// There are volumes that the manifest does not know, as after losing its end.
    #[error(
        "manifest {name} ends with volume {listed}, and there are volumes up to {stored}: what the others hold is left out"
    )]
    ManifestShort {
        /// The manifest.
        name: String,
        /// Its last volume.
        listed: u32,
        /// The last volume at the store.
        stored: u32,
    },
    /// A volume is listed in its manifest and not at the store.
    #[error("volume {number} of the set {span} is missing at {location}")]
    MissingVolume {
        /// The set.
        span: Span,
        /// The volume.
        number: u32,
        /// The store.
        location: String,
    },
    /// Objects that are needed lie in an archive class, and cannot be read before they are thawed.
    #[error(
        "{objects} object(s) of {location}, {} MB in all, are in {classes} and cannot be read before they are thawed",
        bytes.div_ceil(1_000_000)
    )]
    Archived {
        /// How many.
        objects: usize,
        /// Their bytes.
        bytes: u64,
        /// The classes they are in.
        classes: String,
        /// The store.
        location: String,
    },
    /// A volume is not what its manifest recorded.
    #[error("volume {name} is damaged: SHA-1 is {found}, the manifest says {expected}")]
    HashMismatch {
        /// Its name.
        name: String,
        /// The manifest's hash.
        expected: String,
        /// The volume's hash.
        found: String,
    },
    /// A volume that was checked was not the same when it was read again to be used.
    #[error("volume {0} is damaged: it was another one when it was read again")]
    AnotherVolume(String),
    /// What the store tells of a volume is not what its manifest recorded.
    #[error(
        "volume {name} is not what was stored: the store has {hash} {found}, the manifest says {expected}"
    )]
    NotAsStored {
        /// Its name.
        name: String,
        /// Which hash.
        hash: &'static str,
        /// The manifest's.
        expected: String,
        /// The store's.
        found: String,
    },
    /// A volume, or another object stored like one, cannot be encoded or decoded.
    #[error("cannot process {name}")]
    Volume {
        /// Its name.
        name: String,
        /// What failed.
        source: redup_volume::Error,
    },
    /// An object is not signed by the key asked for.
    #[error("{name} is not signed by {expected}")]
    WrongSigner {
        /// Its name.
        name: String,
        /// The key asked for.
        expected: String,
    },
    /// A signature is asked for, and this object cannot have one.
    #[error("{name} is not encrypted, and so not signed by {expected}")]
    NotSigned {
        /// Its name.
        name: String,
        /// The key asked for.
        expected: String,
    },
    /// The interrupted set was written with other encryption settings.
    #[error("the interrupted set holds {found}, this run would write {expected}")]
    EncryptionChanged {
        /// Name of its first volume.
        found: String,
        /// The name this run would use.
        expected: String,
    },
    /// A volume's archive cannot be understood; the cause names it.
    #[error("the archive is damaged")]
    Archive(#[source] redup_difftar::Error),
    /// The stored content of one path is incomplete.
    #[error("stored content of {path} is incomplete")]
    PathPayload {
        /// The path.
        path: String,
        /// What is missing.
        source: redup_difftar::Error,
    },
    /// Something odd in a volume that leaves one path incomplete or out.
    #[error("{0}")]
    ArchiveWarning(redup_difftar::Warning),
    /// A signature archive cannot be understood; the cause names it.
    #[error("the signatures of the chain cannot be read")]
    Signatures {
        /// What is wrong.
        source: redup_difftar::Error,
    },
    /// Two chains cover the same time.
    #[error("the target's chains contradict each other")]
    Collection(#[from] redup_format::collections::CollectionError),
    /// A delta or signature cannot be understood.
    #[error("stored difference of {path} is damaged")]
    Delta {
        /// The path.
        path: String,
        /// What is wrong.
        source: redup_rsync::Error,
    },
    /// A path's increments have no full version to build on.
    #[error("{0} cannot be rebuilt: the version its differences build on is not in the archive")]
    Unrecoverable(String),
    /// The source does not exist.
    #[error("source {} does not exist", .0.display())]
    SourceMissing(PathBuf),
    /// The source or one of its parts could not be walked.
    #[error("cannot walk the source")]
    Walk(#[source] redup_select::WalkError),
    /// The restore target holds something.
    #[error("restore target {} is not empty", .0.display())]
    TargetNotEmpty(PathBuf),
    /// The archive has paths below a root that is no folder: it was put together wrongly or with
    /// ill intent. Nothing of them is written.
    #[error("the archive has paths below {}, which it says is no folder", .0.display())]
    BelowNonFolder(PathBuf),
    /// The folder to verify against does not exist.
    #[error("folder to verify {} does not exist", .0.display())]
    VerifyMissing(PathBuf),
    /// The path asked for is not in the backup.
    #[error("{0} is not in the backup")]
    PathNotFound(String),
    /// The path asked for has no content.
    #[error("{path} is {}, not a file", described(file_type))]
    NotAFile {
        /// The path.
        path: String,
        /// What it is.
        file_type: FileType,
    },
    /// Where the content of a file was to go.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The backup of that time holds nothing.
    #[error("nothing to restore")]
    NothingRestored,
    /// The file that an interrupted run stored half of is another one by now.
    #[error("{0} changed while the interrupted backup of it was being resumed")]
    ChangedSinceInterruption(String),
    /// A path that the format cannot hold.
    #[error("cannot store a path")]
    Member(#[from] redup_difftar::Error),
    /// It was told to, by [`Target::stop`](crate::Target::stop).
    #[error("stopped")]
    Stopped,
    /// A part of the pipeline stopped without saying why.
    #[error("{0} stopped unexpectedly")]
    Internal(&'static str),
}

impl Error {
    /// Whether it may be that an object was altered on its way from the store, so that fetching it
    /// again helps. A passphrase looks wrong, too, when the bytes it is tried on are.
    pub(crate) fn may_be_transfer(&self) -> bool {
        let damaged = |error: &redup_openpgp::Error| {
            use redup_openpgp::Error as Message;
            matches!(
                error,
                Message::WrongPassphrase
                    | Message::Damaged { .. }
                    | Message::Truncated { .. }
                    | Message::IntegrityCheck
                    | Message::Unsupported { .. }
                    | Message::Limit { .. }
            )
        };
        match self {
            Self::HashMismatch { .. }
            | Self::BadManifest { .. }
            | Self::EmptyManifest(_)
            | Self::Signatures { .. } => true,
            Self::OpenPgp { source, .. } => damaged(source),
            Self::Volume { source, .. } => match source {
                redup_volume::Error::OpenPgp(source) => damaged(source),
                redup_volume::Error::Gzip(_) => true,
                _ => false,
            },
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }
}

fn described(file_type: &FileType) -> String {
    match file_type {
        FileType::Regular => "a file".to_owned(),
        FileType::Directory => "a folder".to_owned(),
        FileType::Symlink { target } => format!("a link to {}", escaped(target)),
        FileType::Fifo => "a pipe".to_owned(),
        FileType::CharDevice { .. } | FileType::BlockDevice { .. } => "a device".to_owned(),
    }
}
