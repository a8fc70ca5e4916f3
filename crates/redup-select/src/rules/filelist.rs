//! Lists of patterns.

use super::{Action, Separator};

/// The patterns of a list, each with what becomes of the paths.
pub(super) fn lines(
    list: &[u8],
    separator: Separator,
    action: Action,
) -> impl Iterator<Item = (Action, &[u8])> {
    let end = separator.byte();
    list.split(move |&byte| byte == end)
        .map(trimmed)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(move |line| match line {
            [b'+', b' ', rest @ ..] => (Action::Include, unquoted(rest)),
            [b'-', b' ', rest @ ..] => (Action::Exclude, unquoted(rest)),
            _ => (action, unquoted(line)),
        })
}

impl Separator {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Newline => b'\n',
            Self::Nul => 0,
        }
    }
}

/// Without white space around it, that of all languages if the line is text.
fn trimmed(line: &[u8]) -> &[u8] {
    // The separators of files, groups, records and units count as well.
    let is_space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    match str::from_utf8(line) {
        Ok(text) => text.trim_matches(is_space).as_bytes(),
        Err(_) => line.trim_ascii(),
    }
}

fn unquoted(line: &[u8]) -> &[u8] {
    match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &[(Action, &str)]) {
        let found: Vec<_> = lines(list.as_bytes(), Separator::Newline, Action::Exclude)
            .map(|(action, line)| (action, str::from_utf8(line).unwrap()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_is_a_pattern() {
        check(
            "a\n\n  b\t\r\nc",
            &[
                (Action::Exclude, "a"),
                (Action::Exclude, "b"),
                (Action::Exclude, "c"),
            ],
        );
    }

    #[test]
    fn comments_are_dropped_even_behind_spaces() {
        check("# a\n  # b\na # c\n", &[(Action::Exclude, "a # c")]);
    }

    #[test]
    fn a_sign_and_one_space_decide_about_the_line() {
        check(
            "+ a\n-  b\n-\tc\n+d\n",
            &[
                (Action::Include, "a"),
                (Action::Exclude, " b"),
                (Action::Exclude, "-\tc"),
                (Action::Exclude, "+d"),
            ],
        );
    }

    #[test]
    fn one_pair_of_quotes_keeps_white_space() {
        check(
            "' a '\n+ \"b\"\n'c\n''d''\n'\n",
            &[
                (Action::Exclude, " a "),
                (Action::Include, "b"),
                (Action::Exclude, "'c"),
                (Action::Exclude, "'d'"),
                (Action::Exclude, "'"),
            ],
        );
    }

    #[test]
    fn lines_may_end_in_nul() {
        let found: Vec<_> = lines(b"a\nb\0 c\xff \0", Separator::Nul, Action::Include).collect();
        let expected = [(Action::Include, &b"a\nb"[..]), (Action::Include, b"c\xff")];
        assert_eq!(found, expected);
    }
}
