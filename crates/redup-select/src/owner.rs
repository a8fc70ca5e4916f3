//! The names of users and groups on this host.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

/// Names kept at a time. Hosts have fewer owners than this; a tree made of foreign numbers must not grow the table
/// without end.
const MOST_NAMES: usize = 4096;

/// Looks up user and group names, each number once.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Owners {
    /// The user's name; empty when the number has none.
    pub(crate) fn user(&mut self, uid: u32) -> Vec<u8> {
        cached(&mut self.users, uid, |uid| {
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten()?;
            Some(user.name)
        })
    }

    /// The group's name; empty when the number has none.
    pub(crate) fn group(&mut self, gid: u32) -> Vec<u8> {
        cached(&mut self.groups, gid, |gid| {
            let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten()?;
            Some(group.name)
        })
    }
}

fn cached(
    names: &mut HashMap<u32, Vec<u8>>,
    id: u32,
    look_up: impl FnOnce(u32) -> Option<String>,
) -> Vec<u8> {
    if names.len() >= MOST_NAMES && !names.contains_key(&id) {
        names.clear();
    }
    names
        .entry(id)
        .or_insert_with(|| look_up(id).unwrap_or_default().into_bytes())
        .clone()
}
