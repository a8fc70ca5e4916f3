//! Numbers in tar headers: octal text, GNU's base 256, and decimal text in pax records.

/// A numeric header field. Blank counts as zero. `None` if it holds anything else than a number.
pub(super) fn field(bytes: &[u8]) -> Option<i128> {
    match bytes.first() {
        Some(0x80) => Some(base256(0, bytes.get(1..)?)),
        Some(0xff) => Some(base256(-1, bytes.get(1..)?)),
        _ => octal(bytes),
    }
}

/// A pax record's decimal number; a fraction is cut off.
pub(super) fn decimal(value: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(value).ok()?;
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.parse().ok()
}

/// An owner's number. Python wrote `-2` for the user that others call 4294967294.
pub(super) fn owner(number: i128) -> Option<u64> {
    u64::try_from(number)
        .ok()
        .or_else(|| i32::try_from(number).ok().map(|id| u64::from(id as u32)))
}

/// A modification time: the archive knows none before the epoch.
pub(super) fn mtime(number: i128) -> Option<i64> {
    i64::try_from(number.max(0)).ok()
}

/// Two's complement; a field has at most 12 bytes, so nothing is lost.
fn base256(sign: i128, bytes: &[u8]) -> i128 {
    bytes
        .iter()
        .fold(sign, |number, &byte| number << 8 | i128::from(byte))
}

fn octal(bytes: &[u8]) -> Option<i128> {
    let text = bytes.split(|&byte| byte == 0).next()?.trim_ascii();
    text.iter().try_fold(0, |number: i128, digit| match digit {
        b'0'..=b'7' => Some(number << 3 | i128::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields_may_be_padded_with_blanks_and_end_in_any_terminator() {
        assert_eq!(field(b"0000755\0"), Some(0o755));
        assert_eq!(field(b"   755 \0"), Some(0o755));
        assert_eq!(field(b"77777777777\0"), Some(0o77_777_777_777));
        assert_eq!(field(b"777777777777"), Some(0o777_777_777_777));
        assert_eq!(field(b"\0\0\0\0"), Some(0));
        assert_eq!(field(b"12x\0"), None);
        assert_eq!(field(b"-12\0"), None);
    }

    #[test]
    fn base_256_fields_carry_a_sign() {
        assert_eq!(field(b"\x80\0\0\0\xb2\xd0\x5e\0"), Some(3_000_000_000));
        assert_eq!(field(&[0xff; 12]), Some(-1));
        assert_eq!(mtime(-1), Some(0));
    }

    #[test]
    fn decimals_lose_their_fraction() {
        assert_eq!(decimal(b"8589934597"), Some(8_589_934_597));
        assert_eq!(decimal(b"1.999"), Some(1));
        assert_eq!(decimal(b"-0.5").and_then(mtime), Some(0));
        assert_eq!(decimal(b""), None);
        assert_eq!(decimal(b"1 2"), None);
    }

    #[test]
    fn a_negative_owner_is_its_32_bit_complement() {
        assert_eq!(owner(-2), Some(4_294_967_294));
        assert_eq!(owner(1 << 70), None);
        assert_eq!(owner(-(1 << 40)), None);
    }
}
