//! Command lines as people and wrappers type them, and what they mean.

mod accepted;
mod corpus;
mod effects;
mod refused;
mod table;

use std::ffi::OsString;
use std::path::Path;

use super::{Args, ArgsError, Parsed, Value, parse};

/// The words of a command line written as in a shell, with `'…'` and `"…"`.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take().map(OsString::from)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(OsString::from));
    words
}

/// Reads a command line in a folder that holds `inc/`, `co/` and `src/`.
fn read(line: &str) -> Result<Parsed, ArgsError> {
    let exists = |path: &Path| {
        ["inc", "co", "src"]
            .iter()
            .any(|name| path == Path::new(name))
    };
    parse(words(line), &exists)
}

#[track_caller]
fn run(line: &str) -> Args {
    match read(line) {
        Ok(Parsed::Run(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

/// One line that says what was understood: the command, its words, the options in order.
fn summary(args: &Args) -> String {
    let mut parts = vec![format!("{:?}", args.command)];
    parts.extend(
        args.positionals
            .iter()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    if args.options.iter().next().is_some() {
        parts.push("|".to_owned());
    }
    parts.extend(args.options.iter().map(|occurrence| {
        let id = occurrence.spec.id;
        match &occurrence.value {
            Value::Flag(true) => format!("{id:?}"),
            Value::Flag(false) => format!("!{id:?}"),
            Value::Text(text) => format!("{id:?}={}", text.to_string_lossy()),
            Value::Number(number) => format!("{id:?}={number}"),
            Value::Pair(from, to) => {
                format!("{id:?}={}>{}", from.to_string_lossy(), to.to_string_lossy())
            }
        }
    }));
    parts.join(" ")
}
