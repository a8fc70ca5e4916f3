//! Sorting names into sets.

use super::{BackupSet, Place, Problem, SetFile, Sets};
use crate::filename::{Kind, Naming, ParsedName, Recognised, Suffix};

pub(super) struct Gathered {
    /// One for each span that occurs, even if all there is of it is a signature or something in the archive dir.
    pub(super) sets: Sets,
    pub(super) problems: Vec<Problem>,
}

pub(super) fn gather<'a>(
    naming: &Naming,
    remote: impl IntoIterator<Item = &'a str>,
    local: impl IntoIterator<Item = &'a str>,
) -> Gathered {
    let mut gathered = Gathered {
        sets: Sets::new(),
        problems: Vec::new(),
    };
    for (name, parsed) in gathered.recognised(naming, remote) {
        gathered.add_remote(name, parsed);
    }
    for (name, parsed) in gathered.recognised(naming, local) {
        gathered.add_local(name, parsed);
    }
    gathered
}

impl Gathered {
    /// The names of the collection, the preferred ones first.
    fn recognised<'a>(
        &mut self,
        naming: &Naming,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Vec<(&'a str, ParsedName)> {
        let mut found = Vec::new();
        for name in names {
            match naming.recognise(name) {
                Recognised::Name(parsed) => found.push((name, parsed)),
                Recognised::BadVolumeNumber => self.problems.push(Problem::VolumeNumber {
                    name: name.to_owned(),
                }),
                Recognised::Foreign => {}
            }
        }
        found.sort_by_key(|(name, parsed)| preference(name, parsed));
        found.dedup();
        found
    }

    fn add_remote(&mut self, name: &str, parsed: ParsedName) {
        let set = self
            .sets
            .entry(parsed.span)
            .or_insert_with(|| BackupSet::new(parsed.span));
        // Checkpoints are no business of the target's.
        if !parsed.exact || parsed.partial {
            set.remote_extra.push(name.to_owned());
            self.problems.push(Problem::Stray {
                name: name.to_owned(),
            });
            return;
        }
        let file = SetFile {
            name: name.to_owned(),
            place: Place::Remote,
            suffix: parsed.suffix,
        };
        let kept = match parsed.kind {
            Kind::Volume(number) => match set.volumes.get(&number) {
                Some(kept) => Some(kept),
                None => {
                    set.volumes.insert(number, file);
                    return;
                }
            },
            Kind::Manifest => fill(&mut set.remote_manifest, file),
            Kind::Signature => fill(&mut set.remote_signature, file),
            Kind::JsonStat => fill(&mut set.remote_jsonstat, file),
        };
        if let Some(kept) = kept {
            let problem = Problem::Duplicate {
                kept: kept.name.clone(),
                ignored: name.to_owned(),
            };
            self.problems.push(problem);
            set.remote_extra.push(name.to_owned());
        }
    }

    fn add_local(&mut self, name: &str, parsed: ParsedName) {
        let set = self
            .sets
            .entry(parsed.span)
            .or_insert_with(|| BackupSet::new(parsed.span));
        let local = &mut set.local;
        let file = SetFile {
            name: name.to_owned(),
            place: Place::Local,
            suffix: parsed.suffix,
        };
        let slot = match (parsed.kind, parsed.partial, parsed.suffix) {
            _ if !parsed.exact => None,
            (Kind::Manifest, false, Suffix::Plain) => Some(&mut local.manifest),
            (Kind::Manifest, true, Suffix::Plain) => Some(&mut local.manifest_part),
            (Kind::Signature, false, Suffix::Gzip) => Some(&mut local.signature),
            (Kind::Signature, true, Suffix::Plain) => Some(&mut local.signature_part),
            (Kind::JsonStat, false, Suffix::Gzip) => Some(&mut local.jsonstat),
            _ => None,
        };
        // The archive dir is our own: what has no place in it is worth no report.
        if slot.is_none_or(|slot| fill(slot, file).is_some()) {
            local.extra.push(name.to_owned());
        }
    }
}

/// Puts a file where there is none yet; otherwise says which one is.
fn fill(slot: &mut Option<SetFile>, file: SetFile) -> Option<&SetFile> {
    if slot.is_some() {
        return slot.as_ref();
    }
    *slot = Some(file);
    None
}

/// Of two files for one thing the encrypted one counts, so that nobody who can write to the target can put another in
/// its place; then the compressed one, then the shorter name.
fn preference<'a>(name: &'a str, parsed: &ParsedName) -> (u8, usize, &'a str) {
    let rank = match parsed.suffix {
        Suffix::Gpg => 0,
        Suffix::Gpgsm => 1,
        Suffix::Gzip => 2,
        Suffix::Plain => 3,
    };
    (rank, name.len(), name)
}
