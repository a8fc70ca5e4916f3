//! The signatures of chains that duplicity wrote.

use std::collections::BTreeSet;

use redup_difftar::collate::CombinedSignatures;
use redup_difftar::sigtar::{SigKind, SigtarReader};

use crate::fixture::{expected, local_sigtars};
use crate::support::hex;

#[test]
fn the_combined_signatures_of_every_fixture_list_its_newest_state() {
    for (title, dir, archives) in local_sigtars() {
        if title.contains("partial-") {
            continue;
        }
        let state = archives.len() - 1;
        let readers = archives
            .iter()
            .map(|bytes| SigtarReader::new(bytes.as_slice()));
        let mut combined = CombinedSignatures::new(readers.collect());
        let mut found = BTreeSet::new();
        while let Some(head) = combined.advance().unwrap() {
            let (index, kind) = (head.index.clone(), head.kind);
            if let SigKind::File { .. } = kind {
                let signature = combined.read_signature(u64::MAX).unwrap();
                redup_rsync::Signature::parse(signature).unwrap();
            }
            if kind != SigKind::Deleted {
                assert!(
                    found.insert(hex(index.as_bytes())),
                    "{title}: {index} twice"
                );
            }
        }
        let listed: BTreeSet<_> = expected(&dir, state)
            .iter()
            .map(|row| row["path_hex"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, listed, "{title}");
    }
}
