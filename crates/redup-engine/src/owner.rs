//! Owners: stored names take precedence over stored numbers where this host knows them.

use std::cell::RefCell;
use std::collections::HashMap;

use nix::unistd::{Group, User};
use redup_format::entry::Attributes;

/// Maps stored owners to this host's numbers, with a cache: names repeat on every entry.
#[derive(Debug, Default)]
pub(crate) struct OwnerMap {
    numeric: bool,
    users: RefCell<HashMap<Vec<u8>, Option<u64>>>,
    groups: RefCell<HashMap<Vec<u8>, Option<u64>>>,
}

impl OwnerMap {
    /// A map by names, or with `numeric` one that leaves numbers as they are.
    pub(crate) fn new(numeric: bool) -> Self {
        Self {
            numeric,
            ..Self::default()
        }
    }

    /// The user and group id that the attributes mean on this host.
    pub(crate) fn resolve(&self, attributes: &Attributes) -> (u64, u64) {
        if self.numeric {
            return (attributes.uid, attributes.gid);
        }
        let user = cached(&self.users, &attributes.uname, |name| {
            User::from_name(name)
                .ok()
                .flatten()
                .map(|u| u64::from(u.uid.as_raw()))
        });
        let group = cached(&self.groups, &attributes.gname, |name| {
            Group::from_name(name)
                .ok()
                .flatten()
                .map(|g| u64::from(g.gid.as_raw()))
        });
        (
            user.unwrap_or(attributes.uid),
            group.unwrap_or(attributes.gid),
        )
    }
}

fn cached(
    cache: &RefCell<HashMap<Vec<u8>, Option<u64>>>,
    name: &[u8],
    look_up: impl FnOnce(&str) -> Option<u64>,
) -> Option<u64> {
    if name.is_empty() {
        return None;
    }
    if let Some(id) = cache.borrow().get(name) {
        return *id;
    }
    let id = std::str::from_utf8(name).ok().and_then(look_up);
    cache.borrow_mut().insert(name.to_vec(), id);
    id
}

#[cfg(test)]
mod tests {
    use redup_format::entry::FileType;

    use super::*;

    fn attributes(uname: &str, uid: u64) -> Attributes {
        Attributes {
            file_type: FileType::Regular,
            mode: 0o644,
            uid,
            gid: 7,
            uname: uname.into(),
            gname: Vec::new(),
            mtime: 0,
        }
    }

    #[test]
    fn a_known_name_wins_over_the_number() {
        assert_eq!(
            OwnerMap::new(false).resolve(&attributes("root", 4711)),
            (0, 7)
        );
    }

    #[test]
    fn an_unknown_name_falls_back_to_the_number() {
        assert_eq!(
            OwnerMap::new(false).resolve(&attributes("no such user", 4711)),
            (4711, 7)
        );
    }

    #[test]
    fn numeric_maps_ignore_names() {
        assert_eq!(
            OwnerMap::new(true).resolve(&attributes("root", 4711)),
            (4711, 7)
        );
    }
}
