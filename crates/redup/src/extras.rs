//! Commands that duplicity has not, and that look at no backup: `install-compat` and `reference`.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::args::FORMS;
use crate::exit::{Code, Failure, command_line};

/// Does what such a command says and gives the text to print; `None` when `words` are none.
///
/// # Errors
/// With what is wrong with the words, or what could not be made.
pub(crate) fn run(words: &[OsString]) -> Option<Result<String, Failure>> {
    let (first, rest) = words.split_first()?;
    match (first.to_str()?, rest) {
        ("install-compat", [dir]) => Some(install(Path::new(dir))),
        ("install-compat", _) => Some(Err(command_line("usage: redup install-compat DIR"))),
        ("reference", [form]) => Some(
            FORMS
                .iter()
                .find(|(name, _)| form == name)
                .map(|(_, make)| make())
                .ok_or_else(reference_usage),
        ),
        ("reference", _) => Some(Err(reference_usage())),
        _ => None,
    }
}

fn reference_usage() -> Failure {
    let forms: Vec<_> = FORMS.iter().map(|(name, _)| *name).collect();
    command_line(format!("usage: redup reference {}", forms.join("|")))
}

/// Puts a link called `duplicity` into `dir`. One that leads elsewhere, or a program of that name, is
/// not touched.
fn install(dir: &Path) -> Result<String, Failure> {
    let failed = |action: &str, path: &Path, error: &std::io::Error| {
        let message = format!("cannot {action} {}", path.display());
        Failure::caused(Code::EXCEPTION, message, error).extra("OSError")
    };
    let program =
        std::env::current_exe().map_err(|error| failed("find", Path::new("redup"), &error))?;
    std::fs::create_dir_all(dir).map_err(|error| failed("make", dir, &error))?;
    let link: PathBuf = dir.join("duplicity");
    if let Ok(existing) = std::fs::symlink_metadata(&link) {
        let ours = existing.is_symlink()
            && std::fs::canonicalize(&link).ok() == std::fs::canonicalize(&program).ok();
        return match ours {
            true => Ok(format!("{} is there already\n", link.display())),
            false => Err(command_line(format!(
                "{} exists and is not redup; remove it first",
                link.display()
            ))),
        };
    }
    symlink(&program, &link).map_err(|error| failed("make", &link, &error))?;
    Ok(format!(
        "{} now leads to {}\n",
        link.display(),
        program.display()
    ))
}
