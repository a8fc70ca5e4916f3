//! What is said about deleting: old chains, and files that belong to nothing.

use jiff::tz::TimeZone;
use redup_format::collections::BackupChain;
use redup_format::filename::Span;
use redup_format::retention::Removal;
use redup_format::time::Timestamp;
use redup_storage::Unfinished;

use super::format::{ago, pretty_time};
use super::{Level, Message, escape};

/// What a removal by age or number will do, or would.
pub(crate) fn planned(removal: &Removal<'_>, deletes: bool, zone: &TimeZone) -> Vec<Message> {
    let times = |times: &mut dyn Iterator<Item = Timestamp>| {
        let mut times: Vec<_> = times.collect();
        times.sort();
        let lines: Vec<_> = times
            .into_iter()
            .map(|time| pretty_time(time.secs(), zone))
            .collect();
        lines.join("\n")
    };
    let mut messages = Vec::new();
    if !removal.depended_on.is_empty() {
        let sets = times(&mut removal.depended_on.iter().map(|set| set.span.end()));
        messages.push(Message::new(
            Level::WARNING,
            format!(
                "There are backup set(s) at time(s):\n{sets}\n\
                 Which can't be deleted because newer sets depend on them."
            ),
        ));
    }
    if removal.active.is_some() {
        messages.push(Message::new(
            Level::WARNING,
            "Current active backup chain is older than specified time.  However, it will not be \
             deleted.  To remove all your backups, manually purge the repository.",
        ));
    }
    let chains = times(&mut removal.chains.iter().map(|chain| chain.end()));
    let text = match (removal.is_empty(), deletes) {
        (true, _) => "No old backup sets found, nothing deleted.".to_owned(),
        (false, true) => format!("Deleting backup chain(s) at time:\n{chains}"),
        (false, false) => format!(
            "Found old backup chain(s) at the following time:\n{chains}\n\
             Rerun command with --force option to actually delete."
        ),
    };
    messages.push(Message::new(Level::NOTICE, text));
    messages
}

/// What is being deleted of a chain.
pub(crate) fn removing(
    chain: &BackupChain,
    signatures: bool,
    keeps_full: bool,
    zone: &TimeZone,
) -> String {
    let what = if signatures { "signature" } else { "backup" };
    let end = pretty_time(chain.end().secs(), zone);
    if keeps_full {
        format!("Deleting any incremental {what} chain rooted at {end}")
    } else {
        format!("Deleting complete {what} chain {end}")
    }
}

/// What a cleanup will do, or would.
pub(crate) fn cleanup(
    names: &[&str],
    unfinished: &[Unfinished],
    resumable: Option<Span>,
    deletes: bool,
) -> Vec<Message> {
    let files = names.iter().map(|name| escape(name.as_bytes()));
    let uploads = unfinished.iter().map(|upload| {
        let name = upload.name.as_deref().unwrap_or(&upload.id);
        let name = escape(name.as_bytes());
        format!("unfinished upload of {name}, begun {}", ago(upload.age))
    });
    let lines: Vec<_> = files.chain(uploads).collect();
    if lines.is_empty() {
        let text = "No extraneous files found, nothing deleted in cleanup.";
        return vec![Message::new(Level::WARNING, text)];
    }
    let lines = lines.join("\n");
    if deletes {
        let text = format!("Deleting these file(s) from backend:\n{lines}");
        return vec![Message::new(Level::NOTICE, text)];
    }
    let text = format!(
        "Found the following file(s) to delete:\n{lines}\n\
         Run duplicity again with the --force option to actually delete."
    );
    let mut messages = vec![Message::new(Level::NOTICE, text)];
    if let Some(span) = resumable {
        let text = format!(
            "Among them is the interrupted set {span}: the next backup would go on with it, \
             until it is deleted."
        );
        messages.push(Message::new(Level::NOTICE, text));
    }
    messages
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use expect_test::{Expect, expect};
    use redup_format::collections::Collection;
    use redup_format::filename::Naming;

    use super::*;

    fn check(messages: &[Message], expected: Expect) {
        let text: String = messages.iter().map(Message::stanza).collect();
        expected.assert_eq(&text);
    }

    /// Chains of days 1 to 2, and 4, and 6.
    fn collection() -> Collection {
        let names = [
            "duplicity-full.20240101T000000Z",
            "duplicity-inc.20240101T000000Z.to.20240102T000000Z",
            "duplicity-full.20240104T000000Z",
            "duplicity-full.20240106T000000Z",
        ];
        let files: Vec<_> = names
            .iter()
            .flat_map(|name| {
                [
                    format!("{name}.manifest"),
                    format!("{name}.vol1.difftar.gz"),
                ]
            })
            .collect();
        Collection::from_names(&Naming::default(), files.iter().map(String::as_str), [])
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn chains_are_named_by_their_end_oldest_first() {
        let collection = collection();
        let removal = Removal::all_but_full(&collection, NonZeroUsize::MIN);
        check(
            &planned(&removal, false, &TimeZone::UTC),
            expect![[r#"
                NOTICE 1
                . Found old backup chain(s) at the following time:
                . Tue Jan  2 00:00:00 2024
                . Thu Jan  4 00:00:00 2024
                . Rerun command with --force option to actually delete.

            "#]],
        );
        check(
            &planned(&removal, true, &TimeZone::UTC),
            expect![[r#"
                NOTICE 1
                . Deleting backup chain(s) at time:
                . Tue Jan  2 00:00:00 2024
                . Thu Jan  4 00:00:00 2024

            "#]],
        );
    }

    #[test]
    fn what_stays_although_it_is_old_is_a_warning() {
        let collection = collection();
        let inside = Removal::older_than(&collection, time("20240102T000000Z"));
        check(
            &planned(&inside, true, &TimeZone::UTC),
            expect![[r#"
                WARNING 1
                . There are backup set(s) at time(s):
                . Mon Jan  1 00:00:00 2024
                . Which can't be deleted because newer sets depend on them.

                NOTICE 1
                . No old backup sets found, nothing deleted.

            "#]],
        );
        let all = Removal::older_than(&collection, time("20250101T000000Z"));
        let messages = planned(&all, true, &TimeZone::UTC);
        assert!(
            messages[0]
                .text
                .starts_with("Current active backup chain is older")
        );
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn a_chain_goes_whole_or_without_its_full() {
        let collection = collection();
        let chain = &collection.chains()[0];
        assert_eq!(
            removing(chain, true, false, &TimeZone::UTC),
            "Deleting complete signature chain Tue Jan  2 00:00:00 2024"
        );
        assert_eq!(
            removing(chain, false, true, &TimeZone::UTC),
            "Deleting any incremental backup chain rooted at Tue Jan  2 00:00:00 2024"
        );
    }

    #[test]
    fn a_cleanup_names_files_uploads_and_the_set_that_could_go_on() {
        let upload = Unfinished {
            name: Some("duplicity-full.20240106T000000Z.vol2.difftar.gz".into()),
            age: std::time::Duration::from_secs(7300),
            id: "x".into(),
        };
        let span = Span::Full(time("20240106T000000Z"));
        let names = ["duplicity-full.20240106T000000Z.vol1.difftar.gz"];
        check(
            &cleanup(&names, &[upload], Some(span), false),
            expect![[r#"
                NOTICE 1
                . Found the following file(s) to delete:
                . duplicity-full.20240106T000000Z.vol1.difftar.gz
                . unfinished upload of duplicity-full.20240106T000000Z.vol2.difftar.gz, begun 2 hours ago
                . Run duplicity again with the --force option to actually delete.

                NOTICE 1
                . Among them is the interrupted set full 20240106T000000Z: the next backup would go on with it, until it is deleted.

            "#]],
        );
        check(
            &cleanup(&names, &[], None, true),
            expect![[r#"
                NOTICE 1
                . Deleting these file(s) from backend:
                . duplicity-full.20240106T000000Z.vol1.difftar.gz

            "#]],
        );
        check(
            &cleanup(&[], &[], None, false),
            expect![[r#"
                WARNING 1
                . No extraneous files found, nothing deleted in cleanup.

            "#]],
        );
    }
}
