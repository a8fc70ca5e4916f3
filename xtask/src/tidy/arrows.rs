//! Which crate may know which: the arrows of ARCHITECTURE.md, pointing down and never back.

use crate::workspace::Member;

/// A crate and the crates of the workspace that its code may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("redup-format", &[]),
    ("redup-rsync", &[]),
    ("redup-openpgp", &[]),
    ("redup-storage", &[]),
    ("redup-s3", &["redup-storage"]),
    ("redup-select", &["redup-format"]),
    ("redup-difftar", &["redup-format", "redup-rsync"]),
    ("redup-volume", &["redup-format", "redup-openpgp"]),
    (
        "redup-engine",
        &[
            "redup-difftar",
            "redup-format",
            "redup-openpgp",
            "redup-rsync",
            "redup-select",
            "redup-storage",
            "redup-volume",
        ],
    ),
    (
        "redup",
        &[
            "redup-engine",
            "redup-format",
            "redup-openpgp",
            "redup-s3",
            "redup-select",
            "redup-storage",
            "redup-volume",
        ],
    ),
    ("redup-testkit", &["redup-storage"]),
    ("xtask", &[]),
];

/// Crates of others that only some of ours may use, with the reason.
const KEPT_APART: &[(&str, &[&str], &str)] = &[
    (
        "tokio",
        &["redup", "redup-engine", "redup-s3", "redup-storage"],
        "async stays at the edge: storage, S3 and the transfer queue",
    ),
    ("aws-sdk-s3", &["redup-s3"], "one crate speaks S3"),
    (
        "sequoia-openpgp",
        &["redup-openpgp"],
        "one crate speaks OpenPGP",
    ),
    ("redup-testkit", &[], "the test kit serves tests only"),
];

/// Every dependency that points the wrong way.
pub(super) fn check(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in members {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
            findings.push(format!(
                "{}: not in the map of crates (tidy/arrows.rs)",
                member.name
            ));
            continue;
        };
        for dependency in &member.dependencies {
            let ours = ARROWS.iter().any(|(name, _)| name == dependency);
            if ours && !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{} must not depend on {dependency}", member.name));
            }
            findings.extend(kept_apart(member, dependency));
        }
        for dependency in &member.dev_dependencies {
            let above = reaches(dependency, &member.name);
            if above && dependency != "redup-testkit" {
                findings.push(format!(
                    "tests of {} must not use {dependency}",
                    member.name
                ));
            }
        }
    }
    findings
}

fn kept_apart(member: &Member, dependency: &str) -> Option<String> {
    let (_, allowed, reason) = KEPT_APART.iter().find(|(name, ..)| *name == dependency)?;
    let fine = allowed.contains(&member.name.as_str());
    (!fine).then(|| format!("{} must not depend on {dependency}: {reason}", member.name))
}

/// Whether `from` leads down to `to`.
fn reaches(from: &str, to: &str) -> bool {
    let below = ARROWS
        .iter()
        .find(|(name, _)| *name == from)
        .map_or(&[][..], |(_, below)| below);
    below.iter().any(|next| *next == to || reaches(next, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            dir: "/".into(),
            licensed: true,
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            dev_dependencies: Vec::new(),
        }
    }

    #[test]
    fn the_map_has_no_circle() {
        for (name, _) in ARROWS {
            assert!(!reaches(name, name), "{name}");
        }
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        assert_eq!(check(&[member("redup-format", &["redup-engine"])]).len(), 1);
        assert_eq!(
            check(&[member("redup-select", &["redup-format", "tokio"])]).len(),
            1
        );
        assert_eq!(check(&[member("redup-select", &["redup-format"])]).len(), 0);
    }
}
