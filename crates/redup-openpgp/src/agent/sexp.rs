//! Canonical S-expressions: `(5:value3:abc)`.

use crate::error::{Error, Result};

/// Lists in lists; a signature needs four.
const MAX_DEPTH: u32 = 16;

/// An atom of octets, or a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sexp<'a> {
    Atom(&'a [u8]),
    List(Vec<Self>),
}

impl<'a> Sexp<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self> {
        let mut rest = data;
        Self::parse_one(&mut rest, 0).ok_or(Error::Agent {
            what: "an answer is no S-expression".into(),
            source: None,
        })
    }

    fn parse_one(rest: &mut &'a [u8], depth: u32) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        if let Some(inside) = rest.strip_prefix(b"(") {
            *rest = inside;
            let mut list = Vec::new();
            loop {
                if let Some(after) = rest.strip_prefix(b")") {
                    *rest = after;
                    return Some(Self::List(list));
                }
                list.push(Self::parse_one(rest, depth + 1)?);
            }
        }
        let colon = rest.iter().take(8).position(|octet| *octet == b':')?;
        let len: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let (atom, after) = rest[colon + 1..].split_at_checked(len)?;
        *rest = after;
        Some(Self::Atom(atom))
    }

    /// The value `x` of the first list `(name x)`, at any depth.
    pub(super) fn value(&self, name: &str) -> Option<&'a [u8]> {
        let Self::List(list) = self else { return None };
        if let [Self::Atom(head), Self::Atom(value)] = list[..]
            && head == name.as_bytes()
        {
            return Some(value);
        }
        list.iter().find_map(|item| item.value(name))
    }
}

/// Writes an expression in which `%` stands for the next of `values`, as in `(enc-val(rsa(a%)))`.
pub(super) fn write(template: &str, values: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut values = values.iter();
    let mut atom = String::new();
    for c in template.chars() {
        if !matches!(c, '(' | ')' | '%') {
            atom.push(c);
            continue;
        }
        if !atom.is_empty() {
            write_atom(&mut out, atom.as_bytes());
            atom.clear();
        }
        match c {
            '%' => write_atom(&mut out, values.next().copied().unwrap_or_default()),
            bracket => out.push(bracket as u8),
        }
    }
    out
}

fn write_atom(out: &mut Vec<u8>, atom: &[u8]) {
    out.extend_from_slice(format!("{}:", atom.len()).as_bytes());
    out.extend_from_slice(atom);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_expressions_read_back() {
        let octets = write("(enc-val(ecdh(s%)(e%)))", &[b"(:", b"x"]);
        assert_eq!(octets, b"(7:enc-val(4:ecdh(1:s2:(:)(1:e1:x)))");
        let sexp = Sexp::parse(&octets).unwrap();
        assert_eq!(sexp.value("s"), Some(&b"(:"[..]));
        assert_eq!(sexp.value("e"), Some(&b"x"[..]));
        assert_eq!(sexp.value("a"), None);
    }

    #[test]
    fn deep_and_broken_expressions_are_refused() {
        for bad in [
            &b"(((((((((((((((((((((("[..],
            b"(5:abc)",
            b"",
            b"(1:a",
            b"99999999999:a",
            b"(-1:a)",
        ] {
            assert!(Sexp::parse(bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(data: Vec<u8>, text in "[(): 0-9a]{0,40}") {
            drop(Sexp::parse(&data));
            drop(Sexp::parse(text.as_bytes()));
        }
    }
}
