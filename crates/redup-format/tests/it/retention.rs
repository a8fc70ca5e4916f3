//! What may be removed, in days.

use std::num::NonZeroUsize;
use std::sync::Arc;

use proptest::prelude::*;
use redup_format::collections::{BackupSet, Collection};
use redup_format::retention::{Cleanup, Keep, Period, Removal};

use crate::listing::{collect, part, set, show, time, without};

/// Three chains: days 1 to 3, 5 to 6, and 8.
fn three_chains() -> Collection {
    collect(
        &[
            set(1, 1),
            set(1, 2),
            set(2, 3),
            set(5, 5),
            set(5, 6),
            set(8, 8),
        ],
        &[],
    )
}

fn days<'a>(sets: impl IntoIterator<Item = &'a BackupSet>) -> String {
    sets.into_iter()
        .map(show)
        .collect::<String>()
        .trim_start()
        .to_owned()
}

fn newest(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("at least one")
}

#[test]
fn chains_that_ended_before_the_limit_go_newest_set_first() {
    let collection = three_chains();
    let removed = |limit| days(Removal::older_than(&collection, time(limit)).sets());
    assert_eq!(removed(3), "");
    assert_eq!(removed(4), "2-3 1-2 1");
    assert_eq!(removed(6), "2-3 1-2 1");
    assert_eq!(removed(7), "5-6 5 2-3 1-2 1");
}

#[test]
fn old_sets_that_newer_ones_build_on_stay() {
    let collection = three_chains();
    let removal = Removal::older_than(&collection, time(3));
    assert!(removal.is_empty());
    assert_eq!(days(removal.depended_on), "1 1-2");
}

#[test]
fn the_last_chain_that_can_be_restored_never_goes() {
    let collection = three_chains();
    let removal = Removal::older_than(&collection, time(30));
    assert_eq!(days(removal.sets()), "5-6 5 2-3 1-2 1");
    assert_eq!(removal.active.map(|chain| chain.start()), Some(time(8)));
}

#[test]
fn an_interrupted_full_is_neither_the_last_chain_nor_counted_nor_removed() {
    let interrupted = without(without(set(8, 8), "manifest"), "sigtar");
    let collection = collect(&[set(1, 1), set(5, 5), interrupted], &[part(8, 8)]);
    let removal = Removal::older_than(&collection, time(30));
    assert_eq!(days(removal.sets()), "1");
    assert_eq!(removal.active.map(|chain| chain.start()), Some(time(5)));
    assert_eq!(
        days(Removal::all_but_full(&collection, newest(1)).sets()),
        "1"
    );
}

#[test]
fn fulls_are_counted_from_the_newest() {
    let collection = three_chains();
    let removed = |count| days(Removal::all_but_full(&collection, newest(count)).sets());
    assert_eq!(removed(1), "5-6 5 2-3 1-2 1");
    assert_eq!(removed(2), "2-3 1-2 1");
    assert_eq!(removed(3), "");
    assert_eq!(removed(4), "");
}

#[test]
fn increments_go_and_their_fulls_stay() {
    let collection = collect(
        &[
            set(1, 1),
            set(1, 2),
            set(3, 3),
            set(5, 5),
            set(5, 6),
            set(8, 8),
        ],
        &[],
    );
    let removal = Removal::increments_of_all_but_full(&collection, newest(1));
    assert_eq!(days(removal.sets()), "5-6 1-2");
    assert_eq!(removal.chains.len(), 2);
}

/// What goes when these rules keep, on the calendar of UTC.
fn pruned(collection: &Collection, rules: &[(Period, usize)]) -> String {
    days(Removal::all_but_kept(collection, &keep(rules)).sets())
}

fn keep(rules: &[(Period, usize)]) -> Keep {
    Keep {
        rules: rules.to_vec(),
        local_day: Arc::new(|time| time.secs().div_euclid(86_400)),
    }
}

#[test]
fn a_chain_stays_whole_when_one_of_its_backups_is_kept() {
    let collection = three_chains();
    let last = |count| pruned(&collection, &[(Period::Backup, count)]);
    assert_eq!(last(1), "5-6 5 2-3 1-2 1");
    assert_eq!(last(2), "2-3 1-2 1");
    assert_eq!(last(3), "2-3 1-2 1");
    assert_eq!(last(4), "");
    // Day 8 is a Monday, and of the week before it day 6 is the newest.
    let weekly = |count| pruned(&collection, &[(Period::Week, count)]);
    assert_eq!(weekly(1), "5-6 5 2-3 1-2 1");
    assert_eq!(weekly(2), "2-3 1-2 1");
    assert_eq!(weekly(9), "2-3 1-2 1");
}

#[test]
fn periods_without_a_backup_do_not_count() {
    let collection = collect(&[set(1, 1), set(20, 20), set(60, 60), set(400, 400)], &[]);
    let gone = |period, count| pruned(&collection, &[(period, count)]);
    assert_eq!(gone(Period::Day, 3), "1");
    assert_eq!(gone(Period::Month, 2), "20 1");
    assert_eq!(gone(Period::Month, 3), "1");
    assert_eq!(gone(Period::Year, 2), "20 1");
}

#[test]
fn what_one_rule_keeps_no_other_rule_removes() {
    let collection = collect(&[set(1, 1), set(20, 20), set(21, 21), set(60, 60)], &[]);
    let both = [(Period::Day, 1), (Period::Month, 2)];
    assert_eq!(pruned(&collection, &both), "20 1");
}

#[test]
fn an_interrupted_set_is_no_backup_to_keep_and_stays() {
    let interrupted = without(without(set(8, 8), "manifest"), "sigtar");
    let collection = collect(&[set(1, 1), set(5, 5), interrupted], &[part(8, 8)]);
    assert_eq!(pruned(&collection, &[(Period::Backup, 1)]), "1");
    assert_eq!(pruned(&Collection::default(), &[(Period::Backup, 1)]), "");
}

#[test]
fn cleanup_finds_what_no_chain_leads_to() {
    let interrupted = without(without(set(1, 4), "manifest"), "sigtar");
    let debris = [without(set(1, 2), "manifest"), set(6, 7), interrupted];
    let signature: Vec<String> = set(9, 9)
        .into_iter()
        .filter(|name| name.contains("sigtar"))
        .collect();
    let remote = [vec![set(1, 1), signature], debris.to_vec()].concat();
    let collection = collect(&remote, &[part(1, 4)]);
    let cleanup = Cleanup::of(&collection);
    assert_eq!(days(cleanup.sets.iter().copied()), "6-7 1-4* 1-2!");
    assert_eq!(cleanup.signatures.len(), 1);
    assert!(Cleanup::of(&three_chains()).is_empty());
}

#[test]
fn cleanup_takes_signatures_behind_a_gap_once() {
    let chain = [
        set(1, 1),
        without(set(1, 2), "sigtar"),
        set(2, 3),
        set(5, 6),
    ];
    let collection = collect(&chain, &[]);
    let cleanup = Cleanup::of(&collection);
    assert_eq!(days(cleanup.sets.iter().copied()), "5-6");
    let [signature] = &cleanup.signatures[..] else {
        panic!("{:?}", cleanup.signatures)
    };
    assert!(set(2, 3).contains(&signature.name));
}

#[test]
fn a_set_that_lacks_a_volume_is_no_debris() {
    let collection = collect(&[without(set(1, 1), "vol1.")], &[]);
    assert!(Cleanup::of(&collection).is_empty());
}

#[test]
fn an_empty_collection_has_nothing_to_remove() {
    let collection = Collection::default();
    assert!(Removal::older_than(&collection, time(1)).is_empty());
    assert!(Removal::all_but_full(&collection, newest(1)).is_empty());
    assert!(Cleanup::of(&collection).is_empty());
}

proptest! {
    #[test]
    fn however_removal_is_stopped_what_is_left_is_whole(
        spans in prop::collection::vec((1i64..9, 0i64..4), 1..12),
        limit in 1i64..14,
        done in 0usize..12,
    ) {
        let remote: Vec<_> = spans.iter().map(|(start, len)| set(*start, start + len)).collect();
        let before = collect(&remote, &[]);
        // Of chains that overlap nobody can say to which an increment belongs.
        let ranges: Vec<_> = before.chains().iter().map(|chain| chain.range()).collect();
        prop_assume!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start()));
        let removal = Removal::older_than(&before, time(limit));
        let gone: Vec<&str> = removal.sets().take(done).flat_map(BackupSet::remote_names).collect();
        let left: Vec<_> = remote.into_iter().map(|mut names| {
            names.retain(|name| !gone.contains(&name.as_str()));
            names
        }).collect();
        let after = collect(&left, &[]);
        prop_assert_eq!(before.chains().is_empty(), after.chains().is_empty());
        prop_assert_eq!(after.incomplete_sets(), []);
        let untouched = |chain: &&redup_format::collections::BackupChain| chain.end() >= time(limit);
        let ends = |collection: &Collection| {
            collection.chains().iter().filter(untouched).map(|chain| chain.range()).collect::<Vec<_>>()
        };
        prop_assert!(ends(&before).iter().all(|range| ends(&after).contains(range)));
    }

    #[test]
    fn keeping_more_removes_no_more_and_the_newest_always_stays(
        spans in prop::collection::vec((1i64..900, 0i64..40), 1..12),
        counts in prop::array::uniform5(0usize..5),
        more in prop::array::uniform5(0usize..3),
    ) {
        let remote: Vec<_> = spans.iter().map(|(start, len)| set(*start, start + len)).collect();
        let collection = collect(&remote, &[]);
        let periods = [Period::Backup, Period::Day, Period::Week, Period::Month, Period::Year];
        let rules = |more: [usize; 5]| -> Vec<_> {
            periods.into_iter().zip(counts.iter().zip(more).map(|(count, more)| count + more)).collect()
        };
        let gone = |more| -> Vec<_> {
            let removal = Removal::all_but_kept(&collection, &keep(&rules(more)));
            removal.chains.iter().map(|chain| chain.range()).collect()
        };
        let (fewer, all) = (gone(more), gone([0; 5]));
        prop_assert!(fewer.iter().all(|range| all.contains(range)));
        if let Some(newest) = collection.chains().last() {
            prop_assert!(!all.contains(&newest.range()));
        }
        // Nothing but whole chains goes, and every rule that was given still has what it asked for.
        let times = |chains: &mut dyn Iterator<Item = &redup_format::collections::BackupChain>| -> Vec<_> {
            chains.flat_map(|chain| chain.sets().iter().map(|set| set.span.end())).collect()
        };
        let kept = keep(&rules(more)).kept(times(&mut collection.chains().iter()));
        let left = times(&mut collection.chains().iter().filter(|chain| !fewer.contains(&chain.range())));
        prop_assert!(kept.iter().all(|time| left.contains(time)));
    }
}
