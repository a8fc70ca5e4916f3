//! Restoring paths under other names.

use redup_format::index::PathIndex;

/// From names in the archive to names in the target.
#[derive(Debug)]
pub(super) struct Renames(Vec<(PathIndex, PathIndex)>);

impl Renames {
    /// Of several that apply to a path, the longest counts, then the last. The root keeps its name.
    pub(super) fn new(mut renames: Vec<(PathIndex, PathIndex)>) -> Self {
        renames.retain(|(from, _)| !from.is_root());
        Self(renames)
    }

    /// Where `index` goes.
    pub(super) fn apply(&self, index: &PathIndex) -> PathIndex {
        let applies = |(from, to): &(PathIndex, PathIndex)| {
            let rest = index.strip_prefix(from)?;
            Some((from.components().count(), to.clone(), rest))
        };
        let found = self.0.iter().filter_map(applies);
        match found.max_by_key(|(depth, _, _)| *depth) {
            None => index.clone(),
            // Both parts are paths already: joining them cannot fail.
            Some((_, to, rest)) => rest
                .components()
                .try_fold(to, |path, name| path.join(name))
                .unwrap_or_else(|_| index.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(path: &str) -> PathIndex {
        match path {
            "." => PathIndex::root(),
            path => PathIndex::from_bytes(path.as_bytes()).unwrap(),
        }
    }

    #[test]
    fn the_longest_name_that_applies_counts_then_the_last() {
        let renames = [
            ("home/old", "home/a"),
            ("home", "h"),
            ("home/old", "x/y"),
            (".", "all"),
        ];
        let renames = renames.map(|(from, to)| (index(from), index(to))).to_vec();
        let renames = Renames::new(renames);
        let renamed = |path: &str| renames.apply(&index(path)).to_string();
        assert_eq!(renamed("home/old/d/g"), "x/y/d/g");
        assert_eq!(renamed("home/old"), "x/y");
        assert_eq!(renamed("home/older"), "h/older");
        assert_eq!(renamed("homes"), "homes");
        assert_eq!(renamed("."), ".");
    }

    #[test]
    fn a_name_can_become_the_root() {
        let renames = Renames::new(vec![(index("a"), PathIndex::root())]);
        assert_eq!(renames.apply(&index("a/b")).to_string(), "b");
    }
}
