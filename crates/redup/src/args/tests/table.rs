use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::args::applies::applies;
use crate::args::command::{self, COMMANDS, Shape};
use crate::args::spec::{Origin, Support, ValueKind};
use crate::args::table::GROUPS;
use crate::args::{Command, Topic, help};

#[test]
fn every_name_is_there_once() {
    let mut seen = BTreeSet::new();
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        for name in spec.names {
            assert!(seen.insert(name.text), "{} is there twice", name.text);
            assert!(
                name.text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
        }
        assert!(!spec.help.is_empty() && !spec.names.is_empty());
    }
    // What both versions together have.
    assert!(seen.len() > 140, "{}", seen.len());
}

#[test]
fn every_short_letter_is_there_once() {
    let mut letters: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.options)
        .filter_map(|spec| spec.short)
        .collect();
    letters.sort_unstable();
    assert_eq!(letters, ['V', 'h', 'r', 't', 'v']);
}

#[test]
fn names_of_one_option_take_the_same_kind_of_value() {
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        let flag = matches!(spec.value, ValueKind::Flag(_));
        assert_eq!(flag, spec.metavar.is_empty(), "{}", spec.main_name());
    }
}

#[test]
fn every_command_is_found_by_each_of_its_names() {
    for spec in COMMANDS {
        for name in [&[spec.name], spec.short_names].concat() {
            let behind = spec.shapes.iter().map(|shape| match shape {
                Shape::TargetUrl | Shape::SourceUrl => "file:///t",
                _ => "1",
            });
            let words: Vec<OsString> = std::iter::once(name)
                .chain(behind)
                .map(Into::into)
                .collect();
            let found = command::find(&words, &|_| false).unwrap();
            assert_eq!(found.command, spec.command, "{name}");
        }
    }
}

#[test]
fn options_of_our_own_are_few_and_named() {
    let ours: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.options)
        .flat_map(|spec| spec.names)
        .filter(|name| name.origin == Origin::Redup)
        .map(|name| name.text)
        .collect();
    assert_eq!(
        ours,
        [
            "config",
            "no-progress",
            "json",
            "memory-limit",
            "compress-level",
            "secret-key-file",
            "newest-chain",
            "keep-last",
            "keep-daily",
            "keep-weekly",
            "keep-monthly",
            "keep-yearly",
            "s3-no-dualstack",
            "s3-storage-class",
            "s3-storage-class-metadata",
            "s3-restore-tier",
            "s3-restore-days"
        ]
    );
}

#[test]
fn help_stays_within_80_columns() {
    let commands = COMMANDS.iter().map(|spec| Topic::Command(spec.command));
    let topics = [Topic::Overview, Topic::Options, Topic::Run, Topic::Urls];
    for topic in commands.chain(topics) {
        for program in ["redup", "duplicity"] {
            for line in help(topic, program).lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}

#[test]
fn the_overview_fits_two_screens_and_leads_to_the_rest() {
    let overview = help(Topic::Overview, "redup");
    assert!(overview.lines().count() <= 90, "{overview}");
    for spec in COMMANDS {
        assert!(overview.contains(spec.name), "{overview}");
        let one = help(Topic::Command(spec.command), "redup");
        assert!(
            one.starts_with(&format!("usage: redup {} ", spec.name)),
            "{one}"
        );
    }
}

#[test]
fn a_command_shows_the_options_that_make_a_difference_to_it() {
    let of = |command| help(Topic::Command(command), "redup");
    let (backup, restore) = (of(Command::Backup), of(Command::Restore));
    assert!(backup.contains("--volsize") && !restore.contains("--volsize"));
    assert!(restore.contains("--rename") && !backup.contains("--rename"));
    assert!(!of(Command::Full).contains("--full-if-older-than"));
    let status = of(Command::CollectionStatus);
    assert!(status.contains("--file-changed") && !status.contains("--exclude"));
    // Every option that does something is shown with some command, and all of them together.
    let all = help(Topic::Options, "redup");
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        let shown = COMMANDS
            .iter()
            .chain(command::OWN)
            .any(|command| applies(spec, command.command));
        assert_eq!(
            shown,
            !spec.hidden && spec.support == Support::Yes,
            "{}",
            spec.main_name()
        );
        assert!(!shown || all.contains(&format!("--{}", spec.main_name())));
    }
}
