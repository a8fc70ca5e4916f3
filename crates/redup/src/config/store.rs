//! From a URL and the options about stores to an open store.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redup_s3::{ClassFlags, ClassPolicy, Encryption, Keys, S3Options, S3Storage, Thaw, ThawTier};
use redup_storage::{
    Confirm, FileStorage, Retry, RetryPolicy, S3Url, Storage, TargetUrl, UrlError,
};

use crate::args::{Args, Opt};
use crate::env::Environment;
use crate::exit::{Code, Failure, command_line};
use crate::ui::Ui;

/// Size of a volume when nothing else is said.
pub(crate) const DEFAULT_VOLSIZE: u64 = 200 << 20;

/// Opens the store that `url` means. For S3 this asks the server whether the bucket is there; a local
/// folder need not exist.
///
/// # Errors
/// When the URL means no store of ours, or the store does not answer or let us in.
pub(crate) async fn open(
    url: &OsStr,
    args: &Args,
    environment: &Environment,
    ui: &Arc<Ui>,
) -> Result<Arc<dyn Storage>, Failure> {
    let storage: Arc<dyn Storage> = match store(url, args, environment, ui)? {
        Store::File(folder) => Arc::new(FileStorage::new(folder)),
        Store::S3(options) => Arc::new(S3Storage::connect(*options).await?),
    };
    let told = Arc::clone(ui);
    let retry = Retry::new(storage, retry_policy(args)).observed(move |event| {
        let text = format!(
            "Attempt of {} Nr. {} failed. {}",
            event.error.op(),
            event.tries,
            event.error
        );
        told.warning(crate::ui::escape_lines(&text));
    });
    // duplicity asks once more than it tries.
    let times = retry_policy(args).tries.saturating_add(1);
    Ok(Arc::new(Confirm::new(Arc::new(retry), times)))
}

/// A store that is not opened yet.
#[derive(Debug)]
pub(crate) enum Store {
    /// A local folder.
    File(PathBuf),
    /// A bucket.
    S3(Box<S3Options>),
}

/// What store `url` and the options mean.
///
/// # Errors
/// When that is none of ours, or the options contradict each other.
pub(crate) fn store(
    url: &OsStr,
    args: &Args,
    environment: &Environment,
    ui: &Arc<Ui>,
) -> Result<Store, Failure> {
    let url = &with_gio(url, args);
    Ok(
        match TargetUrl::parse(local_gio(url)).map_err(url_failure)? {
            TargetUrl::File(file) => Store::File(file.path().to_owned()),
            TargetUrl::S3(s3) => Store::S3(Box::new(s3_options(s3, args, environment, ui)?)),
        },
    )
}

/// A URL as it may be shown: without a password.
pub(crate) fn shown(url: &OsStr) -> String {
    redup_storage::masked(crate::args::lossy(url))
}

/// `--gio` is the prefix of the URL.
fn with_gio(url: &OsStr, args: &Args) -> OsString {
    let mut prefixed = OsString::new();
    if args.options.flag(Opt::Gio) && !url.as_bytes().starts_with(b"gio+") {
        prefixed.push("gio+");
    }
    prefixed.push(url);
    prefixed
}

/// A desktop program names local folders `gio+file://`.
fn local_gio(url: &OsStr) -> &OsStr {
    let bytes = url.as_bytes();
    match bytes.strip_prefix(b"gio+") {
        Some(rest) if rest.starts_with(b"file://") => OsStr::from_bytes(rest),
        _ => url,
    }
}

fn url_failure(error: UrlError) -> Failure {
    let class = match error {
        UrlError::Unsupported { .. } | UrlError::UnknownScheme { .. } => "UnsupportedBackendScheme",
        _ => "InvalidBackendURL",
    };
    Failure::from_error(Code::COMMAND_LINE, &error).extra(class)
}

fn retry_policy(args: &Args) -> RetryPolicy {
    let defaults = RetryPolicy::default();
    let seconds = |option| {
        args.options
            .number(option)
            .and_then(|number| u64::try_from(number).ok())
    };
    let longest_wait =
        seconds(Opt::BackendRetryDelay).map_or(defaults.longest_wait, Duration::from_secs);
    RetryPolicy {
        // None or less would try nothing at all.
        tries: args
            .options
            .number(Opt::NumRetries)
            .map_or(defaults.tries, |tries| {
                u32::try_from(tries.max(1)).unwrap_or(u32::MAX)
            }),
        first_wait: defaults.first_wait.min(longest_wait),
        longest_wait,
        budget: defaults.budget,
    }
}

fn s3_options(
    url: S3Url,
    args: &Args,
    environment: &Environment,
    ui: &Arc<Ui>,
) -> Result<S3Options, Failure> {
    let options = &args.options;
    let google = url.scheme() == "gs";
    let told = Arc::clone(ui);
    let mut s3 = S3Options::new(url);
    s3.endpoint_url = options.text(Opt::S3EndpointUrl).map(str::to_owned);
    s3.region = options.text(Opt::S3RegionName).map(str::to_owned);
    s3.keys = environment
        .google_keys()
        .filter(|_| google)
        .map(|(id, secret)| Keys {
            access_key_id: id,
            secret_access_key: secret,
            session_token: None,
        });
    s3.unencrypted = options.flag(Opt::S3UnencryptedConnection);
    s3.dual_stack = options.flag(Opt::S3NoDualstack).then_some(false);
    s3.ca_file =
        super::file(args, Opt::SslCacertFile, environment).or_else(|| environment.ca_bundle());
    s3.classes = ClassPolicy {
        class: storage_class(args),
        metadata_class: options.text(Opt::S3StorageClassMetadata).map(str::to_owned),
    };
    s3.thaw = thaw(args)?;
    s3.encryption = encryption(args)?;
    s3.grant_full_control = options.text(Opt::S3KmsGrant).map(str::to_owned);
    s3.part_size = unsigned(args, Opt::S3MultipartChunkSize);
    s3.expected_object_size = Some(volsize(args));
    s3.connections =
        unsigned(args, Opt::S3MultipartMaxProcs).and_then(|procs| usize::try_from(procs).ok());
    if let Some(seconds) = unsigned(args, Opt::Timeout) {
        s3.timeout = Duration::from_secs(seconds);
    }
    s3.part_timeout = unsigned(args, Opt::S3MultipartMaxTimeout)
        .filter(|&seconds| seconds > 0)
        .map(Duration::from_secs);
    s3.notify = Some(Arc::new(move |notice| {
        let text = crate::ui::escape_lines(&notice.to_string());
        match notice.is_routine() {
            true => told.info(text),
            false => told.notice(text),
        }
    }));
    Ok(s3)
}

/// The size of a volume in bytes.
pub(crate) fn volsize(args: &Args) -> u64 {
    unsigned(args, Opt::Volsize).unwrap_or(DEFAULT_VOLSIZE)
}

fn storage_class(args: &Args) -> Option<String> {
    let flag = |option| args.options.flag(option);
    let flags = ClassFlags {
        rrs: flag(Opt::S3UseRrs),
        ia: flag(Opt::S3UseIa),
        onezone_ia: flag(Opt::S3UseOnezoneIa),
        glacier: flag(Opt::S3UseGlacier),
        glacier_ir: flag(Opt::S3UseGlacierIr),
        deep_archive: flag(Opt::S3UseDeepArchive),
    };
    let named = args.options.text(Opt::S3StorageClass);
    named.or(flags.class()).map(str::to_owned)
}

fn thaw(args: &Args) -> Result<Thaw, Failure> {
    let tier = match args.options.text(Opt::S3RestoreTier) {
        Some("Bulk") => ThawTier::Bulk,
        Some("Expedited") => ThawTier::Expedited,
        Some(_) => ThawTier::Standard,
        None if args.options.number(Opt::S3RestoreDays).is_some() => {
            return Err(command_line(
                "--s3-restore-days has a meaning with --s3-restore-tier only",
            ));
        }
        None => return Ok(Thaw::default()),
    };
    let days = unsigned(args, Opt::S3RestoreDays).and_then(|days| u32::try_from(days).ok());
    let days = days.unwrap_or(Thaw::default().days);
    Ok(Thaw { tier, days })
}

fn encryption(args: &Args) -> Result<Encryption, Failure> {
    let options = &args.options;
    if options.flag(Opt::S3UseSse) {
        return Ok(Encryption::S3Managed);
    }
    if !options.flag(Opt::S3UseKms) {
        return Ok(Encryption::BucketDefault);
    }
    match options.text(Opt::S3KmsKeyId) {
        Some(key_id) => Ok(Encryption::Kms {
            key_id: key_id.to_owned(),
        }),
        None => Err(command_line(
            "S3 USE SSE KMS was requested, but key id not provided require (--s3-kms-key-id)",
        )),
    }
}

fn unsigned(args: &Args, option: Opt) -> Option<u64> {
    args.options
        .number(option)
        .and_then(|number| u64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn args(line: &str) -> Args {
        match parse(line.split(' ').map(Into::into), &|_| false) {
            Ok(Parsed::Run(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_class_of_duplicitys_order_wins() {
        let class = |line: &str| storage_class(&args(line));
        assert_eq!(
            class("st s3://b --s3-use-glacier --s3-use-ia").as_deref(),
            Some("STANDARD_IA")
        );
        assert_eq!(
            class("st s3://b --s3-use-deep-archive").as_deref(),
            Some("DEEP_ARCHIVE")
        );
        assert_eq!(
            class("st s3://b --s3-use-ia --s3-storage-class X").as_deref(),
            Some("X")
        );
        assert_eq!(class("st s3://b"), None);
    }

    #[test]
    fn encryption_by_the_server_needs_what_it_needs() {
        let of = |line: &str| encryption(&args(line));
        let kms = "st s3://b --s3-use-server-side-kms-encryption";
        assert_eq!(of("st s3://b").unwrap(), Encryption::BucketDefault);
        assert_eq!(
            of(&format!("{kms} --s3-kms-key-id k")).unwrap(),
            Encryption::Kms { key_id: "k".into() }
        );
        assert_eq!(
            of(&format!("{kms} --s3-use-server-side-encryption")).unwrap(),
            Encryption::S3Managed
        );
        assert!(of(kms).unwrap_err().message.contains("--s3-kms-key-id"));
    }

    #[test]
    fn days_are_told_with_a_tier_only() {
        let of = |line: &str| thaw(&args(line));
        assert_eq!(of("st s3://b").unwrap(), Thaw::default());
        let asked = of("st s3://b --s3-restore-tier Bulk --s3-restore-days 3").unwrap();
        assert_eq!((asked.tier, asked.days), (ThawTier::Bulk, 3));
        let alone = of("st s3://b --s3-restore-days 3").unwrap_err();
        assert!(alone.message.contains("--s3-restore-tier"));
    }

    #[test]
    fn retries_are_at_least_one_try() {
        let policy = |line: &str| retry_policy(&args(line));
        assert_eq!(policy("st s3://b"), RetryPolicy::default());
        assert_eq!(policy("st s3://b --num-retries 0").tries, 1);
        let quick = policy("st s3://b --num-retries 3 --backend-retry-delay 0");
        assert_eq!((quick.tries, quick.first_wait), (3, Duration::ZERO));
    }

    #[test]
    fn urls_of_other_stores_are_refused_with_their_class() {
        let failure =
            |url: &str| url_failure(TargetUrl::parse(local_gio(OsStr::new(url))).unwrap_err());
        assert_eq!(failure("foo://x").extra, "UnsupportedBackendScheme");
        assert_eq!(failure("gio+smb://x/y").extra, "UnsupportedBackendScheme");
        assert_eq!(failure("s3://").extra, "InvalidBackendURL");
        assert!(TargetUrl::parse(local_gio(OsStr::new("gio+file:///x"))).is_ok());
    }

    #[test]
    fn the_sizes_of_volumes_are_mebibytes() {
        assert_eq!(volsize(&args("st s3://b")), 200 << 20);
        assert_eq!(volsize(&args("st s3://b --volsize 5")), 5 << 20);
    }
}
