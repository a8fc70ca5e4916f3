//! Every option that redup knows, in the groups of the help text.
//!
//! The parser, `--help` and the tests read this table and nothing else. The facts (who knows which
//! name, what follows it) are those of duplicity 0.8.22 and 3.2.1. One option a row: not formatted by
//! rustfmt, which would give each row ten lines.

use super::Opt;
use super::spec::ValueKind::{
    Char, Choice, File, Flag, Int, Megabytes, NonEmpty, Pair, Pattern, Text, Time, Verbosity, Words,
};
use super::spec::{Group, OptionSpec, both, new, old, option, ours};

/// All options.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        title: "General options",
        options: GENERAL,
    },
    Group {
        title: "Backup options",
        options: BACKUP,
    },
    Group {
        title: "Encryption options",
        options: ENCRYPTION,
    },
    Group {
        title: "Restore, verify and status options",
        options: RESTORE,
    },
    Group {
        title: "Retention options of prune (a chain stays when one of its backups is kept)",
        options: RETENTION,
    },
    Group {
        title: "Selection options (in order; the first that matches decides)",
        options: SELECTION,
    },
    Group {
        title: "S3 options",
        options: S3,
    },
    Group {
        title: "Options of other stores (accepted, without effect)",
        options: OTHER_STORES,
    },
];

const ON: super::spec::ValueKind = Flag(true);
const OFF: super::spec::ValueKind = Flag(false);

#[rustfmt::skip]
const GENERAL: &[OptionSpec] = &[
    option(Opt::ArchiveDir, &[both("archive-dir")], File,
        "Root of the archive dirs, where manifests and signatures are cached (default: ~/.cache/duplicity)."),
    option(Opt::Name, &[both("name")], Text,
        "Name of the archive dir (default: MD5 of the target URL as given)."),
    option(Opt::Tempdir, &[both("tempdir")], File,
        "Folder for temporary files (default: TMPDIR, TEMP, TMP, else the system's)."),
    option(Opt::Force, &[both("force")], ON,
        "Go on where the command would stop: restore into a folder that is not empty, really delete."),
    option(Opt::DryRun, &[both("dry-run")], ON, "Say what would be done, and change nothing."),
    option(Opt::Verbosity, &[both("verbosity")], Verbosity,
        "0 to 9, or error, warning, notice (default), info, debug.").short('v'),
    option(Opt::LogFd, &[both("log-fd")], Int(1), "Write messages for programs to this file descriptor.")
        .metavar("FD"),
    option(Opt::LogFile, &[both("log-file")], File, "Append messages for programs to this file."),
    option(Opt::LogTimestamp, &[both("log-timestamp")], ON, "Begin each line with time and level."),
    option(Opt::NumRetries, &[both("num-retries")], Int(i64::MIN),
        "How often each operation on the store is tried (default 5)."),
    option(Opt::BackendRetryDelay, &[both("backend-retry-delay")], Int(0),
        "Seconds between two attempts (default 30)."),
    option(Opt::Timeout, &[both("timeout")], Int(1), "Network timeout in seconds (default 30)."),
    option(Opt::IgnoreErrors, &[both("ignore-errors")], ON,
        "Go on after errors that leave the result incomplete; each is reported."),
    option(Opt::PrintStatistics, &[new("print-statistics")], ON, "Print statistics after a backup (default)."),
    option(Opt::PrintStatistics, &[both("no-print-statistics")], OFF, "Print no statistics."),
    option(Opt::AllowSourceMismatch, &[both("allow-source-mismatch")], ON,
        "Add to a backup that was made on another host or of another folder."),
    option(Opt::Concurrency, &[new("concurrency")], Int(0),
        "How many finished volumes may still be on their way to the store while the next one is made; with 0 each \
         is stored before the next is begun (default 5)."),
    option(Opt::AsynchronousUpload, &[both("asynchronous-upload")], ON,
        "The same as --concurrency 1, unless that is given."),
    option(Opt::ConfigDir, &[both("config-dir"), ours("config")], File,
        "run: the file of profiles, or the folder in which redup.toml is (default: ~/.config/redup, else /etc/redup).")
        .run_only(),
    option(Opt::CopyBlocksize, &[new("copy-blocksize")], Int(1), "Buffer size in KiB.").metavar("KIB")
        .no_effect("redup chooses its own buffers"),
    option(Opt::Progress, &[both("progress")], ON,
        "Show how far it is: called as redup by a bar on a terminal (default there), else by a line every few \
         seconds. For the lines of a backup the source is looked through once more."),
    option(Opt::Progress, &[ours("no-progress")], OFF, "Show no bar and no such lines."),
    option(Opt::ProgressRate, &[both("progress-rate")], Int(1),
        "Seconds between these lines (default 3), or between two drawings of the bar (default 0.1)."),
    option(Opt::Json, &[ours("json")], ON, "Print the result as JSON, by itself; docs/json.md has the fields."),
    option(Opt::JsonStat, &[new("jsonstat")], ON, "Print and store statistics as JSON; with --show-changes-in-set, print those stored."),
    option(Opt::MetadataSyncMode, &[both("metadata-sync-mode")], Choice(&["full", "partial"]),
        "Bring the manifests and signatures of all chains to the archive dir, or of the one that is needed (default)."),
    option(Opt::CheckRemote, &[new("check-remote")], ON, "Compare the archive dir with the store (default)."),
    option(Opt::CheckRemote, &[new("no-check-remote")], OFF, "Trust the archive dir: fetch no metadata, and list the store only for volumes."),
    option(Opt::MemoryLimit, &[ours("memory-limit")], Megabytes(128),
        "Memory to use at most, 128 or more (default 512, or half of the machine's where that is less)."),
    option(Opt::CurrentTime, &[both("current-time")], Int(0), "Time stamp of the backup.").hidden(),
    option(Opt::SkipVolume, &[both("skip-volume")], Int(i64::MIN), "Do not upload this volume.")
        .refused("it makes a backup that lacks a volume, for duplicity's own tests").hidden(),
    option(Opt::FailOnVolume, &[old("fail-on-volume")], Int(i64::MIN), "Stop after this volume.")
        .refused("it makes a backup fail, for duplicity's own tests").hidden(),
    option(Opt::Pydevd, &[both("pydevd")], ON, "Python debugger.")
        .no_effect("there is no Python in redup").hidden(),
    option(Opt::Help, &[both("help")], ON, "Print this text.").short('h'),
    option(Opt::Version, &[both("version")], ON, "Print the version.").short('V'),
];

#[rustfmt::skip]
const BACKUP: &[OptionSpec] = &[
    option(Opt::FullIfOlderThan, &[both("full-if-older-than")], Time,
        "Make a full backup when the last full one is older than this."),
    option(Opt::FullIfNInc, &[new("full-if-n-inc")], Int(i64::MIN),
        "Make a full backup when the chain has this many increments; 0 always makes one."),
    option(Opt::SkipIfNoChange, &[new("skip-if-no-change")], ON,
        "Store no increment when nothing has changed."),
    option(Opt::Volsize, &[both("volsize")], Megabytes(1), "Size of a volume (default 200)."),
    option(Opt::MaxBlocksize, &[both("max-blocksize")], Int(i64::MIN),
        "Largest signature block; 0 is no limit (default).").metavar("BYTES"),
    option(Opt::CopyLinks, &[both("copy-links")], ON, "Store what symbolic links point to in place of the links."),
    option(Opt::FilesChanged, &[new("files-changed")], ON,
        "Keep the list of changed files in the manifest (default)."),
    option(Opt::FilesChanged, &[both("no-files-changed")], OFF, "Keep no such list."),
    option(Opt::FilePrefix, &[both("file-prefix")], Text, "Put this before every stored name."),
    option(Opt::FilePrefixManifest, &[both("file-prefix-manifest")], Text, "… of a manifest."),
    option(Opt::FilePrefixArchive, &[both("file-prefix-archive")], Text, "… of a volume."),
    option(Opt::FilePrefixSignature, &[both("file-prefix-signature")], Text, "… of a signature file."),
    option(Opt::FilePrefixJsonstat, &[new("file-prefix-jsonstat")], Text, "… of a statistics file."),
    option(Opt::TimeSeparator, &[both("time-separator")], Char, "Separator in the times of very old names."),
    option(Opt::ShortFilenames, &[old("short-filenames")], ON, "Names of old versions: read, never written.").hidden(),
    option(Opt::OldFilenames, &[old("old-filenames")], ON, "Names of old versions: read, never written.").hidden(),
];

#[rustfmt::skip]
const ENCRYPTION: &[OptionSpec] = &[
    option(Opt::Encryption, &[new("encryption")], ON, "Encrypt (default)."),
    option(Opt::Encryption, &[both("no-encryption")], OFF, "Do not encrypt."),
    option(Opt::Compression, &[new("compression")], ON, "Compress (default)."),
    option(Opt::Compression, &[both("no-compression")], OFF, "Do not compress."),
    option(Opt::CompressLevel, &[ours("compress-level")], Int(0), "0, fastest, to 9, smallest (default 6).")
        .metavar("LEVEL"),
    option(Opt::EncryptKey, &[both("encrypt-key")], NonEmpty, "Encrypt to this key; repeatable.").metavar("KEY"),
    option(Opt::HiddenEncryptKey, &[both("hidden-encrypt-key")], NonEmpty,
        "The same, without naming the key in the files.").metavar("KEY"),
    option(Opt::SignKey, &[both("sign-key")], NonEmpty,
        "Sign with this key; on restore, accept nothing that it has not signed (with --no-encryption: nothing encrypted).").metavar("KEY"),
    option(Opt::EncryptSignKey, &[both("encrypt-sign-key")], NonEmpty, "Both of these.").metavar("KEY"),
    option(Opt::SecretKeyFile, &[ours("secret-key-file")], File,
        "An exported key, secret or public, to use beside GnuPG's keyring; repeatable."),
    option(Opt::GpgOptions, &[both("gpg-options")], Words,
        "Options for gpg, of which redup understands those that choose keys and algorithms."),
    option(Opt::GpgBinary, &[both("gpg-binary")], File, "The gpg program.")
        .no_effect("OpenPGP is built in"),
    option(Opt::UseAgent, &[both("use-agent")], ON, "Leave passphrases to gpg-agent."),
    option(Opt::EncryptSecretKeyring, &[both("encrypt-secret-keyring")], File, "Secret keyring for decryption."),
    option(Opt::UseGpgsm, &[new("use-gpgsm")], ON, "Use S/MIME.")
        .refused("redup has OpenPGP keys only; keep duplicity for a backup with S/MIME, or begin a chain with --encrypt-key"),
];

#[rustfmt::skip]
const RESTORE: &[OptionSpec] = &[
    option(Opt::RestoreTime, &[both("restore-time"), both("time")], Time, "The point in time (default: the newest).")
        .short('t'),
    option(Opt::PathToRestore, &[new("path-to-restore"), old("file-to-restore")], File,
        "Restore or verify this file or folder only, relative to the root of the backup.").short('r').metavar("PATH"),
    option(Opt::Rename, &[both("rename")], Pair,
        "Restore FROM under the name TO, both relative to what is restored; repeatable."),
    option(Opt::RestoreOwnership, &[new("restore-ownership")], ON, "Restore owner and group (default)."),
    option(Opt::RestoreOwnership, &[new("no-restore-ownership"), old("do-not-restore-ownership")], OFF,
        "Leave owner and group as they come."),
    option(Opt::NumericOwner, &[both("numeric-owner")], ON, "Use the numbers of owners, not their names."),
    option(Opt::CompareData, &[both("compare-data")], ON,
        "verify: compare with the files of the folder; without it the volumes are checked only."),
    option(Opt::FileChanged, &[both("file-changed")], File, "collection-status: the history of one file."),
    option(Opt::ShowChangesInSet, &[both("show-changes-in-set")], Int(i64::MIN),
        "collection-status: the files of the n-th newest set; 0 is the newest."),
    option(Opt::NewestChain, &[ours("newest-chain")], ON, "find: search the newest chain only."),
];

#[rustfmt::skip]
pub(super) const SELECTION: &[OptionSpec] = &[
    option(Opt::Include, &[both("include")], Pattern, "Include what matches this shell pattern."),
    option(Opt::Exclude, &[both("exclude")], Pattern, "Exclude what matches this shell pattern."),
    option(Opt::IncludeRegexp, &[both("include-regexp")], NonEmpty, "Include what matches.").metavar("REGEXP"),
    option(Opt::ExcludeRegexp, &[both("exclude-regexp")], NonEmpty, "Exclude what matches.").metavar("REGEXP"),
    option(Opt::IncludeFilelist, &[both("include-filelist"), old("include-globbing-filelist")], File,
        "Include the patterns of this file, one a line."),
    option(Opt::ExcludeFilelist, &[both("exclude-filelist"), old("exclude-globbing-filelist")], File,
        "Exclude the patterns of this file, one a line."),
    option(Opt::IncludeFilelistStdin, &[old("include-filelist-stdin")], ON, "… of standard input.").hidden(),
    option(Opt::ExcludeFilelistStdin, &[old("exclude-filelist-stdin")], ON, "… of standard input.").hidden(),
    option(Opt::ExcludeIfPresent, &[both("exclude-if-present")], Pattern, "Exclude folders that hold this file.")
        .metavar("NAME"),
    option(Opt::ExcludeOlderThan, &[both("exclude-older-than")], Time, "Exclude files changed before this time."),
    option(Opt::ExcludeOtherFilesystems, &[both("exclude-other-filesystems")], ON, "Stay on one file system."),
    option(Opt::ExcludeDeviceFiles, &[both("exclude-device-files")], ON, "Exclude device files."),
    option(Opt::FilesFrom, &[new("files-from")], File, "Back up what this file lists, one path a line, relative to the source."),
    option(Opt::FilterMode, &[new("filter-globbing")], ON, "Patterns that follow are shell patterns (default)."),
    option(Opt::FilterMode, &[new("filter-literal")], ON, "Patterns that follow are plain paths."),
    option(Opt::FilterMode, &[new("filter-regexp")], ON, "Patterns that follow are regular expressions."),
    option(Opt::FilterCase, &[new("filter-ignorecase")], ON, "Patterns that follow ignore case."),
    option(Opt::FilterCase, &[new("filter-strictcase")], OFF, "Patterns that follow mind case (default)."),
    option(Opt::NullSeparator, &[both("null-separator")], ON, "File lists end their lines with NUL."),
];

#[rustfmt::skip]
const RETENTION: &[OptionSpec] = &[
    option(Opt::KeepLast, &[ours("keep-last")], Int(1), "Keep the newest N backups."),
    option(Opt::KeepDaily, &[ours("keep-daily")], Int(1), "Keep the newest backup of each of the last N days that have one."),
    option(Opt::KeepWeekly, &[ours("keep-weekly")], Int(1), "… of the last N weeks, which begin on Monday."),
    option(Opt::KeepMonthly, &[ours("keep-monthly")], Int(1), "… of the last N months."),
    option(Opt::KeepYearly, &[ours("keep-yearly")], Int(1), "… of the last N years."),
];

#[rustfmt::skip]
const S3: &[OptionSpec] = &[
    option(Opt::S3EndpointUrl, &[both("s3-endpoint-url")], NonEmpty, "Endpoint of the S3 service.").metavar("URL"),
    option(Opt::S3RegionName, &[both("s3-region-name")], NonEmpty, "Region.").metavar("REGION"),
    option(Opt::S3NoDualstack, &[ours("s3-no-dualstack")], ON,
        "Use Amazon's endpoints for IPv4 only (default: those for both IPv6 and IPv4)."),
    option(Opt::SslCacertFile, &[both("ssl-cacert-file")], File,
        "Trust the certificates in this PEM file, too (default: AWS_CA_BUNDLE).").metavar("FILE"),
    option(Opt::S3UnencryptedConnection, &[both("s3-unencrypted-connection")], ON, "Do not use TLS."),
    option(Opt::S3UseRrs, &[both("s3-use-rrs")], ON, "Store as REDUCED_REDUNDANCY."),
    option(Opt::S3UseIa, &[both("s3-use-ia")], ON, "Store as STANDARD_IA."),
    option(Opt::S3UseOnezoneIa, &[both("s3-use-onezone-ia")], ON, "Store as ONEZONE_IA."),
    option(Opt::S3UseGlacier, &[both("s3-use-glacier")], ON, "Store volumes as GLACIER."),
    option(Opt::S3UseGlacierIr, &[both("s3-use-glacier-ir")], ON, "Store volumes as GLACIER_IR."),
    option(Opt::S3UseDeepArchive, &[both("s3-use-deep-archive")], ON, "Store volumes as DEEP_ARCHIVE."),
    option(Opt::S3StorageClass, &[ours("s3-storage-class")], NonEmpty, "Store as this class.").metavar("CLASS"),
    option(Opt::S3StorageClassMetadata, &[ours("s3-storage-class-metadata")], NonEmpty,
        "Store manifests and signatures as this class.").metavar("CLASS"),
    option(Opt::S3RestoreTier, &[ours("s3-restore-tier")], Choice(&["Bulk", "Standard", "Expedited"]),
        "Thaw what is needed and lies in an archive class, this fast, and wait for it."),
    option(Opt::S3RestoreDays, &[ours("s3-restore-days")], Int(1), "Days for which thawed objects stay readable (default 7)."),
    option(Opt::S3UseSse, &[both("s3-use-server-side-encryption")], ON, "Let the service encrypt with AES256."),
    option(Opt::S3UseKms, &[both("s3-use-server-side-kms-encryption")], ON, "Let the service encrypt with a KMS key."),
    option(Opt::S3KmsKeyId, &[both("s3-kms-key-id")], NonEmpty, "The KMS key.").metavar("ID"),
    option(Opt::S3KmsGrant, &[both("s3-kms-grant")], NonEmpty, "Who gets full control.").metavar("GRANT"),
    option(Opt::S3MultipartChunkSize, &[both("s3-multipart-chunk-size")], Megabytes(1),
        "Part size of an upload (default 8, at least 5)."),
    option(Opt::S3MultipartMaxProcs, &[both("s3-multipart-max-procs")], Int(1),
        "Requests that move data at a time (default: what is fastest, at most 16)."),
    option(Opt::S3MultipartMaxTimeout, &[old("s3-multipart-max-timeout")], Int(0),
        "Seconds that a part may take at most (default: as long as it moves).").hidden(),
    option(Opt::S3Deprecated, &[old("s3-use-multiprocessing")], ON, "Send parts in parallel.")
        .no_effect("parts are always sent in parallel").hidden(),
    option(Opt::S3Deprecated, &[old("s3-use-new-style")], ON, "Address buckets by host name.")
        .no_effect("the address style follows the endpoint").hidden(),
    option(Opt::S3Deprecated, &[old("s3-european-buckets")], ON, "Create buckets in Europe.")
        .no_effect("buckets are never created").hidden(),
];

#[rustfmt::skip]
const OTHER_STORES: &[OptionSpec] = &[
    option(Opt::Other, &[both("ftp-passive")], ON, "FTP.").other_store(),
    option(Opt::Other, &[both("ftp-regular")], ON, "FTP.").other_store(),
    option(Opt::Other, &[both("ssh-askpass")], ON, "SSH.").other_store(),
    option(Opt::Other, &[both("ssh-options")], Words, "SSH.").other_store(),
    option(Opt::Other, &[both("scp-command")], Text, "SSH.").other_store(),
    option(Opt::Other, &[both("sftp-command")], Text, "SSH.").other_store(),
    option(Opt::Other, &[both("rsync-options")], Words, "rsync.").other_store(),
    option(Opt::Other, &[both("ssl-cacert-path")], File, "WebDAV, lftp.").other_store(),
    option(Opt::Other, &[both("ssl-no-check-certificate")], ON, "WebDAV, lftp.").other_store(),
    option(Opt::Other, &[new("webdav-headers")], Text, "WebDAV.").other_store(),
    option(Opt::Other, &[both("par2-redundancy")], Int(i64::MIN), "par2.").other_store(),
    option(Opt::Other, &[both("par2-volumes")], Int(i64::MIN), "par2.").other_store(),
    option(Opt::Other, &[both("par2-options")], Words, "par2.").other_store(),
    option(Opt::Other, &[both("imap-full-address")], ON, "IMAP.").other_store(),
    option(Opt::Other, &[both("imap-mailbox")], Text, "IMAP.").other_store(),
    option(Opt::Other, &[both("swift-storage-policy")], Text, "Swift.").other_store(),
    option(Opt::Other, &[both("mp-segment-size")], Megabytes(i64::MIN), "Swift.").other_store(),
    option(Opt::Other, &[both("azure-blob-tier")], Text, "Azure.").other_store(),
    option(Opt::Other, &[both("azure-max-single-put-size")], Int(i64::MIN), "Azure.").other_store(),
    option(Opt::Other, &[both("azure-max-block-size")], Int(i64::MIN), "Azure.").other_store(),
    option(Opt::Other, &[both("azure-max-connections")], Int(i64::MIN), "Azure.").other_store(),
    option(Opt::Other, &[both("b2-hide-files")], ON, "B2.").other_store(),
    option(Opt::Other, &[both("cf-backend")], Text, "Cloud Files.").other_store(),
    option(Opt::Other, &[both("idr-fakeroot")], File, "IDrive.").other_store(),
    option(Opt::Other, &[both("mf-purge")], ON, "MediaFire.").other_store(),
    option(Opt::Gio, &[old("gio")], ON, "The same as gio+ before the URL.").hidden(),
];
