//! Paths and patterns as characters.

use std::cell::OnceCell;

use redup_format::index::PathIndex;

/// A character, or a byte that is part of none. The latter are the lone surrogates, which no text has.
pub(super) type Unit = u32;

/// Where bytes that are no UTF-8 begin among the units.
const STRAY_BYTES: Unit = 0xDC00;

/// The same in text, which cannot hold surrogates: code points for private use.
const STRAY_CHARS: u32 = 0xF_FF00;

/// The path of an entry as the rules see it, in the forms they ask for.
#[derive(Debug)]
pub(super) struct PathText {
    bytes: Vec<u8>,
    units: OnceCell<Vec<Unit>>,
    folded: OnceCell<Vec<Unit>>,
    text: OnceCell<String>,
}

impl PathText {
    /// The path of `index` below the source, or in an archive.
    pub(super) fn new(source: Option<&[u8]>, index: &PathIndex) -> Self {
        Self::from_bytes(match source {
            None => index.as_bytes().to_vec(),
            Some(b"/") => [b"/", index.as_bytes()].concat(),
            Some(source) => [source, b"/", index.as_bytes()].concat(),
        })
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            units: OnceCell::new(),
            folded: OnceCell::new(),
            text: OnceCell::new(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn units(&self) -> &[Unit] {
        self.units.get_or_init(|| units(&self.bytes))
    }

    /// The units, case-folded.
    pub(super) fn folded(&self) -> &[Unit] {
        self.folded.get_or_init(|| fold(self.units()))
    }

    pub(super) fn text(&self) -> &str {
        self.text.get_or_init(|| text(&self.bytes))
    }
}

/// Bytes as characters; what is no UTF-8 is a unit a byte.
pub(super) fn units(bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().chars().map(Unit::from));
        let stray = chunk.invalid().iter();
        units.extend(stray.map(|&byte| STRAY_BYTES + Unit::from(byte)));
    }
    units
}

/// The bytes that [`units`] was given.
pub(super) fn to_bytes(units: &[Unit]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for &unit in units {
        match char::from_u32(unit) {
            Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            // Of the others the last eight bits are the byte.
            None => bytes.extend(unit.to_le_bytes().first()),
        }
    }
    bytes
}

/// Full case folding: `STRASSE` and `straße` become the same.
pub(super) fn fold(units: &[Unit]) -> Vec<Unit> {
    let mut folded = Vec::with_capacity(units.len());
    for &unit in units {
        match char::from_u32(unit) {
            None => folded.push(unit),
            Some(c) => folded.extend(fold_char(c).map(Unit::from)),
        }
    }
    folded
}

/// One character without its case, where that is one character.
pub(super) fn fold_one(unit: Unit) -> Unit {
    let Some(c) = char::from_u32(unit) else {
        return unit;
    };
    let lower = c.to_lowercase().next().unwrap_or(c);
    let mut upper = lower.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper.to_lowercase().next().unwrap_or(lower).into(),
        _ => lower.into(),
    }
}

/// The upper case of a character, where that is one character.
pub(super) fn upper_one(unit: Unit) -> Unit {
    let Some(c) = char::from_u32(unit) else {
        return unit;
    };
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper.into(),
        _ => unit,
    }
}

/// The lower case of the upper case tells the same characters apart as the standard's folding table does, but for
/// the dotless i, whose upper case has lost the difference.
fn fold_char(c: char) -> impl Iterator<Item = char> {
    let dotless = (c == 'ı').then_some(c);
    let others = (c != 'ı').then_some(c).into_iter();
    let folded = others
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    dotless.into_iter().chain(folded)
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let stray = chunk.invalid().iter();
        text.extend(stray.filter_map(|&byte| char::from_u32(STRAY_CHARS + u32::from(byte))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_full() {
        let same = |a: &str, b: &str| fold(&units(a.as_bytes())) == fold(&units(b.as_bytes()));
        assert!(same("STRASSE", "straße"));
        assert!(same("STRAẞE", "strasse"));
        assert!(same("\u{212a}", "k"));
        assert!(same("ΣΑΣ", "σας"));
        assert!(!same("ı", "i"));
        assert!(same("ﬃ", "FFI"));
    }

    #[test]
    fn a_stray_byte_is_a_unit_of_its_own() {
        assert_eq!(units(b"a\xc3\xa9\xff").len(), 3);
        assert_eq!(to_bytes(&units(b"a\xc3\xa9\xff\xc3")), b"a\xc3\xa9\xff\xc3");
        assert_ne!(units(b"\xff"), units(b"\xfe"));
        assert_ne!(text(b"\xff"), text(b"\xfe"));
        assert_eq!(text(b"\xe2\x82").chars().count(), 2);
    }
}
