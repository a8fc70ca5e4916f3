//! The crate from outside: every encoding there and back, the golden archives, and damage.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use redup_format::filename::{Kind, Naming, Suffix};
use redup_format::manifest::Manifest;
use redup_openpgp::{Compression, Decryptor, DecryptorOptions, Encryptor, Secret};
use redup_volume::{Digest, Encoding, Error, HashingReader, VolumeReader, VolumeWriter};

static DECRYPTOR: LazyLock<Decryptor> = LazyLock::new(|| {
    let passphrase = Some(Secret::from("fixture-passphrase"));
    Decryptor::new(DecryptorOptions {
        passphrase,
        ..DecryptorOptions::default()
    })
});

fn encodings() -> Vec<Encoding> {
    let openpgp = |compression| {
        Encoding::OpenPgp(Arc::new(
            Encryptor::symmetric(Secret::from("fixture-passphrase"), compression).unwrap(),
        ))
    };
    vec![
        Encoding::Plain,
        Encoding::Gzip { level: 6 },
        Encoding::Gzip { level: 0 },
        openpgp(Compression::Zip(6)),
        openpgp(Compression::None),
    ]
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i / 7) ^ (i / 1000)) as u8).collect()
}

fn encode(encoding: &Encoding, content: &[u8]) -> (Digest, Vec<u8>) {
    let mut writer = VolumeWriter::new(encoding, Vec::new()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn decode(suffix: Suffix, data: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut reader = VolumeReader::new(suffix, Some(&DECRYPTOR), data)?;
    reader.read_to_end(&mut content).map_err(Error::from_io)?;
    reader.finish()?;
    Ok(content)
}

fn sha1_of(data: &[u8]) -> Digest {
    HashingReader::new(data).finish().unwrap()
}

#[test]
fn every_encoding_reads_back_and_its_digest_is_of_the_encoded_bytes() {
    for encoding in encodings() {
        for len in [0, 1, 10_240, 1_000_000] {
            let content = content(len);
            let (digest, data) = encode(&encoding, &content);
            assert_eq!(digest, sha1_of(&data), "{encoding:?}");
            assert!(
                decode(encoding.suffix(), &data).unwrap() == content,
                "{encoding:?} {len}"
            );
        }
    }
}

#[test]
fn gzip_reads_our_volumes() {
    let content = content(3_000_000);
    let (_, data) = encode(&Encoding::Gzip { level: 6 }, &content);
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&data).unwrap());
    let output = gzip.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success() && output.stdout == content);
}

#[test]
fn the_same_content_gives_the_same_gzip_bytes_and_lengths_on_one_thread_and_many() {
    let content = content(5_000_000);
    let run = || {
        let mut writer = VolumeWriter::new(&Encoding::Gzip { level: 6 }, Vec::new()).unwrap();
        let mut lengths = Vec::new();
        for piece in content.chunks(65_536) {
            writer.write_all(piece).unwrap();
            lengths.push(writer.encoded_len());
        }
        (lengths, writer.finish().unwrap().1)
    };
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert!(one.install(run) == run());
}

#[test]
fn the_length_so_far_is_near_the_final_one() {
    for encoding in encodings() {
        let content = content(4_000_000);
        let mut writer = VolumeWriter::new(&encoding, Vec::new()).unwrap();
        writer.write_all(&content).unwrap();
        let so_far = writer.encoded_len();
        let (digest, _) = writer.finish().unwrap();
        assert!(
            so_far.abs_diff(digest.len) <= 1000 + digest.len / 5,
            "{encoding:?}: {so_far} of {}",
            digest.len
        );
    }
}

#[test]
fn gzip_of_several_members_and_of_none_is_read() {
    let (_, first) = encode(&Encoding::Gzip { level: 6 }, b"one ");
    let (_, second) = encode(&Encoding::Gzip { level: 6 }, b"two");
    assert_eq!(
        decode(Suffix::Gzip, &[first, second].concat()).unwrap(),
        b"one two"
    );
    assert_eq!(decode(Suffix::Gzip, b"").unwrap(), b"");
    assert_eq!(decode(Suffix::Plain, b"").unwrap(), b"");
}

#[test]
fn what_is_wrong_is_told_apart() {
    assert!(matches!(
        decode(Suffix::Gzip, b"not gzip at all"),
        Err(Error::Gzip(_))
    ));
    assert!(matches!(
        decode(Suffix::Gpg, b""),
        Err(Error::OpenPgp(redup_openpgp::Error::Truncated { .. }))
    ));
    assert!(matches!(decode(Suffix::Gpgsm, b""), Err(Error::Gpgsm)));
    assert!(matches!(
        VolumeReader::new(Suffix::Gpg, None, &b""[..]),
        Err(Error::NoDecryptor)
    ));
    let failing = fs::File::open("/").unwrap();
    let mut reader = VolumeReader::new(Suffix::Plain, None, failing).unwrap();
    assert!(matches!(
        Error::from_io(reader.read(&mut [0; 10]).unwrap_err()),
        Error::Io(_)
    ));
}

#[test]
fn a_full_sink_is_an_io_error() {
    for encoding in encodings() {
        let mut full = [0; 100];
        let written =
            VolumeWriter::new(&encoding, Cursor::new(&mut full[..])).and_then(|mut writer| {
                writer
                    .write_all(&content(1_000_000))
                    .map_err(Error::from_io)?;
                writer.finish().map(drop)
            });
        assert!(
            matches!(written, Err(Error::Io(_))),
            "{encoding:?}: {written:?}"
        );
    }
}

/// Volumes of every case whose manifest this test can open.
#[test]
fn golden_volumes_decode_and_match_their_manifests() {
    let mut checked = 0;
    for version in ["0.8.22", "3.2.1"] {
        for case in ["plain", "gz", "sym", "sym-nocomp", "tail", "maxblock"] {
            let remote = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../fixtures")
                .join(version)
                .join(case)
                .join("remote");
            if remote.exists() {
                checked += check_case(&remote);
            }
        }
    }
    assert!(checked >= 30, "{checked}");
}

fn check_case(remote: &Path) -> usize {
    let naming = Naming::default();
    let objects: Vec<(PathBuf, _)> = fs::read_dir(remote)
        .unwrap()
        .map(|object| object.unwrap().path())
        .map(|path| {
            (
                path.clone(),
                naming
                    .parse(path.file_name().unwrap().to_str().unwrap())
                    .unwrap(),
            )
        })
        .collect();
    let mut checked = 0;
    for (path, name) in objects
        .iter()
        .filter(|(_, name)| name.kind == Kind::Manifest)
    {
        let manifest =
            Manifest::parse(&decode(name.suffix, &fs::read(path).unwrap()).unwrap()).unwrap();
        for (number, volume) in &manifest.volumes {
            let same = |other: &redup_format::filename::ParsedName| {
                other.span == name.span && other.kind == Kind::Volume(*number)
            };
            let (path, name) = objects.iter().find(|(_, other)| same(other)).unwrap();
            let data = fs::read(path).unwrap();
            assert_eq!(Some(sha1_of(&data).sha1), volume.sha1, "{path:?}");
            let content =
                decode(name.suffix, &data).unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
            assert!(
                content.is_empty()
                    || content.get(257..262) == Some(b"ustar")
                    || content.iter().all(|octet| *octet == 0),
                "{path:?}"
            );
            checked += 1;
        }
    }
    checked
}

#[test]
fn the_digest_covers_what_a_decoder_leaves_unread() {
    let (_, data) = encode(&encodings()[3], b"content");
    let data = [&data[..], b"junk behind the message"].concat();
    let mut hashing = HashingReader::new(&data[..]);
    VolumeReader::new(Suffix::Gpg, Some(&DECRYPTOR), &mut hashing)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(hashing.finish().unwrap(), sha1_of(&data));
}

static SAMPLES: LazyLock<Vec<(Suffix, Vec<u8>)>> = LazyLock::new(|| {
    let encodings = encodings();
    encodings[1..]
        .iter()
        .map(|encoding| (encoding.suffix(), encode(encoding, &content(20_000)).1))
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn cut_volumes_are_errors(at: prop::sample::Index) {
        for (suffix, data) in SAMPLES.iter() {
            // Nothing at all is an empty gzip volume.
            let cut = &data[..1 + at.index(data.len() - 1)];
            prop_assert!(decode(*suffix, cut).is_err());
        }
    }

    #[test]
    fn flipped_bits_never_change_what_comes_out(at: prop::sample::Index, bit in 0..8u8) {
        for (suffix, data) in SAMPLES.iter() {
            let mut altered = data.clone();
            altered[at.index(data.len())] ^= 1 << bit;
            if let Ok(decoded) = decode(*suffix, &altered) {
                prop_assert!(decoded == content(20_000));
            }
        }
    }

    #[test]
    fn any_content_in_any_pieces_reads_back(content in prop::collection::vec(any::<u8>(), 0..5000), step in 1..700usize) {
        for encoding in &encodings()[..3] {
            let mut writer = VolumeWriter::new(encoding, Vec::new()).unwrap();
            content.chunks(step).for_each(|piece| writer.write_all(piece).unwrap());
            let (_, data) = writer.finish().unwrap();
            prop_assert_eq!(&decode(encoding.suffix(), &data).unwrap(), &content);
        }
    }
}
