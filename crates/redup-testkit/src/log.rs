//! duplicity's messages for programs (`--log-fd`, `--log-file`), read back.
//!
//! What a listing or a status says is compared through these: unlike the text for people they say
//! names without loss and are the same in all versions.

use crate::trees::Key;

/// One message: `KEYWORD CODE WORDS`, data lines, text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// `DEBUG`, `INFO`, `NOTICE`, `WARNING` or `ERROR`.
    pub keyword: String,
    /// What kind of message it is.
    pub code: u32,
    /// The rest of the first line.
    pub words: String,
    /// Lines between the first and the text.
    pub data: Vec<String>,
    /// The text for people.
    pub text: Vec<String>,
}

/// One path that `list-current-files` named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The path.
    pub path: Key,
    /// `reg`, `dir`, `sym`, `fifo`, `chr` or `blk`.
    pub kind: String,
    /// Its mtime as `20240101T000000Z`.
    pub mtime: String,
}

/// What `collection-status` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The sets of the newest chain, oldest first: kind, time, number of volumes and whether
    /// encrypted, in the words of the message.
    pub sets: Vec<String>,
    /// Whether that chain has its signatures.
    pub complete: bool,
    /// How many older chains there are.
    pub other_chains: usize,
    /// How many sets belong to no chain.
    pub orphaned_sets: usize,
    /// How many sets have no manifest.
    pub incomplete_sets: usize,
}

/// Splits a log into its messages; lines that fit none are left out.
#[must_use]
pub fn stanzas(log: &str) -> Vec<Stanza> {
    log.split("\n\n").filter_map(stanza).collect()
}

/// The paths of a listing, in path order.
///
/// # Panics
/// When a message of the listing is not what duplicity writes.
#[must_use]
#[track_caller]
pub fn listed(log: &str) -> Vec<Listed> {
    let stanzas = stanzas(log);
    let entries = stanzas
        .iter()
        .filter(|it| it.keyword == "INFO" && it.code == 10);
    let mut listed: Vec<Listed> = entries
        .map(|it| listed_path(&it.words).unwrap_or_else(|| panic!("odd list entry {it:?}")))
        .collect();
    listed.sort();
    listed
}

/// The paths that messages of `code` at info level name, in their order: `4` for what a backup adds, `7` for
/// what a restore writes.
///
/// # Panics
/// When a message of that code names no path.
#[must_use]
#[track_caller]
pub fn paths(log: &str, code: u32) -> Vec<Key> {
    let stanzas = stanzas(log);
    let found = stanzas
        .iter()
        .filter(|it| it.keyword == "INFO" && it.code == code);
    let path = |it: &Stanza| {
        let (start, end) = (it.words.find('\'')?, it.words.rfind('\'')?);
        let path = unquote(it.words.get(start + 1..end)?)?;
        Some(match &path[..] {
            b"." => Key::root(),
            path => Key::from_bytes(path),
        })
    };
    found
        .map(|it| path(it).unwrap_or_else(|| panic!("no path in {it:?}")))
        .collect()
}

/// The newest chain and what else a status counted.
///
/// # Panics
/// When the log has no status.
#[must_use]
#[track_caller]
pub fn status(log: &str) -> Status {
    let stanzas = stanzas(log);
    let found = stanzas
        .iter()
        .rfind(|it| it.keyword == "INFO" && it.code == 3);
    let Some(found) = found else {
        panic!("the log has no status:\n{log}")
    };
    let mut status = Status {
        sets: Vec::new(),
        complete: false,
        other_chains: 0,
        orphaned_sets: 0,
        incomplete_sets: 0,
    };
    let number = |line: &str| line.rsplit(' ').next().and_then(|word| word.parse().ok());
    let mut chains = 0;
    for line in &found.data {
        if let Some(set) = line.strip_prefix(' ') {
            status.sets.push(set.to_owned());
        } else if line.starts_with("chain-") {
            chains += 1;
            status.sets.clear();
            status.complete = line == "chain-complete";
        } else if line.starts_with("orphaned-sets-num") {
            status.orphaned_sets = number(line).unwrap_or_default();
        } else if line.starts_with("incomplete-sets-num") {
            status.incomplete_sets = number(line).unwrap_or_default();
        }
    }
    status.other_chains = usize::max(chains, 1) - 1;
    status
}

fn stanza(block: &str) -> Option<Stanza> {
    let mut lines = block.trim_start_matches('\n').lines();
    let mut first = lines.next()?.splitn(3, ' ');
    let keyword = first.next()?.to_owned();
    let code = first.next()?.trim().parse().ok()?;
    let words = first.next().unwrap_or_default().to_owned();
    let (text, data): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with('.'));
    let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect();
    Some(Stanza {
        keyword,
        code,
        words,
        data: owned(data),
        text: owned(text),
    })
}

fn listed_path(words: &str) -> Option<Listed> {
    let (mtime, rest) = words.split_once(' ')?;
    let (quoted, kind) = rest.rsplit_once(' ')?;
    let path = unquote(quoted.strip_prefix('\'')?.strip_suffix('\'')?)?;
    let path = if path == b"." {
        Key::root()
    } else {
        Key::from_bytes(&path)
    };
    Some(Listed {
        path,
        kind: kind.to_owned(),
        mtime: mtime.to_owned(),
    })
}

/// Undoes Python's unicode escapes; what stands for a byte that is no UTF-8 becomes that byte.
fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(first) = rest.next() {
        if first != '\\' {
            bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let digits = match rest.next()? {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            short => {
                bytes.push(match short {
                    'n' => b'\n',
                    't' => b'\t',
                    'r' => b'\r',
                    '\\' => b'\\',
                    _ => return None,
                });
                continue;
            }
        };
        let hex: String = rest.by_ref().take(digits).collect();
        let point = u32::from_str_radix(&hex, 16).ok()?;
        match point {
            0xdc80..=0xdcff => bytes.push((point & 0xff) as u8),
            point => {
                let decoded = char::from_u32(point)?;
                bytes.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_bytes() {
        let line = r"a\x27b\\ \n\xfc\u20ac\udcff";
        let bytes = [b"a'b\\ \n".as_slice(), "ü€".as_bytes(), b"\xff"].concat();
        assert_eq!(unquote(line), Some(bytes));
    }

    #[test]
    fn a_status_names_the_sets_of_the_newest_chain() {
        let log = "INFO 3 \nbackend B\nchain-no-sig 0\n full A 1 noenc\nchain-complete\n full B 1 \
                   enc\n inc C 2 enc\norphaned-sets-num 1\nincomplete-sets-num 0\n. text\n\n";
        let status = status(log);
        assert_eq!(status.sets, ["full B 1 enc", "inc C 2 enc"]);
        assert!(status.complete);
        assert_eq!((status.other_chains, status.orphaned_sets), (1, 1));
    }
}
