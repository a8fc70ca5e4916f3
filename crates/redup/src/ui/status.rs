//! What a collection looks like: the table of `collection-status`, its data for programs, and the
//! warnings about files that fit nowhere.

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::TimeZone;
use redup_format::collections::{BackupChain, BackupSet, Collection, Place, SetFile};

use super::format::pretty_time;
use super::{Level, Message, escape};

/// Code of the collection's table in the log protocol.
const CODE: u16 = 3;

/// Under each heading and around each chain.
const RULE: &str = "-------------------------";

/// The message of `collection-status`, shown at every verbosity.
pub(crate) fn status(collection: &Collection, archive_dir: &Path, zone: &TimeZone) -> Message {
    let text = table(collection, archive_dir, zone);
    Message::new(Level(8), text)
        .code(CODE)
        .data(data(collection))
        .forced()
}

/// What other commands tell about the collection when they are asked for detail.
pub(crate) fn quiet_status(
    collection: &Collection,
    archive_dir: &Path,
    zone: &TimeZone,
) -> Message {
    Message {
        forced: false,
        ..status(collection, archive_dir, zone)
    }
}

/// Warnings about files and sets that belong to nothing, each with the code that makes a desktop
/// program offer to clean up. None where there is nothing to clean up.
pub(crate) fn warnings(collection: &Collection) -> Vec<Message> {
    let mut warnings = Vec::new();
    let mut warn = |code: u16, heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let text = format!("{heading}\n{}", lines.join("\n"));
            warnings.push(Message::new(Level::WARNING, text).code(code));
        }
    };
    let signatures = |place: Place| {
        let here = move |file: &&SetFile| file.place == place;
        collection
            .orphaned_signatures()
            .filter(here)
            .map(|file| escape(file.name.as_bytes()))
            .collect()
    };
    if collection.has_only_signatures() {
        let text = "WARNING. found signatures but no corresponding backup files";
        return vec![Message::new(Level::WARNING, text).code(4)];
    }
    warn(
        2,
        "WARNING. found the following local orphaned signature file(s):",
        signatures(Place::Local),
    );
    warn(
        2,
        "WARNING. found the following remote orphaned signature file(s):",
        signatures(Place::Remote),
    );
    let names = |sets: &[BackupSet]| sets.iter().map(set_line).collect();
    warn(
        5,
        "Warning, found incomplete backup sets, probably left from aborted session",
        names(collection.incomplete_sets()),
    );
    warn(
        6,
        "WARNING. found the following orphaned backup file(s):",
        names(collection.orphaned_sets()),
    );
    if collection
        .matched()
        .is_some_and(|matched| matched.dropped.is_some())
    {
        let text = "WARNING. discarding last backup set, because of missing signature file.";
        warnings.push(Message::new(Level::WARNING, text));
    }
    warnings
}

/// The chain that an increment would build on, and the others, oldest first.
fn split(collection: &Collection) -> (Option<&BackupChain>, Vec<&BackupChain>) {
    let primary = collection.matched().map(|matched| matched.chain);
    let is_primary =
        |chain: &BackupChain| primary.is_some_and(|primary| std::ptr::eq(primary, chain));
    (
        primary,
        collection
            .chains()
            .iter()
            .filter(|chain| !is_primary(chain))
            .collect(),
    )
}

fn data(collection: &Collection) -> Vec<String> {
    let (primary, secondary) = split(collection);
    let mut lines = vec![
        "backend BackendWrapper".to_owned(),
        "archive-dir (. dir)".to_owned(),
    ];
    for (number, chain) in secondary.iter().enumerate() {
        lines.push(format!("chain-no-sig {number}"));
        lines.extend(chain.sets().iter().map(set_data));
    }
    if let Some(chain) = primary {
        lines.push("chain-complete".to_owned());
        lines.extend(chain.sets().iter().map(set_data));
    }
    lines.push(format!(
        "orphaned-sets-num {}",
        collection.orphaned_sets().len()
    ));
    lines.push(format!(
        "incomplete-sets-num {}",
        collection.incomplete_sets().len()
    ));
    lines
}

fn set_data(set: &BackupSet) -> String {
    let kind = if set.span.is_full() { "full" } else { "inc" };
    let encrypted = if set.is_encrypted() { "enc" } else { "noenc" };
    format!(
        " {kind} {} {} {encrypted}",
        set.span.end(),
        set.volumes.len()
    )
}

fn table(collection: &Collection, archive_dir: &Path, zone: &TimeZone) -> String {
    let (primary, secondary) = split(collection);
    let archive_dir = crate::args::lossy(archive_dir.as_os_str());
    let mut lines = vec![
        "Collection Status".to_owned(),
        "-----------------".to_owned(),
        "Connecting with backend: BackendWrapper".to_owned(),
        format!("Archive dir: {archive_dir}"),
        String::new(),
        format!("Found {} secondary backup chain(s).", secondary.len()),
    ];
    for (number, chain) in secondary.iter().enumerate() {
        lines.push(format!(
            "Secondary chain {} of {}:",
            number + 1,
            secondary.len()
        ));
        lines.push(chain_block(chain, zone));
        lines.push(String::new());
    }
    match primary {
        Some(chain) => {
            lines.push(String::new());
            lines.push("Found primary backup chain with matching signature chain:".to_owned());
            lines.push(chain_block(chain, zone));
        }
        None => lines.push("No backup chains with active signatures found".to_owned()),
    }
    let (orphaned, incomplete) = (
        collection.orphaned_sets().len(),
        collection.incomplete_sets().len(),
    );
    if orphaned + incomplete == 0 {
        lines.push("No orphaned or incomplete backup sets found.".to_owned());
    } else {
        lines.push(format!(
            "Also found {orphaned} backup set(s) not part of any chain,"
        ));
        lines.push(format!("and {incomplete} incomplete backup set(s)."));
        lines.push(
            "These may be deleted by running duplicity with the \"cleanup\" command.".to_owned(),
        );
    }
    lines.join("\n")
}

fn chain_block(chain: &BackupChain, zone: &TimeZone) -> String {
    let volumes: usize = chain.sets().iter().map(|set| set.volumes.len()).sum();
    let mut block = format!(
        "{RULE}\n\
         Chain start time: {}\n\
         Chain end time: {}\n\
         Number of contained backup sets: {}\n\
         Total number of contained volumes: {volumes}\n",
        pretty_time(chain.start().secs(), zone),
        pretty_time(chain.end().secs(), zone),
        chain.sets().len(),
    );
    let mut row = |kind: &str, time: &str, volumes: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(block, "{kind:>20}   {time:>30}   {volumes:>15}");
    };
    row("Type of backup set:", "Time:", "Num volumes:");
    for set in chain.sets() {
        let kind = if set.span.is_full() {
            "Full"
        } else {
            "Incremental"
        };
        row(
            kind,
            &pretty_time(set.span.end().secs(), zone),
            &set.volumes.len().to_string(),
        );
    }
    block.push_str(RULE);
    block
}

/// A set as its files: `[manifest, volume, …]`.
fn set_line(set: &BackupSet) -> String {
    let files = set.remote_manifest.iter().chain(set.volumes.values());
    let names: Vec<_> = files.map(|file| escape(file.name.as_bytes())).collect();
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use redup_format::filename::Naming;

    use super::*;

    const CHAIN_1: [&str; 7] = [
        "duplicity-full.20231118T093320Z.manifest",
        "duplicity-full.20231118T093320Z.vol1.difftar.gz",
        "duplicity-full-signatures.20231118T093320Z.sigtar.gz",
        "duplicity-inc.20231118T093320Z.to.20231119T132000Z.manifest",
        "duplicity-inc.20231118T093320Z.to.20231119T132000Z.vol1.difftar.gz",
        "duplicity-inc.20231118T093320Z.to.20231119T132000Z.vol2.difftar.gz",
        "duplicity-new-signatures.20231118T093320Z.to.20231119T132000Z.sigtar.gz",
    ];
    const CHAIN_2: [&str; 3] = [
        "duplicity-full.20231120T170640Z.manifest.gpg",
        "duplicity-full.20231120T170640Z.vol1.difftar.gpg",
        "duplicity-full-signatures.20231120T170640Z.sigtar.gpg",
    ];
    const STRAYS: [&str; 3] = [
        "duplicity-inc.20231120T170640Z.to.20231121T170640Z.vol1.difftar.gpg",
        "duplicity-inc.20231101T000000Z.to.20231102T000000Z.manifest.gpg",
        "duplicity-inc.20231101T000000Z.to.20231102T000000Z.vol1.difftar.gpg",
    ];

    fn collection(names: &[&[&'static str]]) -> Collection {
        Collection::from_names(&Naming::default(), names.concat(), [])
    }

    fn check(names: &[&[&'static str]], expected: Expect) {
        let message = status(&collection(names), Path::new("/cache/name"), &TimeZone::UTC);
        expected.assert_eq(&message.stanza());
    }

    #[test]
    fn an_empty_store_has_no_chains() {
        check(
            &[],
            expect![[r#"
            INFO 3 
            backend BackendWrapper
            archive-dir (. dir)
            orphaned-sets-num 0
            incomplete-sets-num 0
            . Collection Status
            . -----------------
            . Connecting with backend: BackendWrapper
            . Archive dir: /cache/name
            . 
            . Found 0 secondary backup chain(s).
            . No backup chains with active signatures found
            . No orphaned or incomplete backup sets found.

        "#]],
        );
    }

    #[test]
    fn chains_are_listed_with_their_sets() {
        check(
            &[&CHAIN_1, &CHAIN_2],
            expect![[r#"
            INFO 3 
            backend BackendWrapper
            archive-dir (. dir)
            chain-no-sig 0
             full 20231118T093320Z 1 noenc
             inc 20231119T132000Z 2 noenc
            chain-complete
             full 20231120T170640Z 1 enc
            orphaned-sets-num 0
            incomplete-sets-num 0
            . Collection Status
            . -----------------
            . Connecting with backend: BackendWrapper
            . Archive dir: /cache/name
            . 
            . Found 1 secondary backup chain(s).
            . Secondary chain 1 of 1:
            . -------------------------
            . Chain start time: Sat Nov 18 09:33:20 2023
            . Chain end time: Sun Nov 19 13:20:00 2023
            . Number of contained backup sets: 2
            . Total number of contained volumes: 3
            .  Type of backup set:                            Time:      Num volumes:
            .                 Full         Sat Nov 18 09:33:20 2023                 1
            .          Incremental         Sun Nov 19 13:20:00 2023                 2
            . -------------------------
            . 
            . 
            . Found primary backup chain with matching signature chain:
            . -------------------------
            . Chain start time: Mon Nov 20 17:06:40 2023
            . Chain end time: Mon Nov 20 17:06:40 2023
            . Number of contained backup sets: 1
            . Total number of contained volumes: 1
            .  Type of backup set:                            Time:      Num volumes:
            .                 Full         Mon Nov 20 17:06:40 2023                 1
            . -------------------------
            . No orphaned or incomplete backup sets found.

        "#]],
        );
    }

    #[test]
    fn sets_outside_of_chains_are_counted() {
        check(
            &[&CHAIN_2, &STRAYS],
            expect![[r#"
            INFO 3 
            backend BackendWrapper
            archive-dir (. dir)
            chain-complete
             full 20231120T170640Z 1 enc
            orphaned-sets-num 1
            incomplete-sets-num 1
            . Collection Status
            . -----------------
            . Connecting with backend: BackendWrapper
            . Archive dir: /cache/name
            . 
            . Found 0 secondary backup chain(s).
            . 
            . Found primary backup chain with matching signature chain:
            . -------------------------
            . Chain start time: Mon Nov 20 17:06:40 2023
            . Chain end time: Mon Nov 20 17:06:40 2023
            . Number of contained backup sets: 1
            . Total number of contained volumes: 1
            .  Type of backup set:                            Time:      Num volumes:
            .                 Full         Mon Nov 20 17:06:40 2023                 1
            . -------------------------
            . Also found 1 backup set(s) not part of any chain,
            . and 1 incomplete backup set(s).
            . These may be deleted by running duplicity with the "cleanup" command.

        "#]],
        );
    }

    #[test]
    fn a_chain_without_signatures_is_secondary() {
        check(
            &[&CHAIN_2[..2]],
            expect![[r#"
            INFO 3 
            backend BackendWrapper
            archive-dir (. dir)
            chain-no-sig 0
             full 20231120T170640Z 1 enc
            orphaned-sets-num 0
            incomplete-sets-num 0
            . Collection Status
            . -----------------
            . Connecting with backend: BackendWrapper
            . Archive dir: /cache/name
            . 
            . Found 1 secondary backup chain(s).
            . Secondary chain 1 of 1:
            . -------------------------
            . Chain start time: Mon Nov 20 17:06:40 2023
            . Chain end time: Mon Nov 20 17:06:40 2023
            . Number of contained backup sets: 1
            . Total number of contained volumes: 1
            .  Type of backup set:                            Time:      Num volumes:
            .                 Full         Mon Nov 20 17:06:40 2023                 1
            . -------------------------
            . 
            . No backup chains with active signatures found
            . No orphaned or incomplete backup sets found.

        "#]],
        );
    }

    #[test]
    fn what_fits_nowhere_is_warned_of_by_name() {
        let sigs: &[&str] = &["duplicity-full-signatures.20200101T000000Z.sigtar.gz"];
        let alone = warnings(&collection(&[sigs]));
        expect![[r#"
            WARNING 4
            . WARNING. found signatures but no corresponding backup files

        "#]]
        .assert_eq(&alone.iter().map(Message::stanza).collect::<String>());
        let warnings = warnings(&collection(&[&CHAIN_2, &STRAYS, sigs]));
        let text: String = warnings.iter().map(Message::stanza).collect();
        expect![[r#"
            WARNING 2
            . WARNING. found the following remote orphaned signature file(s):
            . duplicity-full-signatures.20200101T000000Z.sigtar.gz

            WARNING 5
            . Warning, found incomplete backup sets, probably left from aborted session
            . [duplicity-inc.20231120T170640Z.to.20231121T170640Z.vol1.difftar.gpg]

            WARNING 6
            . WARNING. found the following orphaned backup file(s):
            . [duplicity-inc.20231101T000000Z.to.20231102T000000Z.manifest.gpg, duplicity-inc.20231101T000000Z.to.20231102T000000Z.vol1.difftar.gpg]

        "#]].assert_eq(&text);
        assert!(super::warnings(&collection(&[&CHAIN_1, &CHAIN_2])).is_empty());
    }
}
