//! What each verb is told: the target, and the options of a run.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redup_format::filename::Naming;
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use redup_openpgp::{Decryptor, Encryptor};
use redup_select::{Links, Rules};
use redup_storage::Storage;

use crate::{BackupReport, Error, Result};

/// Where a backup lives and what opens it.
#[derive(Debug)]
pub struct Target {
    /// The store that holds the remote files.
    pub storage: Arc<dyn Storage>,
    /// Runs the store's requests.
    pub runtime: tokio::runtime::Handle,
    /// The archive dir of this backup name: local copies of manifests and signatures, and the
    /// checkpoint of an interrupted run. Shared with duplicity; created when missing.
    pub archive_dir: PathBuf,
    /// The file prefixes of this target.
    pub naming: Naming,
    /// The keys, asked for only when something encrypted is read or written.
    pub keys: Arc<dyn KeyProvider>,
    /// Upper bound in bytes for what the transfers of one run hold in memory.
    pub transfer_memory: u64,
    /// Have objects that are needed and lie in an archive class thawed, and wait for it, however long it takes.
    /// Without it they are an error, before anything is read or written.
    pub thaw: bool,
    /// What of the store's metadata the archive dir is brought in line with.
    pub sync: MetadataSync,
    /// Set from outside when a run is to end before it is done. What goes on for long without the store looks at
    /// it (the walk of a source, the wait for a thaw); what needs the store ends when the store is
    /// [interrupted](redup_storage::Interruptible), so that whoever sets this interrupts it, too.
    pub stop: Arc<AtomicBool>,
}

impl Target {
    /// # Errors
    /// [`Error::Stopped`] when this run is to end.
    pub(crate) fn go_on(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}

/// How the archive dir relates to the store's manifests and signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataSync {
    /// What the wanted time needs is fetched.
    #[default]
    Needed,
    /// All is fetched, of every chain.
    All,
    /// Nothing is fetched or compared: the archive dir is taken to be right. Commands that need no
    /// volume do not even list the store; an interrupted backup is still gone on with by what the
    /// store has.
    Trusted,
}

/// Hands out keys when they are needed, so that a passphrase is asked for only then.
pub trait KeyProvider: Debug + Send + Sync {
    /// What opens encrypted objects. Called again for each object: implementations cache.
    ///
    /// # Errors
    /// When the passphrase cannot be had or a key file cannot be read.
    fn decryptor(&self) -> Result<Arc<Decryptor>>;

    /// What encrypts new objects.
    ///
    /// # Errors
    /// When a recipient or signer is unusable, or the passphrase cannot be had.
    fn encryptor(&self) -> Result<Arc<Encryptor>>;

    /// Whether a symmetric passphrase is all that opens this backup, so that a full backup can
    /// prove it against what is already there.
    fn is_symmetric(&self) -> bool;

    /// Whose signature is asked of what is read (`--sign-key` on restore).
    fn required_signer(&self) -> Option<&SignedBy> {
        None
    }
}

/// The key that must have signed every volume that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The key, as [`MessageReport::is_signed_by`](redup_openpgp::MessageReport::is_signed_by) takes it.
    pub key: String,
    /// Whether it must have signed manifests and signatures, too. What the archive dir has of them is trusted.
    pub metadata: bool,
    /// Whether what is not encrypted, and so cannot be signed, is read all the same.
    pub unencrypted: bool,
}

/// Which kind of set a backup makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupKind {
    /// A new chain.
    Full,
    /// An increment on the newest chain; an error when there is none to build on.
    Incremental,
    /// An increment when there is a chain to build on, else a full.
    Auto,
}

/// How volumes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeMode {
    /// OpenPGP messages from [`KeyProvider::encryptor`].
    Encrypted,
    /// Gzip, not encrypted.
    Gzip {
        /// Deflate level, 0 to 9.
        level: u32,
    },
    /// Plain tar.
    Plain,
}

/// Options of [`crate::backup()`].
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// The kind asked for; an interrupted set is resumed whatever this says.
    pub kind: BackupKind,
    /// The time of the new set (whole seconds); normally now.
    pub now: Timestamp,
    /// A full when the newest full is older than this time.
    pub full_if_before: Option<Timestamp>,
    /// A full when the newest chain has this many increments.
    pub full_after_incs: Option<u32>,
    /// Store no increment when the source is what the newest set holds. The source is then compared
    /// twice.
    pub skip_if_unchanged: bool,
    /// Upper bound of a volume in bytes, as far as members allow.
    pub volsize: u64,
    /// How many volumes may be on their way to the store, made and not yet stored, while the next one is
    /// made; with 0 each is stored before the next is begun. `None` leaves it to the engine.
    pub concurrency: Option<u32>,
    /// How volumes and signatures are encoded.
    pub mode: VolumeMode,
    /// Cap on the signature block length.
    pub max_blocksize: Option<u32>,
    /// Skip the check of host name and source folder before an increment.
    pub allow_source_mismatch: bool,
    /// The host's name, as the manifest records it.
    pub hostname: String,
    /// Other names of this host that the source check accepts (the fully qualified one).
    pub hostname_aliases: Vec<String>,
    /// The source as the manifest records it: given path without `.` components, doubled and
    /// trailing slashes.
    pub local_dir: Vec<u8>,
    /// What is selected.
    pub rules: Rules,
    /// Store what links point to instead of the links.
    pub copy_links: bool,
    /// Compare and record numeric owners only.
    pub numeric_owner: bool,
    /// Keep the list of changed files in the manifest.
    pub files_changed: bool,
    /// Store what this makes of the run beside the manifest (`--jsonstat`).
    pub jsonstat: Option<JsonStat>,
    /// Scan and count, but store nothing.
    pub dry_run: bool,
}

/// Makes the statistics file of a set, from the report of the run that stored it.
#[derive(Clone)]
pub struct JsonStat(pub Arc<MakeJsonStat>);

/// What [`JsonStat`] holds.
pub type MakeJsonStat = dyn Fn(&BackupReport) -> Vec<u8> + Send + Sync;

impl Debug for JsonStat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsonStat(..)")
    }
}

impl BackupOptions {
    pub(crate) fn links(&self) -> Links {
        if self.copy_links {
            Links::Follow
        } else {
            Links::Keep
        }
    }
}

/// Options of [`crate::restore()`].
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The point in time; `None` is the newest.
    pub time: Option<Timestamp>,
    /// The path inside the backup that becomes the target; the root for everything.
    pub path: PathIndex,
    /// What of it is restored, by [`Rules::for_archive`]; `None` is all of it.
    pub selection: Option<Rules>,
    /// Paths that are restored under another name, with what lies below them. Both are relative to
    /// what becomes the target; of several that apply the longest counts, then the last.
    pub renames: Vec<(PathIndex, PathIndex)>,
    /// Write into a target that is not empty, replacing what the archive holds.
    pub force: bool,
    /// Restore owners at all.
    pub ownership: bool,
    /// Numbers only, names are not looked up.
    pub numeric_owner: bool,
    /// Skip volumes that are missing or damaged instead of stopping.
    pub ignore_errors: bool,
    /// Only name the volumes that would be read.
    pub dry_run: bool,
}

/// Options of [`crate::verify()`].
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// The point in time; `None` is the newest.
    pub time: Option<Timestamp>,
    /// The path inside the backup that is compared with the source.
    pub path: PathIndex,
    /// Compare with the source; without it volumes are read and checked only.
    pub compare_data: bool,
    /// What of the source is compared.
    pub rules: Rules,
    /// Compare with what links point to, as a backup with the same option does.
    pub copy_links: bool,
    /// Numbers only, names are not looked up.
    pub numeric_owner: bool,
    /// Skip volumes that are missing or damaged instead of stopping.
    pub ignore_errors: bool,
    /// Where older versions of large files are spooled when differences have to be applied.
    pub tempdir: PathBuf,
}

/// Options of [`crate::list()`].
#[derive(Debug, Clone)]
pub struct ListOptions {
    /// The point in time; `None` is the newest.
    pub time: Option<Timestamp>,
}
