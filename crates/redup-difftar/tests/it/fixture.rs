//! The fixtures that need no key, as sets of decompressed archives.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use redup_difftar::difftar::{DifftarReader, Volume, VolumeSource};
use redup_difftar::{BoxError, Warnings};
use redup_format::filename::{Kind, Naming, Span};
use redup_format::time::Timestamp;

/// One folder `fixtures/VERSION/CASE` whose target is not encrypted.
pub(crate) struct Case {
    pub(crate) title: String,
    dir: PathBuf,
    /// By the time at which they end.
    sets: BTreeMap<Timestamp, Set>,
}

#[derive(Default)]
pub(crate) struct Set {
    pub(crate) volumes: BTreeMap<u32, Vec<u8>>,
    pub(crate) sigtar: Option<Vec<u8>>,
}

/// Every fixture whose target is not encrypted.
pub(crate) fn readable_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in ["0.8.22", "3.2.1"] {
        for dir in entries(&root().join(version)) {
            let names = entries(&dir.join("remote"));
            if !names
                .iter()
                .any(|name| name.extension().is_some_and(|end| end == "gpg"))
            {
                cases.push(Case::load(version, &dir));
            }
        }
    }
    assert!(cases.len() >= 15, "fixtures are missing");
    cases
}

pub(crate) fn case(title: &str) -> Case {
    let version = title.split('/').next().unwrap();
    Case::load(version, &root().join(title))
}

/// The signature archives in the archive dirs of all fixtures, oldest first; there they are never encrypted.
pub(crate) fn local_sigtars() -> Vec<(String, PathBuf, Vec<Vec<u8>>)> {
    let mut all = Vec::new();
    for version in ["0.8.22", "3.2.1", "mixed"] {
        for dir in entries(&root().join(version)) {
            let mut archives = BTreeMap::new();
            for path in entries(&dir.join("archive")) {
                if let Some((time, Kind::Signature, false)) = parse(&path) {
                    archives.insert(time, contents(&path));
                }
            }
            all.push((
                dir.display().to_string(),
                dir,
                archives.into_values().collect(),
            ));
        }
    }
    all
}

impl Case {
    fn load(version: &str, dir: &Path) -> Self {
        let mut sets: BTreeMap<_, Set> = BTreeMap::new();
        for path in entries(&dir.join("remote")) {
            let (time, kind, _) = parse(&path).unwrap_or_else(|| panic!("{}", path.display()));
            let set = sets.entry(time).or_default();
            match kind {
                Kind::Volume(number) => {
                    set.volumes.insert(number, contents(&path));
                }
                Kind::Signature => set.sigtar = Some(contents(&path)),
                Kind::Manifest | Kind::JsonStat => {}
            }
        }
        Self {
            title: format!("{version}/{}", dir.file_name().unwrap().to_string_lossy()),
            dir: dir.to_owned(),
            sets,
        }
    }

    /// Oldest first.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &Set> {
        self.sets.values()
    }

    /// The last run was killed: its set is not whole.
    pub(crate) fn is_partial(&self) -> bool {
        self.title.contains("/partial-")
    }

    pub(crate) fn expected(&self, state: usize) -> Vec<serde_json::Value> {
        expected(&self.dir, state)
    }
}

/// The lines of `expected/stateN.jsonl`.
pub(crate) fn expected(dir: &Path, state: usize) -> Vec<serde_json::Value> {
    let path = dir.join(format!("expected/state{state}.jsonl"));
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

impl Set {
    pub(crate) fn reader(&self) -> DifftarReader<impl VolumeSource + use<'_>> {
        let volumes = self.volumes.iter().map(|(number, bytes)| {
            Ok::<_, BoxError>(Volume {
                name: format!("vol{number}"),
                data: bytes.as_slice(),
            })
        });
        DifftarReader::new(volumes, Warnings::new(|warning| panic!("{warning}")))
    }
}

fn parse(path: &Path) -> Option<(Timestamp, Kind, bool)> {
    let name = path.file_name()?.to_str()?;
    let prefixed = Naming {
        prefix: "all-".into(),
        archive: "arc-".into(),
        manifest: "man-".into(),
        signature: "sig-".into(),
        jsonstat: String::new(),
    };
    let parsed = [Naming::default(), prefixed]
        .iter()
        .find_map(|naming| naming.parse(name))?;
    let (Span::Full(time) | Span::Inc { end: time, .. }) = parsed.span;
    Some((time, parsed.kind, parsed.partial))
}

fn contents(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !path
        .extension()
        .is_some_and(|end| end == "gz" || end == "z")
    {
        return bytes;
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// What is in a folder, sorted.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
