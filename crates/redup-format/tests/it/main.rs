//! The crate from outside: vectors and archives made by duplicity, properties, hostile listings.

mod collections;
mod listing;
mod manifests;
mod names;
mod retention;

use std::path::PathBuf;

/// The golden archives and vectors.
fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// The values of a file of JSON lines below the fixtures.
#[track_caller]
fn json_lines(path: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(fixtures().join(path)).expect("a fixture");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}
