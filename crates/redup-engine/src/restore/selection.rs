//! Which paths of an archive are restored.

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use redup_select::{Facts, Kind, Rules, Verdict};

/// Asks the rules about each path of an archive, in path order.
#[derive(Debug)]
pub(super) struct Selection {
    /// `None` selects everything.
    rules: Option<Rules>,
    /// The folder that was left out last, with all that it holds.
    excluded: Option<PathIndex>,
    /// Folders on the way to the current path that are wanted only if something in them is.
    held: Vec<(PathIndex, Attributes)>,
}

impl Selection {
    pub(super) fn new(rules: Option<Rules>) -> Self {
        Self {
            rules,
            excluded: None,
            held: Vec::new(),
        }
    }

    /// The folders to restore before the path, or `None` when it is left out or has to wait for
    /// something in it. Of a path that cannot be rebuilt there are no attributes.
    pub(super) fn admit(
        &mut self,
        index: &PathIndex,
        attributes: Option<&Attributes>,
    ) -> Option<Vec<(PathIndex, Attributes)>> {
        let Some(rules) = &self.rules else {
            return Some(Vec::new());
        };
        if let Some(excluded) = &self.excluded
            && index.starts_with(excluded)
        {
            return None;
        }
        self.held.retain(|(folder, _)| index.starts_with(folder));
        let facts = Facts {
            kind: attributes.map_or(Kind::Regular, |it| kind(&it.file_type)),
            mtime: attributes.map_or(i64::MAX, |it| it.mtime),
            other_filesystem: false,
            has_entry: &|_| false,
        };
        // The root alone is no answer to a selection.
        let verdict = match index.is_root() {
            true => Verdict::Scan,
            false => rules.judge(index, &facts),
        };
        match verdict {
            Verdict::Include => Some(std::mem::take(&mut self.held)),
            Verdict::Exclude => {
                self.excluded = Some(index.clone());
                None
            }
            Verdict::Scan => {
                let folder = attributes.filter(|it| it.file_type.is_directory());
                self.held
                    .extend(folder.map(|attributes| (index.clone(), attributes.clone())));
                None
            }
        }
    }
}

fn kind(file_type: &FileType) -> Kind {
    match file_type {
        FileType::Regular => Kind::Regular,
        FileType::Directory => Kind::Directory,
        FileType::CharDevice { .. } | FileType::BlockDevice { .. } => Kind::Device,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use redup_select::{Action, Condition};

    use super::*;

    fn attributes(file_type: FileType) -> Attributes {
        Attributes {
            file_type,
            mode: 0o644,
            uid: 0,
            gid: 0,
            uname: Vec::new(),
            gname: Vec::new(),
            mtime: 0,
        }
    }

    /// The order in which paths are restored; those that end in `/` are folders.
    fn restored(rules: &[(Action, &str)], paths: &[&str]) -> Vec<String> {
        let conditions: Vec<_> = rules
            .iter()
            .map(|(action, pattern)| Condition::Pattern {
                action: *action,
                pattern: pattern.as_bytes().to_vec(),
            })
            .collect();
        let mut selection = Selection::new(Some(Rules::for_archive(&conditions).unwrap()));
        let mut order = Vec::new();
        for path in paths {
            let index = match path.trim_end_matches('/') {
                "." => PathIndex::root(),
                name => PathIndex::from_bytes(name.as_bytes()).unwrap(),
            };
            let file_type = match path.ends_with('/') {
                true => FileType::Directory,
                false => FileType::Regular,
            };
            if let Some(before) = selection.admit(&index, Some(&attributes(file_type))) {
                order.extend(before.into_iter().map(|(folder, _)| folder.to_string()));
                order.push(index.to_string());
            }
        }
        order
    }

    #[test]
    fn folders_come_with_the_first_path_in_them() {
        let paths = ["./", "a/", "a/b/", "a/b/x", "a/c/", "a/c/y", "a/c/z", "d"];
        let rules = [(Action::Include, "a/c/z"), (Action::Exclude, "**")];
        assert_eq!(restored(&rules, &paths), [".", "a", "a/c", "a/c/z"]);
    }

    #[test]
    fn what_an_excluded_folder_holds_is_out() {
        let paths = ["./", "a/", "a/b", "aa", "b"];
        assert_eq!(
            restored(&[(Action::Exclude, "a")], &paths),
            [".", "aa", "b"]
        );
        let nothing = [(Action::Include, "none"), (Action::Exclude, "**")];
        assert_eq!(restored(&nothing, &paths), [""; 0]);
    }
}
