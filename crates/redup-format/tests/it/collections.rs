//! Listings, golden and hostile, and what they amount to.

use proptest::prelude::*;
use redup_format::collections::{Collection, CollectionError, Problem};
use redup_format::filename::{Kind, Naming, Span, Suffix};

use crate::fixtures;
use crate::listing::{collect, part, picture, set, span, time, without};

#[test]
fn increments_follow_the_set_they_start_at() {
    let collection = collect(
        &[set(1, 1), set(1, 2), set(5, 5), set(2, 4), set(5, 6)],
        &[],
    );
    assert_eq!(picture(&collection), "1 1-2 2-4 | 5 5-6");
    assert!(collection.problems().is_empty());
}

#[test]
fn an_increment_nobody_waits_for_is_an_orphan() {
    assert_eq!(
        picture(&collect(&[set(1, 1), set(2, 3)], &[])),
        "1 orphaned: 2-3"
    );
}

#[test]
fn a_second_increment_from_the_same_start_replaces_the_first() {
    let collection = collect(&[set(1, 1), set(1, 2), set(1, 3), set(3, 4)], &[]);
    assert_eq!(picture(&collection), "1 1-3 3-4 superseded: 1-2");
}

#[test]
fn the_oldest_of_two_chains_with_one_end_gets_the_increment() {
    let collection = collect(&[set(1, 1), set(1, 3), set(3, 3), set(3, 4)], &[]);
    assert_eq!(picture(&collection), "3 | 1 1-3 3-4");
}

#[test]
fn sets_without_a_manifest_are_left_out_and_reported() {
    let collection = collect(
        &[
            set(1, 1),
            without(set(1, 2), "manifest"),
            without(set(3, 3), "manifest"),
        ],
        &[],
    );
    assert_eq!(picture(&collection), "1 incomplete: 1-2! 3!");
    assert_eq!(collection.matched().unwrap().end(), time(1));
}

#[test]
fn an_interrupted_run_is_a_set_while_the_archive_dir_remembers_it() {
    let volumes = without(without(set(1, 2), "manifest"), "sigtar");
    let collection = collect(&[set(1, 1), volumes.clone()], &[part(1, 2)]);
    assert_eq!(picture(&collection), "1 1-2*");
    let partial = collection.partial_set().unwrap();
    assert_eq!(partial.contiguous_volumes(), 2);
    assert_eq!(partial.manifest().unwrap().name, part(1, 2)[0]);
    assert_eq!(
        picture(&collect(&[set(1, 1), volumes], &[])),
        "1 incomplete: 1-2!"
    );
}

#[test]
fn only_the_newest_chains_last_set_is_resumed() {
    let partial = |start, end| without(without(set(start, end), "manifest"), "sigtar");
    let collection = collect(&[set(1, 1), partial(1, 2), set(3, 3)], &[part(1, 2)]);
    assert_eq!(collection.partial_set(), None);
    let collection = collect(&[set(1, 1), partial(3, 3)], &[part(3, 3)]);
    assert_eq!(
        collection.partial_set().map(|set| set.span),
        Some(span(3, 3))
    );
}

#[test]
fn a_stored_manifest_beside_its_checkpoint_is_a_rename_away_from_complete() {
    let collection = collect(&[set(1, 1)], &[part(1, 1)]);
    assert_eq!(picture(&collection), "1?");
    assert_eq!(collection.partial_set(), None);
    let pending: Vec<_> = collection.pending_renames().map(|set| set.span).collect();
    assert_eq!(pending, [span(1, 1)]);
    assert_eq!(collection.sync_plan(None), Default::default());
}

#[test]
fn the_last_set_is_dropped_when_only_its_signatures_are_missing() {
    let unsigned = |start, end| without(set(start, end), "sigtar");
    let collection = collect(&[set(1, 1), set(1, 2), unsigned(2, 3)], &[]);
    let matched = collection.matched().unwrap();
    assert_eq!(
        (matched.end(), matched.dropped.map(|set| set.span)),
        (time(2), Some(span(2, 3)))
    );
    assert_eq!(matched.signatures().count(), 2);
    assert!(
        collect(&[set(1, 1), unsigned(1, 2)], &[])
            .matched()
            .is_none()
    );
    assert!(
        collect(&[set(1, 1), unsigned(1, 2), set(2, 3)], &[])
            .matched()
            .is_none()
    );
    assert!(collect(&[unsigned(1, 1)], &[]).matched().is_none());
    assert!(collect(&[], &[]).matched().is_none());
}

#[test]
fn signatures_after_the_newest_set_do_not_stop_an_increment() {
    let debris = Naming::default().name(span(1, 2), Kind::Signature, Suffix::Gpg);
    let collection = collect(&[set(1, 1), vec![debris.clone()]], &[]);
    assert_eq!(collection.matched().unwrap().end(), time(1));
    let orphaned: Vec<_> = collection
        .orphaned_signatures()
        .map(|file| file.name.clone())
        .collect();
    assert_eq!(orphaned, [debris]);
}

#[test]
fn signatures_behind_a_gap_are_orphans() {
    let orphans = |remote: &[Vec<String>], local: &[Vec<String>]| {
        let collection = collect(remote, local);
        let names = collection.orphaned_signatures().map(|it| it.name.clone());
        names.collect::<Vec<_>>()
    };
    let unsigned = |start, end| without(set(start, end), "sigtar");
    let sigs = |start, end| Naming::default().name(span(start, end), Kind::Signature, Suffix::Gpg);
    let whole = [set(1, 1), set(1, 2), set(2, 4), set(5, 5), set(5, 6)];
    assert!(orphans(&whole, &[]).is_empty());
    let gap = [set(1, 1), unsigned(1, 2), set(2, 4), set(4, 5), set(6, 6)];
    assert_eq!(orphans(&gap, &[]), [sigs(2, 4), sigs(4, 5)]);
    let no_full = [unsigned(1, 1), set(1, 2)];
    assert_eq!(orphans(&no_full, &[]), [sigs(1, 2)]);
    // A copy in the archive dir closes the gap.
    let copy = Naming::default().name(span(1, 1), Kind::Signature, Suffix::Gzip);
    assert!(orphans(&no_full, &[vec![copy]]).is_empty());
    // Those of an interrupted run are not a link yet, and no orphan.
    let interrupted = without(unsigned(1, 2), "manifest");
    assert!(orphans(&[unsigned(1, 1), interrupted], &[part(1, 2)]).is_empty());
}

#[test]
fn signatures_may_be_all_that_is_left() {
    let only = |sets: &[Vec<String>]| collect(sets, &[]).has_only_signatures();
    let sigs = |start, end| {
        let all = set(start, end).into_iter();
        all.filter(|name| name.contains("sigtar"))
            .collect::<Vec<_>>()
    };
    assert!(only(&[sigs(1, 1), sigs(1, 2)]));
    assert!(!only(&[sigs(1, 2)]), "they are orphans");
    assert!(!only(&[sigs(1, 1), set(2, 2)]));
    assert!(!only(&[]));
}

#[test]
fn a_time_is_served_by_its_chain_or_the_one_before_or_the_oldest() {
    let collection = collect(&[set(3, 3), set(3, 5), set(8, 8), set(8, 9)], &[]);
    let serving = |n| collection.chain_for_time(time(n)).unwrap().unwrap().start();
    assert_eq!(
        [1, 3, 4, 5, 7, 8, 9, 20].map(serving),
        [3, 3, 3, 3, 3, 8, 8, 8].map(time)
    );
    let chain = &collection.chains()[0];
    let sets = |n| chain.sets_up_to(time(n)).len();
    assert_eq!([1, 3, 4, 5, 6].map(sets), [1, 1, 1, 2, 2]);
    assert_eq!(chain.signatures_up_to(time(5)).unwrap().len(), 2);
}

#[test]
fn a_time_that_two_chains_cover_is_refused() {
    let collection = collect(&[set(1, 1), set(1, 5), set(3, 3)], &[]);
    let error = collection.chain_for_time(time(3)).unwrap_err();
    assert_eq!(
        error,
        CollectionError::Overlap {
            time: time(3),
            first: time(1),
            second: time(3)
        }
    );
}

#[test]
fn of_two_files_for_one_volume_the_encrypted_one_counts() {
    let volume = |suffix| Naming::default().name(span(1, 1), Kind::Volume(1), suffix);
    let expected = Problem::Duplicate {
        kept: volume(Suffix::Gpg),
        ignored: volume(Suffix::Gzip),
    };
    for gzip_first in [true, false] {
        let mut names = vec![vec![volume(Suffix::Gzip)], set(1, 1)];
        if !gzip_first {
            names.reverse();
        }
        let collection = collect(&names, &[]);
        assert_eq!(collection.problems(), std::slice::from_ref(&expected));
        let set = collection.chains()[0].full();
        assert_eq!(set.volumes[&1].suffix, Suffix::Gpg);
        assert!(set.remote_names().any(|name| name == volume(Suffix::Gzip)));
    }
}

#[test]
fn leftovers_of_uploads_are_reported_and_never_counted() {
    let volume = Naming::default().name(span(1, 1), Kind::Volume(3), Suffix::Gpg);
    let zero = volume.replace("vol3", "vol0");
    let names = vec![
        format!("{volume}.tmp"),
        format!("{volume}.par2"),
        zero.clone(),
    ];
    let collection = collect(&[set(1, 1), names], &[]);
    let set = collection.chains()[0].full();
    assert_eq!((set.volumes.len(), set.remote_extra.len()), (2, 2));
    assert!(
        collection
            .problems()
            .contains(&Problem::VolumeNumber { name: zero })
    );
    assert_eq!(collection.problems().len(), 3);
}

#[test]
fn an_increment_that_ends_before_it_starts_is_an_orphan() {
    let collection = collect(&[set(2, 2), set(2, 1)], &[]);
    assert_eq!(picture(&collection), "2 orphaned: 2-1");
    assert_eq!(
        collection.problems(),
        [Problem::Backwards { span: span(2, 1) }]
    );
}

#[test]
fn deleting_a_set_ends_with_its_first_volume() {
    let collection = collect(&[set(1, 1)], &[]);
    let names: Vec<_> = collection.chains()[0].full().remote_names().collect();
    let expected = ["sigtar", "manifest", "vol2.", "vol1."];
    assert!(
        names
            .iter()
            .zip(expected)
            .all(|(name, part)| name.contains(part)),
        "{names:?}"
    );
}

#[test]
fn sync_fetches_what_overlaps_the_wanted_range_and_drops_what_the_target_lacks() {
    let local = |start, end, kind| Naming::default().local_name(span(start, end), kind);
    let stale = vec![local(4, 4, Kind::Manifest), local(4, 4, Kind::Signature)];
    let kept = vec![local(1, 1, Kind::Manifest)];
    let collection = collect(&[set(1, 1), set(2, 2)], &[kept, stale.clone()]);
    let plan = collection.sync_plan(Some(&[time(1)..=time(1)]));
    assert_eq!(plan.fetch.len(), 1);
    assert_eq!(plan.fetch[0].local, local(1, 1, Kind::Signature));
    assert_eq!(plan.delete, [stale[1].clone(), stale[0].clone()]);
    let all = collection.sync_plan(None);
    assert_eq!(all.fetch.len(), 3);
    // Each file once, in however many of the ranges it is, and the same goes whatever is wanted.
    let both = [time(1)..=time(2), time(2)..=time(2)];
    assert_eq!(collection.sync_plan(Some(&both)), all);
    let nothing = collection.sync_plan(Some(&[]));
    assert!(nothing.fetch.is_empty() && nothing.delete == all.delete);
}

#[test]
fn sync_leaves_an_interrupted_run_alone() {
    let volumes = without(without(set(1, 1), "manifest"), "sigtar");
    let collection = collect(&[volumes], &[part(1, 1)]);
    assert_eq!(collection.sync_plan(None), Default::default());
}

#[test]
fn golden_collections_are_one_chain_of_three_sets() {
    let mut seen = 0;
    for version in ["0.8.22", "3.2.1", "mixed"] {
        for case in std::fs::read_dir(fixtures().join(version)).unwrap() {
            let dir = case.unwrap().path();
            let label = dir.display().to_string();
            if label.contains("partial") {
                continue;
            }
            let naming = prefixes(label.ends_with("prefix"));
            let (remote, local) = (list(&dir.join("remote")), list(&dir.join("archive")));
            let collection = Collection::from_names(
                &naming,
                remote.iter().map(String::as_str),
                local.iter().map(String::as_str),
            );
            assert_eq!(picture(&collection), "1 1-2 2-3", "{label}");
            assert_eq!(collection.problems(), [], "{label}");
            assert_eq!(collection.sync_plan(None), Default::default(), "{label}");
            assert_eq!(
                collection.matched().unwrap().signatures().count(),
                3,
                "{label}"
            );
            let names: usize = collection
                .sets()
                .map(|set| set.remote_names().count())
                .sum();
            assert_eq!(names, remote.len(), "{label}");
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} cases");
}

#[test]
fn golden_interrupted_runs_can_be_resumed() {
    for (case, picture_of_it) in [
        ("0.8.22/partial-full-plain", "1*"),
        ("3.2.1/partial-full-sym", "1*"),
        ("3.2.1/partial-inc-plain", "1 1-2*"),
    ] {
        let (remote, local) = (
            list(&fixtures().join(case).join("remote")),
            list(&fixtures().join(case).join("archive")),
        );
        let collection = Collection::from_names(
            &Naming::default(),
            remote.iter().map(String::as_str),
            local.iter().map(String::as_str),
        );
        assert_eq!(picture(&collection), picture_of_it, "{case}");
        assert!(
            collection.partial_set().unwrap().contiguous_volumes() > 0,
            "{case}"
        );
        assert_eq!(collection.sync_plan(None), Default::default(), "{case}");
    }
}

fn prefixes(used: bool) -> Naming {
    if !used {
        return Naming::default();
    }
    Naming {
        prefix: "all-".into(),
        archive: "arc-".into(),
        manifest: "man-".into(),
        signature: "sig-".into(),
        jsonstat: "jsn-".into(),
    }
}

#[track_caller]
fn list(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(name)
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect()
}

fn any_name() -> impl Strategy<Value = String> {
    let span = prop_oneof![
        (1i64..5).prop_map(|at| span(at, at)),
        (1i64..5, 1i64..5).prop_map(|(start, end)| Span::Inc {
            start: time(start),
            end: time(end)
        }),
    ];
    let kind = prop_oneof![
        (1u32..4).prop_map(Kind::Volume),
        Just(Kind::Manifest),
        Just(Kind::Manifest),
        Just(Kind::Signature),
        Just(Kind::JsonStat)
    ];
    let suffix = prop::sample::select(vec![
        Suffix::Plain,
        Suffix::Gzip,
        Suffix::Gpg,
        Suffix::Gpgsm,
    ]);
    let end = prop::sample::select(vec!["", "", "", ".tmp", ".part", "."]);
    (span, kind, suffix, end, any::<bool>()).prop_map(|(span, kind, suffix, end, partial)| {
        let naming = Naming::default();
        let name = if partial {
            naming.partial_name(span, kind)
        } else {
            naming.name(span, kind, suffix)
        };
        name + end
    })
}

proptest! {
    #[test]
    fn a_hostile_listing_is_sorted_out_whatever_its_order(
        remote in prop::collection::vec(any_name(), 0..40),
        local in prop::collection::vec(any_name(), 0..20),
    ) {
        let build = |remote: &[String], local: &[String]| {
            Collection::from_names(&Naming::default(), remote.iter().map(String::as_str), local.iter().map(String::as_str))
        };
        let collection = build(&remote, &local);
        let reversed: Vec<_> = remote.iter().rev().cloned().collect();
        prop_assert_eq!(format!("{collection:?}"), format!("{:?}", build(&reversed, &local)));
        for chain in collection.chains() {
            prop_assert!(chain.full().span.is_full());
            for pair in chain.sets().windows(2) {
                prop_assert_eq!(pair[0].span.end(), pair[1].span.start());
            }
        }
        for at in 0..6 {
            let _chain = collection.chain_for_time(time(at));
        }
        let _plan = collection.sync_plan(Some(&[time(2)..=time(3)]));
        let _matched = collection.matched().map(|matched| (matched.end(), matched.signatures().count()));
        let _partial = collection.partial_set().map(|set| set.contiguous_volumes());
    }
}
