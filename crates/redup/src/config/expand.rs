//! `~` and `$VAR` in file names, as a shell and duplicity expand them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::env::Environment;

/// Expands a leading `~` and every `$NAME` and `${NAME}`. What names no variable stays as it is, and
/// so does `~user`.
pub(crate) fn expand(word: &OsStr, environment: &Environment) -> OsString {
    variables(&home(word.as_bytes(), environment), environment)
}

/// Expands a leading `~` alone: for patterns, where a `$` may be meant.
pub(crate) fn expand_home(word: &OsStr, environment: &Environment) -> OsString {
    OsString::from_vec(home(word.as_bytes(), environment))
}

fn home(word: &[u8], environment: &Environment) -> Vec<u8> {
    let rest = word
        .strip_prefix(b"~")
        .filter(|rest| rest.is_empty() || rest[0] == b'/');
    match (rest, environment.home()) {
        (Some(rest), Some(home)) => {
            let home = home.into_os_string().into_vec();
            let home = home.strip_suffix(b"/").unwrap_or(&home);
            let expanded = [home, rest].concat();
            if expanded.is_empty() {
                b"/".to_vec()
            } else {
                expanded
            }
        }
        _ => word.to_vec(),
    }
}

fn variables(word: &[u8], environment: &Environment) -> OsString {
    let mut expanded = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        expanded.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (name, len) = variable_name(&rest[1..]);
        let value = name.and_then(|name| environment.get(name));
        match value {
            Some(value) => expanded.extend_from_slice(value.as_bytes()),
            None => expanded.extend_from_slice(&rest[..=len]),
        }
        rest = &rest[1 + len..];
    }
    expanded.extend_from_slice(rest);
    OsString::from_vec(expanded)
}

/// The name at the start of `text` (behind a `$`), and how many bytes it and its braces take.
fn variable_name(text: &[u8]) -> (Option<&str>, usize) {
    let utf8 = |bytes| std::str::from_utf8(bytes).ok();
    if let Some(braced) = text.strip_prefix(b"{") {
        return match braced.iter().position(|byte| *byte == b'}') {
            Some(end) => (utf8(&braced[..end]), end + 2),
            None => (None, 0),
        };
    }
    let end = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    (utf8(&text[..end]).filter(|name| !name.is_empty()), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: &str) {
        let environment =
            Environment::from([("HOME", "/home/me/"), ("A", "x"), ("A_1", "y"), ("E", "")]);
        assert_eq!(expand(OsStr::new(word), &environment), expected, "{word}");
    }

    #[test]
    fn home_is_expanded_at_the_start_only() {
        check("~", "/home/me");
        check("~/b", "/home/me/b");
        check("/a/~", "/a/~");
        check("~root/b", "~root/b");
    }

    #[test]
    fn variables_are_expanded_anywhere() {
        check("$A/b", "x/b");
        check("a${A}b", "axb");
        check("$A_1$A", "yx");
        check("[$E]", "[]");
        check("ü$A", "üx");
    }

    #[test]
    fn what_is_no_variable_stays() {
        check("$NONE/${NONE}", "$NONE/${NONE}");
        check("100$", "100$");
        check("$/${A", "$/${A");
        check("$$A", "$x");
    }

    #[test]
    fn without_a_home_the_tilde_stays() {
        assert_eq!(expand(OsStr::new("~/b"), &Environment::default()), "~/b");
    }
}
