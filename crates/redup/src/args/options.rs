//! The options of a command line, as typed: which, in which order, with which values.

use std::ffi::{OsStr, OsString};

use super::spec::OptionSpec;

/// The identity of an option, whatever name it was called by. Flags that switch the same thing on
/// and off share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Opt {
    ArchiveDir,
    Name,
    Tempdir,
    Force,
    DryRun,
    Verbosity,
    LogFd,
    LogFile,
    LogTimestamp,
    NumRetries,
    BackendRetryDelay,
    Timeout,
    IgnoreErrors,
    PrintStatistics,
    AllowSourceMismatch,
    Concurrency,
    AsynchronousUpload,
    ConfigDir,
    CopyBlocksize,
    Progress,
    ProgressRate,
    JsonStat,
    Json,
    MetadataSyncMode,
    CheckRemote,
    MemoryLimit,
    CurrentTime,
    SkipVolume,
    FailOnVolume,
    Pydevd,
    Help,
    Version,
    FullIfOlderThan,
    FullIfNInc,
    SkipIfNoChange,
    Volsize,
    MaxBlocksize,
    CopyLinks,
    FilesChanged,
    FilePrefix,
    FilePrefixManifest,
    FilePrefixArchive,
    FilePrefixSignature,
    FilePrefixJsonstat,
    TimeSeparator,
    ShortFilenames,
    OldFilenames,
    Encryption,
    Compression,
    CompressLevel,
    EncryptKey,
    HiddenEncryptKey,
    SignKey,
    EncryptSignKey,
    SecretKeyFile,
    GpgOptions,
    GpgBinary,
    UseAgent,
    EncryptSecretKeyring,
    UseGpgsm,
    RestoreTime,
    PathToRestore,
    Rename,
    RestoreOwnership,
    NumericOwner,
    CompareData,
    FileChanged,
    ShowChangesInSet,
    NewestChain,
    Include,
    Exclude,
    IncludeRegexp,
    ExcludeRegexp,
    IncludeFilelist,
    ExcludeFilelist,
    IncludeFilelistStdin,
    ExcludeFilelistStdin,
    ExcludeIfPresent,
    ExcludeOlderThan,
    ExcludeOtherFilesystems,
    ExcludeDeviceFiles,
    FilesFrom,
    FilterMode,
    FilterCase,
    NullSeparator,
    KeepLast,
    KeepDaily,
    KeepWeekly,
    KeepMonthly,
    KeepYearly,
    S3EndpointUrl,
    S3RegionName,
    S3NoDualstack,
    SslCacertFile,
    S3UnencryptedConnection,
    S3UseRrs,
    S3UseIa,
    S3UseOnezoneIa,
    S3UseGlacier,
    S3UseGlacierIr,
    S3UseDeepArchive,
    S3StorageClass,
    S3StorageClassMetadata,
    S3RestoreTier,
    S3RestoreDays,
    S3UseSse,
    S3UseKms,
    S3KmsKeyId,
    S3KmsGrant,
    S3MultipartChunkSize,
    S3MultipartMaxProcs,
    S3MultipartMaxTimeout,
    S3Deprecated,
    Other,
    Gio,
}

/// What was given for an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Flag(bool),
    /// Valid UTF-8 unless the option names a file.
    Text(OsString),
    Number(i64),
    Pair(OsString, OsString),
}

/// One option where it was typed.
#[derive(Clone, Debug)]
pub(crate) struct Occurrence {
    pub(crate) spec: &'static OptionSpec,
    /// The name that was typed, completed if it was a prefix, without dashes.
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl Occurrence {
    /// The value as text, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => text.to_str(),
            _ => None,
        }
    }
}

/// All options of a command line, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    occurrences: Vec<Occurrence>,
}

impl Options {
    pub(crate) fn push(&mut self, occurrence: Occurrence) {
        self.occurrences.push(occurrence);
    }

    /// The value of `id` that counts, and all the other options.
    pub(crate) fn without(self, id: Opt) -> (Option<OsString>, Self) {
        let (own, occurrences): (Vec<_>, Vec<_>) = self
            .occurrences
            .into_iter()
            .partition(|occurrence| occurrence.spec.id == id);
        let mut values = own.into_iter().filter_map(|it| match it.value {
            Value::Text(text) => Some(text),
            _ => None,
        });
        (values.next_back(), Self { occurrences })
    }

    /// Every occurrence, in the order of the command line.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Occurrence> {
        self.occurrences.iter()
    }

    /// Every value of `id`, in order.
    pub(crate) fn all(&self, id: Opt) -> impl DoubleEndedIterator<Item = &Value> {
        self.occurrences
            .iter()
            .filter(move |occurrence| occurrence.spec.id == id)
            .map(|occurrence| &occurrence.value)
    }

    /// The state of a switch: what was said last, else `default`.
    pub(crate) fn switch(&self, id: Opt, default: bool) -> bool {
        self.state(id).unwrap_or(default)
    }

    /// What was said last of a switch, if anything was.
    pub(crate) fn state(&self, id: Opt) -> Option<bool> {
        match self.all(id).next_back() {
            Some(Value::Flag(on)) => Some(*on),
            _ => None,
        }
    }

    /// Whether a flag was given.
    pub(crate) fn flag(&self, id: Opt) -> bool {
        self.switch(id, false)
    }

    /// The last value of a number.
    pub(crate) fn number(&self, id: Opt) -> Option<i64> {
        match self.all(id).next_back() {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The last value as bytes: for files.
    pub(crate) fn os(&self, id: Opt) -> Option<&OsStr> {
        self.all_os(id).next_back()
    }

    /// Every value as bytes.
    pub(crate) fn all_os(&self, id: Opt) -> impl DoubleEndedIterator<Item = &OsStr> {
        self.all(id).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_os_str()),
            _ => None,
        })
    }

    /// The last value as text.
    pub(crate) fn text(&self, id: Opt) -> Option<&str> {
        self.os(id).and_then(OsStr::to_str)
    }

    /// Every value as text, in order.
    pub(crate) fn all_text(&self, id: Opt) -> impl DoubleEndedIterator<Item = &str> {
        self.all_os(id).filter_map(OsStr::to_str)
    }

    /// Values that add up to one string of words ([`super::spec::ValueKind::Words`]): quotes that a
    /// wrapper left around each are removed, then they are joined with a space.
    pub(crate) fn words(&self, id: Opt) -> Vec<&str> {
        self.all_text(id)
            .map(|text| text.trim_matches('"').trim_matches('\''))
            .flat_map(str::split_whitespace)
            .collect()
    }
}
