//! Python's tarfile as the oracle: it wrote every archive there is.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use redup_difftar::tar::{Limits, TarReader, encode_header};
use redup_format::entry::{Attributes, FileType};
use serde_json::{Value, json};

use crate::support::hex;

const CASES: usize = 400;

/// One header a line, as JSON in and hex out.
const SCRIPT: &str = r#"
import json, sys, tarfile
form = getattr(tarfile, sys.argv[1])
text = lambda value: bytes.fromhex(value).decode("utf-8", "surrogateescape")
for line in sys.stdin:
    case = json.loads(line)
    info = tarfile.TarInfo(text(case["name"]))
    info.type = case["type"].encode()
    for field in ("linkname", "uname", "gname"):
        setattr(info, field, text(case[field]))
    for field in ("mode", "uid", "gid", "size", "mtime", "devmajor", "devminor"):
        setattr(info, field, case[field])
    print(info.tobuf(form, "utf-8", "surrogateescape").hex())
"#;

#[derive(Debug, Clone)]
struct Case {
    name: Vec<u8>,
    attributes: Attributes,
    size: u64,
}

#[test]
fn headers_have_the_bytes_that_tarfile_writes() {
    let cases = cases();
    for (case, expected) in cases.iter().zip(tarfile("PAX_FORMAT", &cases)) {
        let bytes = encode_header(&case.name, &case.attributes, case.size).unwrap();
        assert!(bytes == expected, "{case:?}");
    }
}

#[test]
fn headers_of_both_flavours_are_read_back() {
    let cases = cases();
    for flavour in ["PAX_FORMAT", "GNU_FORMAT"] {
        for (case, bytes) in cases.iter().zip(tarfile(flavour, &cases)) {
            let mut tar = TarReader::new(bytes.as_slice(), Limits::default());
            let member = tar.next_member().unwrap().unwrap();
            assert_eq!(
                (&member.name, member.size),
                (&case.name, case.size),
                "{flavour}"
            );
            let mut expected = case.attributes.clone();
            if flavour == "GNU_FORMAT" {
                // This flavour has no room for more of these names.
                expected.uname.truncate(32);
                expected.gname.truncate(32);
            }
            assert_eq!(
                member.into_attributes(),
                Some(expected),
                "{flavour} {case:?}"
            );
        }
    }
}

/// The same cases in every run.
fn cases() -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    let mut draw = || case().new_tree(&mut runner).unwrap().current();
    (0..CASES).map(|_| draw()).collect()
}

fn case() -> impl Strategy<Value = Case> {
    let file_type = prop_oneof![
        3 => Just(FileType::Regular),
        1 => Just(FileType::Directory),
        1 => Just(FileType::Fifo),
        2 => text(1, 130).prop_map(|target| FileType::Symlink { target }),
        1 => (0..4096u32, 0..1u32 << 20)
            .prop_map(|(major, minor)| FileType::CharDevice { major, minor }),
        1 => (0..1u32 << 21, any::<u8>())
            .prop_map(|(major, minor)| FileType::BlockDevice { major, minor: minor.into() }),
    ];
    let numbers = (0..0o10000u32, near(21), near(21), near(33), near(33));
    (text(1, 130), file_type, text(0, 40), text(0, 40), numbers).prop_map(
        |(mut name, file_type, uname, gname, (mode, uid, gid, mtime, size))| {
            if file_type.is_directory() {
                name.push(b'/');
            }
            let attributes = Attributes {
                file_type,
                mode,
                uid,
                gid,
                uname,
                gname,
                mtime: mtime as i64,
            };
            Case {
                name,
                attributes,
                size,
            }
        },
    )
}

/// Mostly names in ASCII, around the lengths that fit a field; but also Unicode and any bytes but NUL.
fn text(min: usize, max: usize) -> impl Strategy<Value = Vec<u8>> {
    let ascii = proptest::collection::vec(0x20..0x7fu8, min..max);
    let unicode = proptest::collection::vec(any::<char>(), min..max / 2)
        .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
    let bytes = proptest::collection::vec(1..=255u8, min..max);
    prop_oneof![3 => ascii, 2 => unicode, 2 => bytes].prop_map(move |mut text| {
        text.retain(|&byte| byte != 0);
        // Python drops slashes at the end of a name.
        while text.ends_with(b"/") {
            text.pop();
        }
        if text.len() < min {
            text.push(b'x');
        }
        text
    })
}

/// Numbers of up to so many bits, and a little more.
fn near(bits: u32) -> impl Strategy<Value = u64> {
    prop_oneof![
        0..1u64 << bits,
        (1u64 << bits) - 2..(1u64 << bits) + 2,
        0..1u64 << 40
    ]
}

fn tarfile(flavour: &str, cases: &[Case]) -> Vec<Vec<u8>> {
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT, flavour])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    let input: String = cases
        .iter()
        .map(|case| format!("{}\n", json_of(case)))
        .collect();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let headers: Vec<_> = lines.lines().map(unhex).collect();
    assert_eq!(headers.len(), cases.len());
    headers
}

fn json_of(case: &Case) -> Value {
    let attributes = &case.attributes;
    let (type_flag, link, (major, minor)) = match &attributes.file_type {
        FileType::Regular => ("0", &[][..], (0, 0)),
        FileType::Symlink { target } => ("2", target.as_slice(), (0, 0)),
        FileType::CharDevice { major, minor } => ("3", &[][..], (*major, *minor)),
        FileType::BlockDevice { major, minor } => ("4", &[][..], (*major, *minor)),
        FileType::Directory => ("5", &[][..], (0, 0)),
        FileType::Fifo => ("6", &[][..], (0, 0)),
    };
    json!({
        "name": hex(&case.name), "type": type_flag, "linkname": hex(link),
        "uname": hex(&attributes.uname), "gname": hex(&attributes.gname),
        "mode": attributes.mode, "uid": attributes.uid, "gid": attributes.gid,
        "size": case.size, "mtime": attributes.mtime,
        "devmajor": major, "devminor": minor,
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
