//! The kernels in plain Rust.

use super::{BlockSum, Filter, Hit};
use crate::SignatureKind;
use crate::rollsum::Rolling;

/// Appends the sums of `blocks`.
pub(super) fn block_sums<'a>(
    kind: SignatureKind,
    blocks: impl Iterator<Item = &'a [u8]>,
    sums: &mut Vec<BlockSum>,
) {
    sums.extend(blocks.map(|block| BlockSum::of(kind, block)));
}

/// Moves the window over `leaving`, while as many bytes enter it.
pub(super) fn find_hits(
    filter: &Filter,
    rolling: &mut Rolling,
    leaving: &[u8],
    entering: &[u8],
    hits: &mut Vec<Hit>,
) {
    for ((&out, &into), at) in leaving.iter().zip(entering).zip(1..) {
        rolling.roll(out, into);
        let weak = rolling.sum();
        if filter.may_have(Filter::key(weak)) {
            hits.push(Hit { at, weak });
        }
    }
}
