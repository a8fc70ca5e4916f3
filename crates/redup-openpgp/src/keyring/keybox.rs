//! GnuPG's keybox file, as far as it holds OpenPGP keys.
//!
//! A keybox is a run of blobs, each with its length in front: `length u32, type u8, version u8, flags u16`, and for an
//! OpenPGP blob `offset u32, length u32` of the key packets inside the blob. All numbers are big-endian.

use crate::error::{Error, Result};

/// An OpenPGP blob.
const OPENPGP: u8 = 2;

/// A key with its signatures; gpg itself refuses blobs above 5 MiB.
const MAX_BLOB: usize = 20 << 20;

/// The key packets of every OpenPGP blob, in the order of the file.
///
/// Reads up to the first blob that does not fit the file; that one is returned as an error.
pub(crate) fn key_blocks(file: &[u8]) -> impl Iterator<Item = Result<&[u8]>> {
    let mut rest = file;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            match next_blob(&mut rest) {
                Ok(Some(block)) => return Some(Ok(block)),
                Ok(None) => {}
                Err(error) => {
                    rest = &[];
                    return Some(Err(error));
                }
            }
        }
    })
}

/// Takes one blob off `rest`; `None` when it holds no OpenPGP keys.
fn next_blob<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    let damaged = || Error::damaged("keybox blob");
    let len = number(rest, 0).ok_or_else(damaged)?;
    if !(5..=MAX_BLOB).contains(&len) {
        return Err(damaged());
    }
    let (blob, after) = rest.split_at_checked(len).ok_or_else(damaged)?;
    *rest = after;
    if blob[4] != OPENPGP {
        return Ok(None);
    }
    let (start, len) = number(blob, 8).zip(number(blob, 12)).ok_or_else(damaged)?;
    let block = start
        .checked_add(len)
        .and_then(|end| blob.get(start..end))
        .ok_or_else(damaged)?;
    Ok(Some(block))
}

fn number(data: &[u8], at: usize) -> Option<usize> {
    let octets = data.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(octets)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(kind: u8, content: &[u8]) -> Vec<u8> {
        let len = 16 + content.len() as u32;
        let mut blob = len.to_be_bytes().to_vec();
        blob.extend([kind, 1, 0, 0, 0, 0, 0, 16]);
        blob.extend((content.len() as u32).to_be_bytes());
        blob.extend(content);
        blob
    }

    #[test]
    fn openpgp_blobs_are_found_and_others_passed_over() {
        let file = [
            blob(1, b"header"),
            blob(2, b"one"),
            blob(0, b"deleted"),
            blob(3, b"x509"),
            blob(2, b"two"),
        ]
        .concat();
        let blocks: Vec<_> = key_blocks(&file).map(Result::unwrap).collect();
        assert_eq!(blocks, [b"one", b"two"]);
    }

    #[test]
    fn a_blob_that_points_outside_ends_the_file() {
        for damage in [3, 11, 13] {
            let mut file = [blob(2, b"one"), blob(2, b"two")].concat();
            file[damage] = 200;
            assert!(key_blocks(&file).any(|block| block.is_err()), "{damage}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_always_ends(file: Vec<u8>, flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4)) {
            prop_assert!(key_blocks(&file).count() <= file.len());
            let mut file = [blob(2, b"one"), blob(2, b"two")].concat();
            for (at, value) in flips {
                let len = file.len();
                file[at % len] = value;
            }
            prop_assert!(key_blocks(&file).count() <= file.len());
        }
    }
}
