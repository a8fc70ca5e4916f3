//! Bytes from anywhere make errors, never panics or endless work.

use proptest::prelude::*;
use redup_rsync::{PatchLimits, Signature, patch};

use crate::sample::{delta, noise, patched};

const LIMITS: PatchLimits = PatchLimits {
    output_len: 1 << 20,
};

proptest! {
    #[test]
    fn any_bytes_can_be_tried_as_a_delta(mut bytes in prop::collection::vec(any::<u8>(), 0..300), plausible: bool) {
        if plausible {
            bytes.splice(..bytes.len().min(4), [0x72, 0x73, 0x02, 0x36]);
        }
        let mut out = Vec::new();
        match patch(bytes.as_slice(), &noise(1000, 1), &mut out, &LIMITS) {
            Ok(len) => prop_assert_eq!(len, out.len() as u64),
            Err(_) => prop_assert!(out.len() as u64 <= LIMITS.output_len),
        }
    }

    #[test]
    fn a_delta_against_a_made_up_signature_keeps_every_byte_it_does_not_copy(
        sums in prop::collection::vec(any::<u8>(), 0..1200),
        kind in prop_oneof![Just(0x36u8), Just(0x37), Just(0x46), Just(0x47)],
        block_len in 1u16..600,
        new in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        let mut bytes = vec![0x72, 0x73, 1, kind, 0, 0];
        bytes.extend(block_len.to_be_bytes());
        bytes.extend([0, 0, 0, 8]);
        bytes.extend_from_slice(&sums[..sums.len() / 12 * 12]);
        let delta = delta(Signature::parse(bytes).unwrap(), &new);
        prop_assert_eq!(patched(&[], &delta), new);
    }
}
