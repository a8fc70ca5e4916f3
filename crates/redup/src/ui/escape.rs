//! Names from archives and command lines, made harmless: for terminals, and for the log protocol.

use std::fmt::Write as _;

/// `bytes` as text for a person: UTF-8 as it is, except that control characters, characters that
/// reorder or hide text, and bytes that are not UTF-8 become `\n`, `\x1b`, `\u{202e}`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                _ if letter.is_ascii_control() => {
                    push(&mut text, format_args!("\\x{:02x}", u32::from(letter)));
                }
                _ if letter.is_control() || is_deceptive(letter) => {
                    push(&mut text, format_args!("\\u{{{:x}}}", u32::from(letter)));
                }
                _ => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            push(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    text
}

/// A text of our own that may quote foreign names: each line escaped, line ends kept.
pub(crate) fn escape_lines(text: &str) -> String {
    let lines: Vec<_> = text
        .split('\n')
        .map(|line| escape(line.as_bytes()))
        .collect();
    lines.join("\n")
}

/// `bytes` as one word of a log stanza: in single quotes, with Python's unicode escapes for
/// everything but printable ASCII; bytes that are not UTF-8 as lone surrogates `\udcXX`.
pub(crate) fn quote_word(bytes: &[u8]) -> String {
    let mut word = String::with_capacity(bytes.len() + 2);
    word.push('\'');
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let code = u32::from(letter);
            match letter {
                '\n' => word.push_str("\\n"),
                '\t' => word.push_str("\\t"),
                '\r' => word.push_str("\\r"),
                '\\' => word.push_str("\\\\"),
                '\'' => word.push_str("\\x27"),
                ' '..='~' => word.push(letter),
                _ if code <= 0xff => push(&mut word, format_args!("\\x{code:02x}")),
                _ if code <= 0xffff => push(&mut word, format_args!("\\u{code:04x}")),
                _ => push(&mut word, format_args!("\\U{code:08x}")),
            }
        }
        for byte in chunk.invalid() {
            push(&mut word, format_args!("\\udc{byte:02x}"));
        }
    }
    word.push('\'');
    word
}

/// Marks and overrides that change how the text around them is shown.
fn is_deceptive(letter: char) -> bool {
    matches!(letter,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_left_alone() {
        assert_eq!(
            escape("Grüße aus Ōsaka 😀/a b'c\\d".as_bytes()),
            "Grüße aus Ōsaka 😀/a b'c\\d"
        );
    }

    #[test]
    fn what_could_play_tricks_on_a_terminal_is_escaped() {
        assert_eq!(
            escape(b"a\x1b[31mb\nc\td\r\x7f"),
            "a\\x1b[31mb\\nc\\td\\r\\x7f"
        );
        assert_eq!(
            escape("a\u{202e}b\u{9b}1m".as_bytes()),
            "a\\u{202e}b\\u{9b}1m"
        );
        assert_eq!(escape(b"\xff\xfea"), "\\xff\\xfea");
    }

    #[test]
    fn words_of_the_log_are_quoted_as_python_does() {
        assert_eq!(quote_word(b"a b/c"), "'a b/c'");
        assert_eq!(quote_word("ü€😀".as_bytes()), "'\\xfc\\u20ac\\U0001f600'");
        assert_eq!(
            quote_word(b"it's\\\n\t\x01\xff"),
            "'it\\x27s\\\\\\n\\t\\x01\\udcff'"
        );
    }
}
