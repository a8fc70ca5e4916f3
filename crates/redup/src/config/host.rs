//! This machine's names, as manifests record and compare them.

/// The plain host name, and the other names that older manifests may hold for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// What the system calls itself; written into manifests.
    pub(crate) name: String,
    /// Fully qualified names.
    pub(crate) aliases: Vec<String>,
}

impl Host {
    /// Asks the system, and the hosts file for the qualified name. No name server is asked.
    pub(crate) fn read() -> Self {
        let name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let hosts = std::fs::read("/etc/hosts").unwrap_or_default();
        let aliases = qualified(&String::from_utf8_lossy(&hosts), &name);
        Self { name, aliases }
    }
}

/// The names with a dot that stand in one line with `name`.
fn qualified(hosts: &str, name: &str) -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<_> = line.split_whitespace().skip(1).collect();
        if names.contains(&name) {
            found.extend(
                names
                    .iter()
                    .filter(|other| other.contains('.') && **other != name),
            );
        }
    }
    found.into_iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qualified_name_stands_beside_the_plain_one() {
        let hosts = "127.0.0.1 localhost\n# 1.2.3.4 no.example box\n10.0.0.2\tbox.example.org box alias # me\n";
        assert_eq!(qualified(hosts, "box"), ["box.example.org"]);
        assert!(qualified(hosts, "other").is_empty());
        assert!(qualified("", "box").is_empty());
    }
}
