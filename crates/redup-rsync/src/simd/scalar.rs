//! The kernels in plain Rust.

use super::{BlockSum, Filter, Hit};
use crate::SignatureKind;
use crate::rollsum::Rolling;

/// Appends the sums of the blocks of `len` bytes at `starts`.
pub(super) fn block_sums(
    kind: SignatureKind,
    bytes: &[u8],
    starts: &[usize],
    len: usize,
    sums: &mut Vec<BlockSum>,
) {
    sums.extend(
        starts
            .iter()
            .map(|&at| BlockSum::of(kind, &bytes[at..at + len])),
    );
}

/// Moves the window over `leaving`, while as many bytes enter it; `before` places have been looked at already.
pub(super) fn find_hits(
    filter: &Filter,
    rolling: &mut Rolling,
    leaving: &[u8],
    entering: &[u8],
    before: usize,
    hits: &mut Vec<Hit>,
) {
    for ((&out, &into), at) in leaving.iter().zip(entering).zip(before + 1..) {
        rolling.roll(out, into);
        let weak = rolling.sum();
        if filter.may_have(Filter::key(weak)) {
            hits.push(Hit { at, weak });
        }
    }
}
