//! Which names an object may have.

use crate::{Error, ErrorKind, Op, Result};

/// How names begin that stores use for themselves while an object is being written.
///
/// duplicity's names never begin like this, whatever follows, so a file left behind is ignored by
/// every version of it.
pub(crate) const TEMPORARY_PREFIX: &str = ".redup-tmp-";

/// The longest name, in bytes: what every common file system takes.
const MAX_NAME_LEN: usize = 255;

/// Refuses a name that could leave the target folder or clash with a store's own names: empty,
/// `.` and `..`, longer than 255 bytes, with `/` or a control character, or beginning like a
/// temporary name.
pub fn check_name(op: Op, location: &str, name: &str) -> Result<()> {
    let fault = if name.is_empty() {
        "an object name cannot be empty"
    } else if name == "." || name == ".." {
        "an object name cannot be a folder's"
    } else if name.len() > MAX_NAME_LEN {
        "an object name cannot be longer than 255 bytes"
    } else if name.contains('/') {
        "an object name cannot contain a slash"
    } else if name.chars().any(char::is_control) {
        "an object name cannot contain control characters"
    } else if name.starts_with(TEMPORARY_PREFIX) {
        "the name is reserved for unfinished uploads"
    } else {
        return Ok(());
    };
    let object = format!("{location}: {:?}", shortened(name));
    Err(Error::new(ErrorKind::Unsupported, op, object).with_detail(fault))
}

fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_backup_files_are_accepted() {
        for name in [
            "duplicity-full.20240101T000000Z.vol1.difftar.gpg",
            "a b+c%20é~",
            "..a",
            ".x",
        ] {
            check_name(Op::Put, "here", name).unwrap();
        }
        check_name(Op::Put, "here", &"x".repeat(255)).unwrap();
    }

    #[test]
    fn names_that_leave_the_folder_or_clash_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/a",
            "a\0b",
            "a\nb",
            ".redup-tmp-1",
            &"x".repeat(256),
        ] {
            let error = check_name(Op::Put, "here", name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name:?}");
            assert!(!error.to_string().contains(['\0', '\n']), "{name:?}");
        }
    }
}
