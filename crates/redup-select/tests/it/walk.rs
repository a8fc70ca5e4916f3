//! The walk without rules.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use redup_format::entry::FileType;
use redup_format::index::PathIndex;
use redup_select::{Access, Links, Rules, SourceEntry, Walk, WalkOptions};
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

#[test]
fn entries_come_in_path_order_with_the_attributes_the_archive_keeps() {
    let dir = tree(&["a/z", "a b", "a-b", "aa/", "A"]);
    fs::write(dir.path().join("a/z"), b"12345").unwrap();
    fs::set_permissions(dir.path().join("a/z"), fs::Permissions::from_mode(0o4751)).unwrap();
    set_mtime(&dir.path().join("a/z"), 1_700_000_000, 987_654_321);

    let entries = walk(dir.path());

    let names: Vec<_> = entries.iter().map(|e| e.index.to_string()).collect();
    assert_eq!(names, [".", "A", "a", "a/z", "a b", "a-b", "aa"]);
    let z = &entries[3];
    assert_eq!(z.attributes.file_type, FileType::Regular);
    assert_eq!(z.attributes.mode, 0o4751);
    assert_eq!(
        (z.attributes.mtime, z.mtime_nsec),
        (1_700_000_000, 987_654_321)
    );
    assert_eq!(z.len, 5);
    let meta = fs::metadata(dir.path().join("a/z")).unwrap();
    assert_eq!(
        (z.dev, z.ino, z.ctime),
        (meta.dev(), meta.ino(), meta.ctime())
    );
    assert_eq!(z.attributes.uid, u64::from(meta.uid()));
    assert_eq!(z.path(), dir.path().join("a/z"));
}

#[test]
fn times_before_the_epoch_become_the_epoch() {
    let dir = tree(&["old", "just"]);
    set_mtime(&dir.path().join("old"), -86_400, 0);
    set_mtime(&dir.path().join("just"), -1, 500_000_000);
    for entry in &walk(dir.path())[1..] {
        assert_eq!(entry.attributes.mtime, 0, "{}", entry.index);
    }
}

#[test]
fn owners_are_named_as_this_host_names_them() {
    let dir = tree(&["f"]);
    let attributes = walk(dir.path())[1].attributes.clone();
    let uid = nix::unistd::Uid::current();
    let expected = nix::unistd::User::from_uid(uid).unwrap();
    assert_eq!(
        attributes.uname,
        expected
            .map(|user| user.name.into_bytes())
            .unwrap_or_default()
    );
}

#[test]
fn links_are_read_and_never_followed() {
    let dir = tree(&["real/inside"]);
    symlink("real", dir.path().join("link")).unwrap();
    symlink("no\u{fffd}where", dir.path().join("dangling")).unwrap();
    let entries = walk(dir.path());
    let names: Vec<_> = entries.iter().map(|e| e.index.to_string()).collect();
    assert_eq!(names, [".", "dangling", "link", "real", "real/inside"]);
    assert_eq!(
        entries[1].attributes.file_type,
        FileType::Symlink {
            target: "no\u{fffd}where".into()
        }
    );
    assert!(entries[2].open().is_err());
}

#[test]
fn a_source_that_is_a_link_or_a_file_is_the_whole_walk() {
    let dir = tree(&["real/inside"]);
    symlink("real", dir.path().join("link")).unwrap();
    for source in ["link", "link/", "link/."] {
        let entries = walk(&dir.path().join(source));
        assert_eq!(entries.len(), 1, "{source}");
        assert!(matches!(
            entries[0].attributes.file_type,
            FileType::Symlink { .. }
        ));
    }

    fs::write(dir.path().join("real/inside"), b"contents").unwrap();
    let entries = walk(&dir.path().join("real/inside"));
    assert_eq!(entries.len(), 1);
    assert!(entries[0].index.is_root());
    assert_eq!(contents(&entries[0]), b"contents");
}

#[test]
fn a_source_that_is_not_there_is_an_error_that_names_it() {
    let dir = tree(&[]);
    let error = Walk::new(
        &dir.path().join("miss\u{7}ing"),
        Rules::all(),
        WalkOptions::default(),
    )
    .unwrap_err();
    assert!(error.index.is_root());
    assert_eq!(error.access, Access::Examine);
    assert!(error.to_string().ends_with("miss\\u{7}ing\""), "{error}");
}

#[test]
fn sockets_are_told_of_and_left_out() {
    let dir = tree(&["a", "z"]);
    let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = WalkOptions {
        on_socket: Some(Box::new({
            let told = Arc::clone(&told);
            move |path| told.lock().unwrap().push(path.to_owned())
        })),
        ..WalkOptions::default()
    };
    let walk = Walk::new(dir.path(), Rules::all(), options).unwrap();
    assert_eq!(walk.map(Result::unwrap).count(), 3);
    assert_eq!(*told.lock().unwrap(), [dir.path().join("socket")]);
}

#[test]
fn a_fifo_in_a_files_place_is_refused_without_waiting_for_a_writer() {
    let dir = tree(&["f"]);
    let entry = walk(dir.path()).pop().unwrap();
    fs::remove_file(dir.path().join("f")).unwrap();
    mkfifo(&dir.path().join("f"));
    assert!(entry.open().is_err());
    fs::remove_file(dir.path().join("f")).unwrap();
    symlink("/etc/passwd", dir.path().join("f")).unwrap();
    assert!(entry.open().is_err());
}

#[test]
fn a_file_is_found_by_its_folder_even_after_the_folder_moved() {
    let dir = tree(&["d/f"]);
    fs::write(dir.path().join("d/f"), b"mine").unwrap();
    let entry = walk(dir.path()).pop().unwrap();
    fs::rename(dir.path().join("d"), dir.path().join("e")).unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/f"), b"another's").unwrap();
    assert_eq!(contents(&entry), b"mine");
}

#[test]
fn what_vanishes_between_listing_and_looking_is_left_out_silently() {
    let dir = tree(&["a", "b", "c/d", "e"]);
    let walk = Walk::new(dir.path(), Rules::all(), WalkOptions::default()).unwrap();
    let mut names = Vec::new();
    for entry in walk {
        let name = entry.unwrap().index.to_string();
        if name == "a" {
            fs::remove_file(dir.path().join("b")).unwrap();
        }
        if name == "c" {
            fs::remove_dir_all(dir.path().join("c")).unwrap();
        }
        names.push(name);
    }
    assert_eq!(names, [".", "a", "c", "e"]);
}

#[test]
fn a_folder_that_became_a_link_is_an_error_and_is_not_entered() {
    let dir = tree(&["a/x", "b"]);
    let mut walk = Walk::new(dir.path(), Rules::all(), WalkOptions::default()).unwrap();
    assert_eq!(walk.nth(1).unwrap().unwrap().index.to_string(), "a");
    fs::rename(dir.path().join("a"), dir.path().join("moved")).unwrap();
    symlink("moved", dir.path().join("a")).unwrap();
    let error = walk.next().unwrap().unwrap_err();
    assert_eq!(error.index.to_string(), "a");
    assert_eq!(error.access, Access::List);
    assert_eq!(walk.next().unwrap().unwrap().index.to_string(), "b");
    assert!(walk.next().is_none());
    assert!(walk.next().is_none());
}

#[test]
fn a_folder_that_cannot_be_listed_follows_its_own_entry_and_the_walk_goes_on() {
    if nix::unistd::Uid::effective().is_root() {
        return; // Root may list everything.
    }
    let dir = tree(&["a", "closed/x", "z"]);
    let closed = dir.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let items: Vec<_> = Walk::new(dir.path(), Rules::all(), WalkOptions::default())
        .unwrap()
        .collect();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| match item {
            Ok(entry) => entry.index.to_string(),
            Err(error) => format!("!{}", error.index),
        })
        .collect();
    assert_eq!(names, [".", "a", "closed", "!closed", "z"]);
}

#[test]
fn a_tree_deeper_than_paths_may_be_long_is_walked_down_and_up_again() {
    let dir = tree(&[]);
    let depth = 400;
    make_deep(dir.path(), depth);
    let entries = walk(dir.path());
    // The root, and at each level a folder, in it a file before and one behind the next folder.
    assert_eq!(entries.len(), 1 + 3 * depth);
    assert!(entries.is_sorted_by(|a, b| a.index < b.index));
    assert!(entries.last().unwrap().index.as_bytes().len() < 300);
    let deepest = entries
        .iter()
        .max_by_key(|e| e.index.as_bytes().len())
        .unwrap();
    assert!(deepest.index.as_bytes().len() > 4096 * 10);
    let again = SourceEntry::of(dir.path(), &deepest.index)
        .unwrap()
        .unwrap();
    assert_eq!((again.dev, again.ino), (deepest.dev, deepest.ino));
    assert_eq!(contents(deepest), b"");
    remove_deep(dir.path());
}

#[test]
fn links_that_are_followed_stand_for_what_they_lead_to() {
    let dir = tree(&["real/inside", "real/sub/"]);
    fs::write(dir.path().join("real/inside"), b"12345").unwrap();
    symlink("real", dir.path().join("dir")).unwrap();
    symlink("real/inside", dir.path().join("file")).unwrap();
    symlink("self", dir.path().join("self")).unwrap();
    symlink("file/x", dir.path().join("through-a-file")).unwrap();
    symlink("..", dir.path().join("real/sub/up")).unwrap();
    let options = WalkOptions {
        links: Links::Follow,
        ..WalkOptions::default()
    };
    let walk = Walk::new(dir.path(), Rules::all(), options).unwrap();
    let mut names = Vec::new();
    for item in walk {
        match item {
            Ok(entry) => {
                names.push(entry.index.to_string());
                let found = SourceEntry::find(dir.path(), &entry.index, Links::Follow);
                assert_eq!(found.unwrap().unwrap().ino, entry.ino);
                if entry.attributes.file_type.is_regular() {
                    assert_eq!(contents(&entry), b"12345");
                }
            }
            Err(error) => names.push(format!("!{}", error.index)),
        }
    }
    let of = |dir: &str| {
        let below = ["", "/inside", "/sub", "/sub/up"].map(|name| format!("{dir}{name}"));
        below.into_iter().chain([format!("!{dir}/sub/up")])
    };
    let mut expected = vec![".".to_owned()];
    expected.extend(of("dir"));
    expected.push("file".to_owned());
    expected.extend(of("real"));
    assert_eq!(names, expected);
}

#[test]
fn one_path_is_looked_up_without_a_walk_and_without_following_links() {
    let dir = tree(&["a/b"]);
    symlink("a", dir.path().join("link")).unwrap();
    let of =
        |index: &[u8]| SourceEntry::of(dir.path(), &PathIndex::from_bytes(index).unwrap()).unwrap();
    for entry in walk(dir.path()) {
        let found = of(entry.index.as_bytes()).unwrap();
        assert_eq!(found.attributes, entry.attributes);
        assert_eq!((found.ino, found.len), (entry.ino, entry.len));
    }
    assert!(of(b"missing").is_none());
    assert!(of(b"missing/too").is_none());
    assert!(of(b"link/b").is_none());
    assert!(of(b"a/b/c").is_none());
    assert_eq!(contents(&of(b"a/b").unwrap()), b"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_is_walked_as_sorting_its_paths_would(
        tree in prop::collection::btree_map(path(), any::<bool>(), 0..40)
    ) {
        let dir = TempDir::new().unwrap();
        let expected = build(dir.path(), &tree);
        let walked: Vec<_> = walk(dir.path())
            .into_iter()
            .map(|entry| (entry.index, entry.attributes.file_type.is_directory()))
            .collect();
        prop_assert_eq!(walked, expected.into_iter().collect::<Vec<_>>());
    }
}

/// Paths of few different names, so that they meet, and of bytes on both sides of the slash.
fn path() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop::sample::select(b"a b-\x01\n./\x30\xc3\xff".to_vec());
    let name = prop::collection::vec(byte, 1..3)
        .prop_map(|name| name.into_iter().filter(|&b| b != b'/').collect::<Vec<u8>>())
        .prop_filter("a name", |name| !matches!(&name[..], b"" | b"." | b".."));
    prop::collection::vec(name, 1..5)
}

/// Makes folders and files where they fit; returns what is there, whether a folder, found naively.
fn build(root: &Path, tree: &BTreeMap<Vec<Vec<u8>>, bool>) -> BTreeMap<PathIndex, bool> {
    for (names, &is_dir) in tree {
        let path = root.join(std::ffi::OsString::from_vec(names.join(&b'/')));
        // Something else may be there already: then that stays.
        if fs::create_dir_all(path.parent().unwrap()).is_ok() {
            if is_dir {
                fs::create_dir_all(path).unwrap_or_default();
            } else if !path.exists() {
                fs::write(path, b"").unwrap();
            }
        }
    }
    let mut found = BTreeMap::new();
    find(root, PathIndex::root(), &mut found);
    found
}

fn find(path: &Path, index: PathIndex, found: &mut BTreeMap<PathIndex, bool>) {
    found.insert(index.clone(), path.is_dir());
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let name = entry.unwrap().file_name();
            find(
                &path.join(&name),
                index.join(name.as_bytes()).unwrap(),
                found,
            );
        }
    }
}

/// `{0,1,2}` at each level with `1` a folder, all names 200 bytes long.
fn make_deep(root: &Path, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        for name in ["0", "2"] {
            let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(&dir, deep_name(name), create, Mode::RUSR).unwrap());
        }
        rustix::fs::mkdirat(&dir, deep_name("1"), Mode::RWXU).unwrap();
        dir = rustix::fs::openat(&dir, deep_name("1"), flags, Mode::empty()).unwrap();
    }
}

/// The standard library removes trees by recursion with an open folder a level: pull the tree apart instead.
fn remove_deep(root: &Path) {
    let (next, spare) = (root.join(deep_name("1")), root.join("spare"));
    while next.exists() {
        let below = next.join(deep_name("1"));
        if below.exists() {
            fs::rename(&below, &spare).unwrap();
        }
        fs::remove_dir_all(&next).unwrap();
        if spare.exists() {
            fs::rename(&spare, &next).unwrap();
        }
    }
}

fn deep_name(first: &str) -> String {
    format!("{first}{}", "n".repeat(199))
}

/// A folder with these files; folders end in a slash.
fn tree(paths: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for path in paths {
        let full: PathBuf = dir.path().join(path);
        if path.ends_with('/') {
            fs::create_dir_all(full).unwrap();
        } else {
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, b"").unwrap();
        }
    }
    dir
}

#[track_caller]
fn walk(root: &Path) -> Vec<SourceEntry> {
    let walk = Walk::new(root, Rules::all(), WalkOptions::default()).unwrap();
    walk.map(Result::unwrap).collect()
}

#[track_caller]
fn contents(entry: &SourceEntry) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn mkfifo(path: &Path) {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn set_mtime(path: &Path, secs: i64, nsec: i64) {
    let time = rustix::fs::Timespec {
        tv_sec: secs,
        tv_nsec: nsec,
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
}
