//! How a source is named.

/// The source as rules and messages name it: no doubled slashes, none at the end, no `.` components. Links and `..`
/// stay as they are. Nothing at all is `.`.
pub fn canonical_source(source: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> = source
        .split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .collect();
    let joined = names.join(&b'/');
    match (source.starts_with(b"/"), joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_source;

    #[test]
    fn a_source_has_one_name_however_it_is_typed() {
        let check = |typed: &str, name: &str| {
            assert_eq!(
                canonical_source(typed.as_bytes()),
                name.as_bytes(),
                "{typed}"
            );
        };
        check("tree", "tree");
        check("./tree//", "tree");
        check("/a//b/./c/", "/a/b/c");
        check("//", "/");
        check("./.", ".");
        check("a/../b", "a/../b");
    }
}
