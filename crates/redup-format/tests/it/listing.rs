//! Listings with days for times, and pictures of what they amount to.

use std::fmt::Write;

use redup_format::collections::{BackupSet, Collection, SetState};
use redup_format::filename::{Kind, Naming, Span, Suffix};
use redup_format::time::Timestamp;

/// Time number `n` of the tests: day `n` of January 2024.
pub(crate) fn time(n: i64) -> Timestamp {
    Timestamp::from_secs(1_704_067_200 + (n - 1) * 86_400)
}

pub(crate) fn span(start: i64, end: i64) -> Span {
    if start == end {
        Span::Full(time(end))
    } else {
        Span::Inc {
            start: time(start),
            end: time(end),
        }
    }
}

/// The finished files of a set; a full when both times are the same.
pub(crate) fn set(start: i64, end: i64) -> Vec<String> {
    let name = |kind| Naming::default().name(span(start, end), kind, Suffix::Gpg);
    [
        Kind::Volume(1),
        Kind::Volume(2),
        Kind::Manifest,
        Kind::Signature,
    ]
    .map(name)
    .to_vec()
}

pub(crate) fn without(mut names: Vec<String>, part: &str) -> Vec<String> {
    names.retain(|name| !name.contains(part));
    names
}

pub(crate) fn part(start: i64, end: i64) -> Vec<String> {
    let name = |kind| Naming::default().partial_name(span(start, end), kind);
    [Kind::Manifest, Kind::Signature].map(name).to_vec()
}

pub(crate) fn collect(remote: &[Vec<String>], local: &[Vec<String>]) -> Collection {
    let (remote, local) = (remote.concat(), local.concat());
    Collection::from_names(
        &Naming::default(),
        remote.iter().map(String::as_str),
        local.iter().map(String::as_str),
    )
}

/// What a collection looks like, with days for times: `1 1-2 | 3` are two chains, one with an increment.
pub(crate) fn picture(collection: &Collection) -> String {
    let chains = collection
        .chains()
        .iter()
        .map(|chain| chain.sets().iter().map(show).collect::<String>());
    let mut text = chains.collect::<Vec<_>>().join(" |");
    let others = [
        ("orphaned", collection.orphaned_sets()),
        ("incomplete", collection.incomplete_sets()),
        ("superseded", collection.superseded_sets()),
    ];
    for (label, sets) in others {
        if !sets.is_empty() {
            write!(
                text,
                " {label}:{}",
                sets.iter().map(show).collect::<String>()
            )
            .expect("a string");
        }
    }
    text.trim_start().to_owned()
}

/// A set with days for times, marked by how far it came.
pub(crate) fn show(set: &BackupSet) -> String {
    let day = |at: Timestamp| (at.secs() - time(1).secs()) / 86_400 + 1;
    let mark = match set.state() {
        SetState::Complete => "",
        SetState::Interrupted => "*",
        SetState::RenamePending => "?",
        SetState::Incomplete | SetState::Absent => "!",
    };
    match set.span {
        Span::Full(time) => format!(" {}{mark}", day(time)),
        Span::Inc { start, end } => format!(" {}-{}{mark}", day(start), day(end)),
    }
}
