//! Pax extended headers: `length key=value` records.

use super::number;
use crate::error::HeaderFault;

/// Fields that extended headers put in place of the header's own. Names are bytes whatever `hdrcharset` says.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) uname: Option<Vec<u8>>,
    pub(super) gname: Option<Vec<u8>>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) size: Option<u64>,
    pub(super) mtime: Option<i64>,
}

impl Overrides {
    /// Takes over what the records in `data` say. An empty value takes back an earlier one.
    pub(super) fn apply(&mut self, data: &[u8]) -> Result<(), HeaderFault> {
        let mut rest = data;
        while let Some(record) = next_record(&mut rest)? {
            self.apply_record(record)?;
        }
        Ok(())
    }

    fn apply_record(&mut self, (key, value): (&[u8], &[u8])) -> Result<(), HeaderFault> {
        let text = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"uname" => self.uname = text(),
            b"gname" => self.gname = text(),
            b"uid" => self.uid = parse(value, "uid", number::owner)?,
            b"gid" => self.gid = parse(value, "gid", number::owner)?,
            b"size" => self.size = parse(value, "size", |size| u64::try_from(size).ok())?,
            b"mtime" => self.mtime = parse(value, "mtime", number::mtime)?,
            _ => {}
        }
        Ok(())
    }
}

/// Appends one record.
pub(super) fn push_record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    // The length counts its own digits, so it is found by trying.
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + decimal_digits(len) != len {
        len = rest + decimal_digits(len);
    }
    out.extend_from_slice(format!("{len} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn parse<T>(
    value: &[u8],
    field: &'static str,
    convert: impl FnOnce(i128) -> Option<T>,
) -> Result<Option<T>, HeaderFault> {
    if value.is_empty() {
        return Ok(None);
    }
    number::decimal(value)
        .and_then(convert)
        .map(Some)
        .ok_or(HeaderFault::Number(field))
}

type Record<'a> = (&'a [u8], &'a [u8]);

/// Takes one record off `rest`; `None` at the end, or where only NULs are left.
fn next_record<'a>(rest: &mut &'a [u8]) -> Result<Option<Record<'a>>, HeaderFault> {
    if rest.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let (record, after) = split_record(rest).ok_or(HeaderFault::PaxRecord)?;
    *rest = after;
    Ok(Some(record))
}

fn split_record(data: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = data.iter().position(|&byte| byte == b' ')?;
    let (digits, _) = data.split_at_checked(space)?;
    let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, after) = data.split_at_checked(len)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    Some(((body.get(..equals)?, body.get(equals + 1..)?), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_record(&mut out, key, value);
        out
    }

    #[test]
    fn record_lengths_count_themselves() {
        assert_eq!(record("uid", b"3000000000"), b"18 uid=3000000000\n");
        assert_eq!(record("hdrcharset", b"BINARY"), b"21 hdrcharset=BINARY\n");
        for len in 0..1100 {
            let bytes = record("path", &vec![b'x'; len]);
            assert!(bytes.starts_with(format!("{} path=", bytes.len()).as_bytes()));
        }
    }

    #[test]
    fn a_value_may_hold_newlines_and_equal_signs() {
        let mut data = record("path", b"a\n9 uid=1\nb=c");
        data.extend(record("gid", b"7"));
        let mut overrides = Overrides::default();
        overrides.apply(&data).unwrap();
        assert_eq!(overrides.path.as_deref(), Some(&b"a\n9 uid=1\nb=c"[..]));
        assert_eq!((overrides.uid, overrides.gid), (None, Some(7)));
    }

    #[test]
    fn an_empty_value_takes_an_override_back() {
        let mut overrides = Overrides::default();
        overrides.apply(b"7 uid=5\n").unwrap_err();
        overrides.apply(b"8 uid=5\n").unwrap();
        assert_eq!(overrides.uid, Some(5));
        overrides.apply(b"7 uid=\n").unwrap();
        assert_eq!(overrides.uid, None);
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        for bad in [
            &b"x"[..],
            b"5",
            b"99 path=a\n",
            b"3 a=",
            b"0 a=b\n",
            b"8 path=a\n",
            b"7 path=\n",
            b"-1 a=b\n",
            b"8 size=x\n",
            b"99999999999999999999999 a=b\n",
        ] {
            assert!(Overrides::default().apply(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn zeros_after_the_records_are_padding() {
        let mut overrides = Overrides::default();
        overrides.apply(b"8 uid=5\n\0\0\0").unwrap();
        assert_eq!(overrides.uid, Some(5));
    }
}
