//! Bytes from anywhere: no panic, no endless reading, an error or an archive.

use std::io::Read;
use std::sync::LazyLock;

use proptest::prelude::*;
use redup_difftar::collate::CombinedSignatures;
use redup_difftar::difftar::{DifftarReader, OrderPolicy};
use redup_difftar::member::MemberName;
use redup_difftar::patchdir::PatchDir;
use redup_difftar::sigtar::SigtarReader;
use redup_difftar::tar::{Limits, TarReader};
use redup_difftar::{Error, Warnings};

use crate::fixture::case;
use crate::support::volumes;

/// The volumes and signatures of small archives in both flavours.
static ARCHIVES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut archives = Vec::new();
    for title in [
        "3.2.1/attrs",
        "0.8.22/gnutar-attrs",
        "3.2.1/prefix",
        "0.8.22/gnutar",
    ] {
        for set in case(title).sets() {
            archives.extend(set.volumes.values().cloned());
            archives.extend(set.sigtar.clone());
        }
    }
    archives.retain(|archive| archive.len() < 100_000);
    assert!(archives.len() > 10);
    archives
});

/// Reads `bytes` as everything there is.
fn read_as_all(bytes: &[u8]) {
    let mut tar = TarReader::new(bytes, Limits::default());
    let mut members = 0;
    while let Ok(Some(member)) = tar.next_member() {
        members += 1;
        assert!(member.name.len() <= Limits::default().name_len);
        drop(MemberName::parse(&member.name));
        drop(std::io::copy(&mut tar, &mut std::io::sink()));
    }
    assert!(members <= bytes.len() / 512);

    let mut signatures = SigtarReader::new(bytes);
    while let Ok(Some(_)) = signatures.next_entry(1 << 20) {}
    let twice = vec![SigtarReader::new(bytes), SigtarReader::new(bytes)];
    let mut combined = CombinedSignatures::new(twice);
    while let Ok(Some(_)) = combined.advance() {}

    for order in [OrderPolicy::Fail, OrderPolicy::SkipLate] {
        let (first, second) = bytes.split_at(bytes.len() / 1024 * 512);
        let sets = [
            [first.to_vec(), second.to_vec()],
            [second.to_vec(), first.to_vec()],
        ]
        .map(|parts| {
            DifftarReader::new(volumes(parts.into()), Warnings::new(drop)).with_order(order)
        });
        rebuild_all(PatchDir::new(sets.into()));
    }
}

/// Goes on after errors, as a salvage would, and must come to an end.
fn rebuild_all(mut patches: PatchDir<crate::support::Volumes>) {
    let mut errors = 0;
    loop {
        match patches.next_plan() {
            Ok(None) => break,
            Ok(Some(mut plan)) => {
                for mut step in plan.steps() {
                    drop(step.read_to_end(&mut Vec::new()));
                }
            }
            Err(Error::OutOfOrder { .. }) => {}
            Err(_) => errors += 1,
        }
        assert!(errors < 100, "the same error again and again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        read_as_all(&bytes);
    }

    #[test]
    fn archives_with_bytes_changed(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = which.get(&ARCHIVES).clone();
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        read_as_all(&bytes);
    }

    /// Headers are believed only with a right checksum: fields are changed and the sum made to fit.
    #[test]
    fn archives_with_headers_forged(
        which in any::<prop::sample::Index>(),
        forgeries in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..512usize, proptest::collection::vec(any::<u8>(), 1..13)),
            1..4,
        ),
    ) {
        let mut bytes = which.get(&ARCHIVES).clone();
        for (block, at, value) in forgeries {
            let start = block.index(bytes.len() / 512) * 512;
            let Some(header) = bytes.get_mut(start..start + 512) else { continue };
            for (slot, byte) in header[at..].iter_mut().zip(value) {
                *slot = byte;
            }
            header[148..156].copy_from_slice(b"        ");
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
        read_as_all(&bytes);
    }

    #[test]
    fn archives_with_blocks_cut_moved_and_repeated(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3u8),
            1..6,
        ),
    ) {
        let mut blocks: Vec<Vec<u8>> = which.get(&ARCHIVES).chunks(512).map(<[u8]>::to_vec).collect();
        for (from, to, kind) in edits {
            if blocks.is_empty() {
                break;
            }
            let (from, to) = (from.index(blocks.len()), to.index(blocks.len()));
            match kind {
                0 => drop(blocks.remove(from)),
                1 => blocks.swap(from, to),
                _ => blocks.insert(to, blocks[from].clone()),
            }
        }
        read_as_all(&blocks.concat());
    }
}

#[test]
fn archives_cut_short_at_any_block_or_inside_one() {
    for archive in ARCHIVES.iter() {
        for end in (0..archive.len())
            .step_by(512)
            .flat_map(|end| [end, end + 3])
        {
            let mut tar = TarReader::new(&archive[..end.min(archive.len())], Limits::default());
            loop {
                match tar.next_member() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        assert!(error.is_truncated(), "{error}");
                        break;
                    }
                }
            }
        }
    }
}
