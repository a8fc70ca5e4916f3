//! Which options have something to say to which command: what its help text lists.
//!
//! Every command accepts every option, as wrappers pass the same ones to all of them.

use super::command::Command;
use super::options::Opt;
use super::spec::{OptionSpec, Support};

/// Whether `spec` makes a difference to `command`.
pub(super) fn applies(spec: &OptionSpec, command: Command) -> bool {
    use Command::{
        Audit, Cat, Cleanup, CollectionStatus, Find, ListCurrentFiles, Probe, Prune,
        RemoveAllButNFull, RemoveAllIncOfButNFull, RemoveOlderThan, Restore, Verify,
    };
    if spec.hidden || spec.support != Support::Yes {
        return false;
    }
    let writes = command.is_backup();
    let reads = matches!(command, Restore | Verify);
    let deletes = matches!(
        command,
        Cleanup | Prune | RemoveOlderThan | RemoveAllButNFull | RemoveAllIncOfButNFull
    );
    // A probe keeps and knows nothing: it is about the store alone.
    let has_archive = command != Probe;
    match spec.id {
        Opt::ArchiveDir | Opt::Name | Opt::MetadataSyncMode | Opt::CheckRemote => has_archive,
        Opt::MemoryLimit => writes || reads || matches!(command, Cat | Probe),
        Opt::Tempdir => matches!(command, Verify | Cat),
        Opt::CompareData => command == Verify,
        Opt::Force => command == Restore || deletes,
        Opt::DryRun => writes || command == Restore || deletes,
        Opt::IgnoreErrors => reads,
        Opt::PrintStatistics | Opt::AllowSourceMismatch => writes,
        Opt::Concurrency | Opt::AsynchronousUpload => writes,
        Opt::Progress | Opt::ProgressRate => writes || reads,
        Opt::Json => command.has_json(),
        Opt::JsonStat => writes || command == CollectionStatus,

        Opt::FullIfOlderThan | Opt::FullIfNInc => writes && command != Command::Full,
        Opt::SkipIfNoChange => writes && command != Command::Full,
        Opt::Volsize => writes || command == Probe,
        Opt::MaxBlocksize | Opt::FilesChanged => writes,
        Opt::CopyLinks => writes || command == Verify,
        Opt::FilePrefix
        | Opt::FilePrefixManifest
        | Opt::FilePrefixArchive
        | Opt::FilePrefixSignature
        | Opt::FilePrefixJsonstat
        | Opt::TimeSeparator => has_archive,

        Opt::Compression | Opt::CompressLevel => writes,
        Opt::EncryptKey | Opt::HiddenEncryptKey => writes,
        Opt::Encryption
        | Opt::SignKey
        | Opt::EncryptSignKey
        | Opt::SecretKeyFile
        | Opt::GpgOptions
        | Opt::UseAgent
        | Opt::EncryptSecretKeyring => has_archive,

        Opt::RestoreTime => reads || matches!(command, ListCurrentFiles | Find | Cat),
        Opt::PathToRestore => reads,
        Opt::Rename | Opt::RestoreOwnership => command == Restore,
        Opt::NumericOwner => writes || reads,
        Opt::FileChanged | Opt::ShowChangesInSet => command == CollectionStatus,
        Opt::KeepLast | Opt::KeepDaily | Opt::KeepWeekly | Opt::KeepMonthly | Opt::KeepYearly => {
            command == Prune
        }

        Opt::Include
        | Opt::Exclude
        | Opt::IncludeRegexp
        | Opt::ExcludeRegexp
        | Opt::IncludeFilelist
        | Opt::ExcludeFilelist
        | Opt::ExcludeOlderThan
        | Opt::NullSeparator => writes || reads,
        Opt::FilterMode | Opt::FilterCase => writes || reads || command == Find,
        Opt::NewestChain => command == Find,
        Opt::ExcludeIfPresent
        | Opt::ExcludeOtherFilesystems
        | Opt::ExcludeDeviceFiles
        | Opt::FilesFrom => writes || command == Verify,

        Opt::S3UseRrs
        | Opt::S3UseIa
        | Opt::S3UseOnezoneIa
        | Opt::S3UseGlacier
        | Opt::S3UseGlacierIr
        | Opt::S3UseDeepArchive
        | Opt::S3StorageClass
        | Opt::S3StorageClassMetadata
        | Opt::S3UseSse
        | Opt::S3UseKms
        | Opt::S3KmsKeyId
        | Opt::S3KmsGrant => writes || command == Probe,
        Opt::S3MultipartChunkSize => writes,
        Opt::S3RestoreTier | Opt::S3RestoreDays => has_archive && !deletes && command != Audit,
        _ => true,
    }
}
