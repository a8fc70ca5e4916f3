//! Links in Markdown lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// Every relative link of a tracked Markdown file whose target does not exist.
pub(super) fn check(root: &Path, tracked: &[PathBuf]) -> Vec<String> {
    let pages = tracked
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"));
    let mut findings = Vec::new();
    for page in pages {
        let text = fs::read_to_string(root.join(page)).unwrap_or_default();
        let folder = root
            .join(page)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for link in links(&text) {
            if !folder.join(&link).exists() {
                findings.push(format!(
                    "{}: leads to {link}, which is not there",
                    page.display()
                ));
            }
        }
    }
    findings
}

/// The targets of `[text](target)` that are files; without their anchors.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_files_count() {
        let text = "[a](docs/a.md#x) [b](https://x.y) [c](#here)\n```\n[d](nowhere)\n```\n[e](e)";
        assert_eq!(links(text), ["docs/a.md", "e"]);
    }
}
