//! How verify words a difference.

use jiff::tz::TimeZone;
use redup_engine::Difference;
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

use super::escape;
use super::format::pretty_time;

/// What a person and a script read behind `Difference found: `.
pub(crate) fn difference(index: &PathIndex, difference: &Difference, zone: &TimeZone) -> String {
    let path = path_text(index);
    let time = |seconds: i64| pretty_time(seconds, zone);
    match difference {
        Difference::New => format!("New file {path}"),
        Difference::Missing => format!("File {path} is missing"),
        Difference::Type(found, expected) => format!(
            "File {path} has type {}, expected {}",
            type_word(&found.file_type),
            type_word(&expected.file_type)
        ),
        Difference::Permissions(found, expected) => format!(
            "File {path} has permissions {}, expected {}",
            permissions(found),
            permissions(expected)
        ),
        Difference::Mtime(found, expected) => {
            format!(
                "File {path} has mtime {}, expected {}",
                time(*found),
                time(*expected)
            )
        }
        Difference::Data => format!("Data for file {path} is different"),
        Difference::LinkTarget(found, expected) => {
            format!(
                "Symlink {path} points to {}, expected {}",
                escape(found),
                escape(expected)
            )
        }
        Difference::Device(found, expected) => format!(
            "Device file {path} has numbers {}:{}, expected {}:{}",
            found.0, found.1, expected.0, expected.1
        ),
        other => format!("File {path} differs: {other:?}"),
    }
}

/// A path inside a backup; its root is a dot.
pub(crate) fn path_text(index: &PathIndex) -> String {
    escape(path_bytes(index))
}

/// A path inside a backup as bytes; its root is a dot.
pub(crate) fn path_bytes(index: &PathIndex) -> &[u8] {
    if index.is_root() {
        b"."
    } else {
        index.as_bytes()
    }
}

/// The word for a type that messages and stanzas use.
pub(crate) fn type_word(file_type: &FileType) -> &'static str {
    match file_type {
        FileType::Regular => "reg",
        FileType::Directory => "dir",
        FileType::Symlink { .. } => "sym",
        FileType::Fifo => "fifo",
        FileType::CharDevice { .. } => "chr",
        FileType::BlockDevice { .. } => "blk",
    }
}

/// `0:0 644`: owner, group, mode.
fn permissions(attributes: &Attributes) -> String {
    format!(
        "{}:{} {:o}",
        attributes.uid, attributes.gid, attributes.mode
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn attributes(file_type: FileType, mode: u32) -> Attributes {
        Attributes {
            file_type,
            mode,
            uid: 0,
            gid: 7,
            uname: Vec::new(),
            gname: Vec::new(),
            mtime: 0,
        }
    }

    #[test]
    fn differences_are_worded_as_scripts_know_them() {
        let index = PathIndex::from_bytes(b"a/b\x1b").unwrap();
        let reg = |mode| attributes(FileType::Regular, mode);
        let cases = [
            Difference::New,
            Difference::Missing,
            Difference::Type(reg(0o644), attributes(FileType::Directory, 0o755)),
            Difference::Permissions(reg(0o600), reg(0o4755)),
            Difference::Mtime(1_700_000_000, 0),
            Difference::Data,
            Difference::LinkTarget(b"x".to_vec(), b"y\n".to_vec()),
            Difference::Device((1, 2), (3, 4)),
        ];
        let lines: Vec<_> = cases
            .iter()
            .map(|case| difference(&index, case, &TimeZone::UTC))
            .collect();
        expect![[r#"
            New file a/b\x1b
            File a/b\x1b is missing
            File a/b\x1b has type reg, expected dir
            File a/b\x1b has permissions 0:7 600, expected 0:7 4755
            File a/b\x1b has mtime Tue Nov 14 22:13:20 2023, expected Thu Jan  1 00:00:00 1970
            Data for file a/b\x1b is different
            Symlink a/b\x1b points to x, expected y\n
            Device file a/b\x1b has numbers 1:2, expected 3:4"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_root_is_a_dot() {
        assert_eq!(path_text(&PathIndex::root()), ".");
    }
}
