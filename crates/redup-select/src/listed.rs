//! A list of files that takes the place of what folders hold.

use std::sync::Arc;

use redup_format::index::{IndexError, PathIndex};

use crate::error::RuleError;
use crate::rules::Separator;

/// The paths that are all a walk visits, besides the folders they are in (`--files-from`); see
/// [`Rules::limited_to`](crate::Rules::limited_to).
///
/// A folder in the list does not bring what it holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Listed {
    /// In path order.
    paths: Arc<[PathIndex]>,
}

impl Listed {
    /// Reads a list of paths relative to the source, in any order. Nothing is stripped from a line.
    ///
    /// Doubled slashes, slashes at the end and `.` components mean nothing.
    pub fn parse(list: &[u8], separator: Separator) -> Result<Self, RuleError> {
        let end = separator.byte();
        let lines = list.split(|&byte| byte == end);
        let mut paths = lines
            .filter(|line| !line.is_empty())
            .map(parse_line)
            .collect::<Result<Vec<_>, _>>()?;
        if paths.is_empty() {
            return Err(RuleError::NothingListed);
        }
        paths.sort_unstable();
        paths.dedup();
        Ok(Self {
            paths: paths.into(),
        })
    }

    /// The names in a folder that lead to a path of the list, sorted.
    pub(crate) fn names(&self, folder: &PathIndex) -> Vec<Vec<u8>> {
        let start = self.paths.partition_point(|path| path <= folder);
        let below = self.paths[start..]
            .iter()
            .map_while(|path| path.strip_prefix(folder));
        let mut names: Vec<_> = below
            .filter_map(|path| path.components().next().map(<[u8]>::to_vec))
            .collect();
        names.dedup();
        names
    }
}

fn parse_line(line: &[u8]) -> Result<PathIndex, RuleError> {
    if line.starts_with(b"/") {
        return Err(RuleError::AbsolutePath {
            path: line.to_vec(),
        });
    }
    let path = line
        .split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .try_fold(PathIndex::root(), |path, name| path.join(name));
    path.map_err(|source: IndexError| RuleError::ListedPath {
        path: line.to_vec(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &[u8]) -> Result<Listed, RuleError> {
        Listed::parse(list, Separator::Newline)
    }

    #[track_caller]
    fn check(list: &[u8], folder: &[u8], expected: &[&str]) {
        let names = parse(list)
            .unwrap()
            .names(&PathIndex::from_bytes(folder).unwrap());
        let expected: Vec<_> = expected.iter().map(|name| name.as_bytes()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_folder_has_the_names_that_lead_on() {
        let list = b"b/y\na/x/1\nb\na/x/2\na b\na/w\nb/y\n";
        check(list, b"", &["a", "a b", "b"]);
        check(list, b"a", &["w", "x"]);
        check(list, b"b", &["y"]);
        check(list, b"a/w", &[]);
        check(list, b"zzz", &[]);
    }

    #[test]
    fn spellings_of_a_path_are_one_path() {
        check(b"./a//b/\na/./b\n./\n", b"a", &["b"]);
    }

    #[test]
    fn white_space_is_part_of_a_path() {
        check(b" a \n# b\n", b"", &[" a ", "# b"]);
    }

    #[test]
    fn what_is_not_below_the_source_is_refused() {
        assert!(matches!(
            parse(b"a\n/b\n"),
            Err(RuleError::AbsolutePath { .. })
        ));
        assert!(matches!(
            parse(b"a/../b\n"),
            Err(RuleError::ListedPath { .. })
        ));
        assert!(matches!(parse(b"\n\n"), Err(RuleError::NothingListed)));
    }
}
