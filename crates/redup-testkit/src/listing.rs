//! What a tree looks like, in the form of the fixtures' `expected/stateN.jsonl`.
//!
//! A [`Listing`] holds what duplicity's format can carry and a restore must bring back: names as
//! bytes, types, permission bits, owners, whole-second mtimes, contents, link targets, device
//! numbers. Of a symlink neither mode nor mtime count, because the format does not restore them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::log::Listed;
use crate::trees::Key;

/// The entries of a tree in path order: component by component, as bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Listing {
    entries: BTreeMap<Key, Entry>,
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is, and its content.
    pub kind: Kind,
    /// The 12 permission bits; `None` for symlinks.
    pub mode: Option<u32>,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Seconds since the epoch, rounded down; `None` for symlinks.
    pub mtime: Option<i64>,
}

/// Type and content of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length in bytes.
        len: u64,
        /// The SHA-256 of its content, in hex.
        sha256: String,
    },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A socket: never in a backup, so never in an expected listing.
    Socket,
}

impl Listing {
    /// Lists the tree at `root`, which need not be a folder.
    ///
    /// # Panics
    /// When anything of it cannot be read.
    #[must_use]
    #[track_caller]
    pub fn of(root: &Path) -> Self {
        let mut listing = Self::default();
        if let Err(error) = listing.add(root, Key::root()) {
            panic!("cannot list {}: {error}", root.display());
        }
        listing
    }

    /// Reads a listing written as JSON lines by `fixtures/tools/listing.py`.
    ///
    /// # Panics
    /// When the file cannot be read or a line is not what that script writes.
    #[must_use]
    #[track_caller]
    pub fn load(path: &Path) -> Self {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let entries = text.lines().enumerate().map(|(number, line)| {
            parse_line(line)
                .unwrap_or_else(|| panic!("{}:{} is not a listing", path.display(), number + 1))
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// The entries, in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// The entry at `path`, components joined by `/`; the root is the empty path.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(&Key::from_bytes(path))
    }

    /// How many paths the tree has, its root included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing at all was listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What lies at and below `path`, as a tree of its own: what a restore of that path gives.
    #[must_use]
    pub fn below(&self, path: &[u8]) -> Self {
        let base = Key::from_bytes(path);
        let inside = self
            .entries
            .iter()
            .filter_map(|(key, entry)| Some((key.strip_prefix(&base)?, entry.clone())));
        Self {
            entries: inside.collect(),
        }
    }

    /// Without `path` and what is below it.
    #[must_use]
    pub fn without(mut self, path: &[u8]) -> Self {
        let gone = Key::from_bytes(path);
        self.entries
            .retain(|key, _| key.strip_prefix(&gone).is_none());
        self
    }

    /// Without names that are no UTF-8, which duplicity leaves out of its messages for programs.
    #[must_use]
    pub fn utf8_only(mut self) -> Self {
        self.entries
            .retain(|key, _| String::from_utf8(key.to_bytes()).is_ok());
        self
    }

    /// Without sockets, which no backup holds.
    #[must_use]
    pub fn without_sockets(mut self) -> Self {
        self.entries.retain(|_, entry| entry.kind != Kind::Socket);
        self
    }

    /// The same with negative mtimes clamped to zero, as the format stores them.
    #[must_use]
    pub fn as_stored(mut self) -> Self {
        for entry in self.entries.values_mut() {
            entry.mtime = entry.mtime.map(|mtime| mtime.max(0));
        }
        self.without_sockets()
    }

    /// Fails with the differences, one a line, unless `self` (what came out) equals `expected`.
    ///
    /// # Panics
    /// When they differ; `what` says what was compared.
    #[track_caller]
    pub fn assert_is(&self, expected: &Self, what: impl fmt::Display) {
        let differences = self.differences(expected);
        assert!(
            differences.is_empty(),
            "{what}: {} path(s) differ ('-' expected, '+' found)\n{}",
            differences.len(),
            differences.join("\n"),
        );
    }

    /// Fails unless `listed`, what `list-current-files` said, names exactly the paths of this tree
    /// with their types and mtimes.
    ///
    /// # Panics
    /// When they differ; `what` says what was compared.
    #[track_caller]
    pub fn assert_listed(&self, listed: &[Listed], what: impl fmt::Display) {
        let line = |path: &Key, kind: &str, mtime: &str| match kind {
            // A listing says a link's own mtime, which a restore does not set.
            "sym" => format!("{path} sym"),
            _ => format!("{path} {kind} {mtime}"),
        };
        let expected: Vec<String> = self
            .entries
            .iter()
            .map(|(key, entry)| line(key, entry.kind.word(), &stamp(entry.mtime.unwrap_or(0))))
            .collect();
        let found: Vec<String> = listed
            .iter()
            .map(|it| line(&it.path, &it.kind, &it.mtime))
            .collect();
        let only = |these: &[String], others: &[String], sign: char| -> Vec<String> {
            let odd = these.iter().filter(|line| !others.contains(line));
            odd.map(|line| format!("  {sign} {line}")).collect()
        };
        let mut odd = only(&expected, &found, '-');
        odd.extend(only(&found, &expected, '+'));
        assert!(
            odd.is_empty(),
            "{what}: the list differs\n{}",
            odd.join("\n")
        );
        assert_eq!(expected.len(), found.len(), "{what}: paths listed twice");
    }

    /// What a restore gives a user who is not root: his own files everywhere, and no devices. For
    /// root this changes nothing.
    #[must_use]
    pub fn restored_by_me(mut self) -> Self {
        let me = rustix::process::geteuid();
        if me.is_root() {
            return self;
        }
        let device =
            |kind: &Kind| matches!(kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. });
        self.entries.retain(|_, entry| !device(&entry.kind));
        for entry in self.entries.values_mut() {
            entry.uid = me.as_raw();
            entry.gid = rustix::process::getegid().as_raw();
        }
        self
    }

    /// Every path at which `self` is not as `expected`, readable, in path order.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut keys: Vec<&Key> = self.entries.keys().chain(expected.entries.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter()
            .filter_map(|key| difference(key, expected.entries.get(key), self.entries.get(key)))
            .collect()
    }

    fn add(&mut self, path: &Path, key: Key) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = kind_of(path, &metadata)?;
        let symlink = metadata.is_symlink();
        self.entries.insert(
            key.clone(),
            Entry {
                kind,
                mode: (!symlink).then(|| metadata.mode() & 0o7777),
                uid: metadata.uid(),
                gid: metadata.gid(),
                mtime: (!symlink).then(|| metadata.mtime()),
            },
        );
        if metadata.is_dir() {
            for child in fs::read_dir(path)? {
                let name = child?.file_name();
                self.add(&path.join(&name), key.join(name.as_bytes()))?;
            }
        }
        Ok(())
    }
}

impl Kind {
    /// duplicity's word for the type.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::File { .. } => "reg",
            Self::Directory => "dir",
            Self::Symlink { .. } => "sym",
            Self::Fifo => "fifo",
            Self::CharDevice { .. } => "chr",
            Self::BlockDevice { .. } => "blk",
            Self::Socket => "sock",
        }
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, entry) in &self.entries {
            writeln!(f, "{key} {entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::File { len, sha256 } => {
                write!(
                    f,
                    "file of {len} bytes, sha256 {}",
                    sha256.get(..12).unwrap_or(sha256)
                )?;
            }
            Kind::Symlink { target } => write!(f, "symlink to '{}'", target.escape_ascii())?,
            Kind::CharDevice { major, minor } => write!(f, "char device {major},{minor}")?,
            Kind::BlockDevice { major, minor } => write!(f, "block device {major},{minor}")?,
            Kind::Directory => f.write_str("directory")?,
            Kind::Fifo => f.write_str("fifo")?,
            Kind::Socket => f.write_str("socket")?,
        }
        if let Some(mode) = self.mode {
            write!(f, ", mode {mode:04o}")?;
        }
        write!(f, ", owner {}:{}", self.uid, self.gid)?;
        if let Some(mtime) = self.mtime {
            write!(f, ", mtime {mtime}")?;
        }
        Ok(())
    }
}

fn difference(key: &Key, expected: Option<&Entry>, found: Option<&Entry>) -> Option<String> {
    if expected == found {
        return None;
    }
    let mut text = format!("  {key}");
    if let Some(entry) = expected {
        let _ = write!(text, "\n    - {entry}");
    }
    if let Some(entry) = found {
        let _ = write!(text, "\n    + {entry}");
    }
    Some(text)
}

fn kind_of(path: &Path, metadata: &fs::Metadata) -> io::Result<Kind> {
    let file_type = metadata.file_type();
    let major = rustix::fs::major(metadata.rdev());
    let minor = rustix::fs::minor(metadata.rdev());
    Ok(if file_type.is_file() {
        let (len, sha256) = digest(path)?;
        Kind::File { len, sha256 }
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::Symlink {
            target: fs::read_link(path)?.into_os_string().into_vec(),
        }
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_char_device() {
        Kind::CharDevice { major, minor }
    } else if file_type.is_block_device() {
        Kind::BlockDevice { major, minor }
    } else {
        Kind::Socket
    })
}

/// `20240101T000000Z` for seconds since the epoch, before which the format knows no time.
fn stamp(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is a year's last.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut len = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((len, hex(&hasher.finalize())));
        }
        len += read as u64;
        hasher.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

fn parse_line(line: &str) -> Option<(Key, Entry)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| u32::try_from(value.get(name)?.as_u64()?).ok();
    let device = |at: usize| u32::try_from(value.get("dev")?.get(at)?.as_u64()?).ok();
    let kind = match value.get("type")?.as_str()? {
        "reg" => Kind::File {
            len: value.get("size")?.as_u64()?,
            sha256: value.get("sha256")?.as_str()?.to_owned(),
        },
        "dir" => Kind::Directory,
        "sym" => Kind::Symlink {
            target: unhex(value.get("target_hex")?.as_str()?)?,
        },
        "fifo" => Kind::Fifo,
        "chr" => Kind::CharDevice {
            major: device(0)?,
            minor: device(1)?,
        },
        "blk" => Kind::BlockDevice {
            major: device(0)?,
            minor: device(1)?,
        },
        _ => return None,
    };
    let mode = match value.get("mode")? {
        Value::Null => None,
        mode => Some(u32::from_str_radix(mode.as_str()?, 8).ok()?),
    };
    let entry = Entry {
        kind,
        mode,
        uid: number("uid")?,
        gid: number("gid")?,
        mtime: value.get("mtime")?.as_i64(),
    };
    Some((
        Key::from_bytes(&unhex(value.get("path_hex")?.as_str()?)?),
        entry,
    ))
}

/// Whether two folders hold the same files with the same bytes; names only, one level.
///
/// # Panics
/// When either cannot be read.
#[must_use]
#[track_caller]
pub fn same_files(left: &Path, right: &Path) -> bool {
    let read = |dir: &Path| -> BTreeMap<Vec<u8>, Vec<u8>> {
        fs::read_dir(dir)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()))
            .filter_map(Result::ok)
            .filter(|item| item.path().is_file())
            .map(|item| {
                let bytes = fs::read(item.path()).unwrap_or_default();
                (item.file_name().into_vec(), bytes)
            })
            .collect()
    };
    read(left) == read(right)
}

/// The path `key` names below `root`.
#[must_use]
pub(crate) fn on_disk(root: &Path, key: &Key) -> std::path::PathBuf {
    if key.is_root() {
        return root.to_path_buf();
    }
    root.join(OsStr::from_bytes(&key.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_listing_of_the_fixtures_is_read_back_whole() {
        let path = crate::fixtures::root().join("3.2.1/plain/expected/state0.jsonl");
        let listing = Listing::load(&path);
        assert_eq!(
            listing.len(),
            fs::read_to_string(path).unwrap().lines().count()
        );
        assert_eq!(listing.get(b"empty").unwrap().mode, Some(0o644));
        assert!(listing.get(b"names/bad-\xff\xfe-utf8").is_some());
    }

    #[test]
    fn times_are_written_as_names_write_them() {
        assert_eq!(stamp(0), "19700101T000000Z");
        assert_eq!(stamp(1_704_067_200), "20240101T000000Z");
        assert_eq!(stamp(1_709_208_000), "20240229T120000Z");
        assert_eq!(stamp(8_589_934_597), "22420316T125637Z");
    }

    #[test]
    fn a_difference_names_the_path_and_both_sides() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        symlink("x", dir.path().join("l")).unwrap();
        let before = Listing::of(dir.path());
        fs::write(dir.path().join("a"), "three").unwrap();
        fs::remove_file(dir.path().join("l")).unwrap();
        let text = Listing::of(dir.path()).differences(&before).join("\n");
        assert!(
            text.contains("file of 3 bytes") && text.contains("file of 5 bytes"),
            "{text}"
        );
        assert!(text.contains("- symlink to 'x'"), "{text}");
    }

    #[test]
    fn a_part_of_a_tree_is_a_tree_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("d/e")).unwrap();
        fs::create_dir(dir.path().join("d-x")).unwrap();
        let whole = Listing::of(dir.path());
        whole
            .below(b"d")
            .assert_is(&Listing::of(&dir.path().join("d")), "part");
    }
}
