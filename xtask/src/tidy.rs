//! Checks of the source that no compiler makes.

mod arrows;
mod files;
mod links;

use crate::workspace::{self, root};
use crate::{Result, fixtures};

/// Runs all checks and prints every finding.
///
/// # Errors
/// When there is a finding.
pub(crate) fn run() -> Result {
    let metadata = workspace::metadata()?;
    let tracked = workspace::tracked_files()?;
    let mut findings = arrows::check(&metadata.members);
    findings.extend(files::check_crates(&metadata.members));
    findings.extend(files::check_sources(&root(), &tracked));
    findings.extend(files::check_project(&root()));
    findings.extend(links::check(&root(), &tracked));
    if let Err(error) = fixtures::check() {
        findings.push(error.to_string());
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} things to tidy").into()),
    }
}
