//! Names against duplicity's own parsers, and there and back.

use proptest::prelude::*;
use redup_format::filename::{Kind, Naming, ParsedName, Scheme, Span, Suffix, local_copy};
use redup_format::time::Timestamp;
use serde_json::{Value, json};

use crate::json_lines;

/// Names that duplicity reads relative to the clock or the local zone, which nothing ever wrote, the separator that
/// it reads only when told to, and a volume number that stops it.
const READ_DIFFERENTLY: [(&str, bool); 7] = [
    ("duplicity-full.2024-01-01T00_00_00Z.vol1.difftar", true),
    ("duplicity-full.2024-01-01T00:00:00.vol1.difftar", false),
    ("duplicity-full.3D.vol1.difftar", false),
    ("duplicity-full.2024-01-01.vol1.difftar", false),
    ("duplicity-full.20240101Z.vol1.difftar", false),
    ("duplicity-full.20240101T000000.vol1.difftar", false),
    ("duplicity-full.20240101T000000Z.vol0.difftar", false),
];

#[test]
fn names_are_read_as_duplicity_3_2_reads_them() {
    for vector in json_lines("vectors/3.2.1/filenames.jsonl") {
        let name = vector["name"].as_str().unwrap();
        let parsed = Naming::default().parse(name);
        match READ_DIFFERENTLY.iter().find(|(odd, _)| *odd == name) {
            Some((_, recognised)) => assert_eq!(parsed.is_some(), *recognised, "{name}"),
            None => check(&vector, parsed),
        }
    }
}

#[test]
fn names_are_read_as_duplicity_0_8_reads_them_but_for_what_3_x_added() {
    for vector in json_lines("vectors/0.8.22/filenames.jsonl") {
        let name = vector["name"].as_str().unwrap();
        let added = name.contains("jst") || name.contains("jsonstat") || name.ends_with(".p7m");
        if !added && !READ_DIFFERENTLY.iter().any(|(odd, _)| *odd == name) {
            check(&vector, Naming::default().parse(name));
        }
    }
}

#[track_caller]
fn check(vector: &Value, parsed: Option<ParsedName>) {
    let Some(parsed) = parsed else {
        assert_eq!(vector["type"], Value::Null, "{vector}");
        return;
    };
    let (base, time, start, end) = match parsed.span {
        Span::Full(time) => ("full", json!(time.secs()), Value::Null, Value::Null),
        Span::Inc { start, end } => ("inc", Value::Null, json!(start.secs()), json!(end.secs())),
    };
    let (kind, volume) = match parsed.kind {
        Kind::Volume(number) => (base.to_owned(), json!(number)),
        Kind::Manifest => (base.to_owned(), Value::Null),
        Kind::Signature if base == "inc" => ("new-sig".to_owned(), Value::Null),
        Kind::Signature => ("full-sig".to_owned(), Value::Null),
        Kind::JsonStat => (format!("{base}-stat"), Value::Null),
    };
    let expected = json!({
        "name": vector["name"], "type": kind, "volume": volume, "manifest": parsed.kind == Kind::Manifest,
        "time": time, "start_time": start, "end_time": end, "partial": parsed.partial,
        "encrypted": parsed.suffix.is_encrypted(), "compressed": parsed.suffix.is_compressed(),
    });
    assert_eq!(*vector, expected);
}

#[test]
fn leftovers_of_uploads_are_told_from_volumes() {
    let exact = |end: &str| {
        let name = format!("duplicity-full.20240101T000000Z.vol1.difftar{end}");
        Naming::default().parse(&name).unwrap().exact
    };
    for end in ["", ".gz", ".gpg", ".p7m"] {
        assert!(exact(end), "{end}");
    }
    for end in [".part", ".gz.tmp", ".gpg.par2", ".gpgx", ".gz."] {
        assert!(!exact(end), "{end}");
    }
}

#[test]
fn schemes_are_told_apart() {
    let scheme = |name: &str| Naming::default().parse(name).map(|parsed| parsed.scheme);
    assert_eq!(scheme("df.s6k2o0.1.dt.g"), Some(Scheme::Short));
    assert_eq!(
        scheme("duplicity-full.20240101T000000Z.manifest"),
        Some(Scheme::Long)
    );
    let old = "duplicity-inc.2023-12-31T19:00:00-05:00.to.2024-07-03T05:46:40-04:00.manifest";
    assert_eq!(scheme(old), Some(Scheme::Old));
}

#[test]
fn a_name_without_the_configured_prefixes_is_foreign() {
    let naming = Naming {
        prefix: "all-".into(),
        archive: "a.c-".into(),
        manifest: "man-".into(),
        ..Naming::default()
    };
    let rest = "duplicity-full.20240101T000000Z";
    assert!(
        naming
            .parse(&format!("all-a.c-{rest}.vol1.difftar.gz"))
            .is_some()
    );
    assert!(naming.parse(&format!("all-man-{rest}.manifest")).is_some());
    assert!(
        naming
            .parse(&format!("all-man-{rest}.vol1.difftar.gz"))
            .is_none()
    );
    assert!(
        naming
            .parse(&format!("all-axc-{rest}.vol1.difftar.gz"))
            .is_none()
    );
    assert!(naming.parse(&format!("{rest}.manifest")).is_none());
}

#[test]
fn volume_numbers_that_do_not_fit_are_no_volumes() {
    for number in ["0", "4294967296", "99999999999999999999999"] {
        let name = format!("duplicity-full.20240101T000000Z.vol{number}.difftar.gpg");
        assert_eq!(Naming::default().parse(&name), None);
    }
    assert_eq!(
        Naming::default().parse("df.s6k2o0.zzzzzzzzzzzzzzz.dt"),
        None
    );
}

#[test]
fn names_are_written_as_duplicity_writes_them() {
    let naming = Naming::default();
    let (start, end) = (
        Timestamp::from_secs(1_704_067_200),
        Timestamp::from_secs(1_704_153_600),
    );
    let inc = Span::Inc { start, end };
    let cases = [
        (
            naming.name(Span::Full(start), Kind::Volume(12), Suffix::Gpg),
            "duplicity-full.20240101T000000Z.vol12.difftar.gpg",
        ),
        (
            naming.name(inc, Kind::Manifest, Suffix::Plain),
            "duplicity-inc.20240101T000000Z.to.20240102T000000Z.manifest",
        ),
        (
            naming.local_name(Span::Full(start), Kind::Signature),
            "duplicity-full-signatures.20240101T000000Z.sigtar.gz",
        ),
        (
            naming.partial_name(inc, Kind::Signature),
            "duplicity-new-signatures.20240101T000000Z.to.20240102T000000Z.sigtar.part",
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(written, expected);
    }
}

#[test]
fn copies_in_the_archive_dir_keep_the_scheme_of_their_name() {
    assert_eq!(
        local_copy("dfs.s6k2o0.st.z", Kind::Signature),
        "dfs.s6k2o0.st.gz"
    );
    assert_eq!(local_copy("df.s6k2o0.m.g", Kind::Manifest), "df.s6k2o0.m");
    let manifest = "duplicity-full.20240101T000000Z.manifest";
    assert_eq!(
        local_copy(&format!("{manifest}.gpg"), Kind::Manifest),
        manifest
    );
}

fn any_naming() -> impl Strategy<Value = Naming> {
    let prefix = || "[a-z.*+-]{0,4}";
    (prefix(), prefix(), prefix(), prefix(), prefix()).prop_map(
        |(prefix, archive, manifest, signature, jsonstat)| Naming {
            prefix,
            archive,
            manifest,
            signature,
            jsonstat,
        },
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    let time = || (1i64..4_000_000_000).prop_map(Timestamp::from_secs);
    prop_oneof![
        time().prop_map(Span::Full),
        (time(), time()).prop_map(|(start, end)| Span::Inc { start, end }),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1..u32::MAX).prop_map(Kind::Volume),
        Just(Kind::Manifest),
        Just(Kind::Signature),
        Just(Kind::JsonStat),
    ]
}

fn any_suffix() -> impl Strategy<Value = Suffix> {
    prop::sample::select(vec![
        Suffix::Plain,
        Suffix::Gzip,
        Suffix::Gpg,
        Suffix::Gpgsm,
    ])
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(naming in any_naming(), span in any_span(), kind in any_kind(), suffix in any_suffix()) {
        let parsed = naming.parse(&naming.name(span, kind, suffix));
        let expected = ParsedName { span, kind, suffix, partial: false, scheme: Scheme::Long, exact: true };
        prop_assert_eq!(parsed, Some(expected));
        if !matches!(kind, Kind::Volume(_)) {
            let parsed = naming.parse(&naming.partial_name(span, kind));
            prop_assert_eq!(parsed, Some(ParsedName { partial: true, suffix: Suffix::Plain, ..expected }));
        }
    }

    #[test]
    fn no_name_is_too_odd(name in "(duplicity-(full|inc)|d[fin]s?|é)?\\.?[0-9a-zTZé:.-]{0,24}(\\.vol|\\.to\\.)?\\PC{0,12}") {
        let _parsed = Naming::default().parse(&name);
    }
}
