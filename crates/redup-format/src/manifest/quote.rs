//! Quoting of paths: a path that would not survive splitting at white space is put between double quotes with each
//! troublesome byte as `\xHH`. All other bytes stay raw, whatever they are.

use std::borrow::Cow;

/// A path as a manifest has it.
pub fn quote(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().copied().any(is_troublesome) {
        return Cow::Borrowed(raw);
    }
    let mut quoted = vec![b'"'];
    for &byte in raw {
        if is_troublesome(byte) {
            quoted.extend(format!("\\x{byte:02x}").bytes());
        } else {
            quoted.push(byte);
        }
    }
    quoted.push(b'"');
    Cow::Owned(quoted)
}

/// The inverse of [`quote`]. Bytes that do not start with a quote are taken as they are.
///
/// `None` when the closing quote is missing. A backslash that starts no `\xHH` stands for itself.
pub fn unquote(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(rest) = quoted.strip_prefix(b"\"") else {
        return Some(Cow::Borrowed(quoted));
    };
    let mut rest = rest.strip_suffix(b"\"")?;
    let mut raw = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = unescape(rest) {
        raw.push(byte);
        rest = after;
    }
    Some(Cow::Owned(raw))
}

/// The first byte that `quoted` stands for, and what follows it.
fn unescape(quoted: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'\\', b'x', high, low, after @ ..] = quoted
        && let Some(byte) = hex_byte(*high, *low)
    {
        return Some((byte, after));
    }
    quoted.split_first().map(|(byte, after)| (*byte, after))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The inverse of [`hex`], of either case; `None` when it is not exactly `N` bytes.
pub(super) fn from_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_byte(pair[0], pair[1])?;
    }
    Some(bytes)
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn is_troublesome(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'\\' | b'\'' | b'"')
}

/// The white space that separates words: six bytes, and none of those that only text in some encoding would count.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
