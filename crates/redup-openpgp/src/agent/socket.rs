//! Finding gpg-agent's socket, and starting the agent when nobody listens.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::{Error, Result};

const NAME: &str = "S.gpg-agent";

/// A file of this size or less may be a pointer to the real socket.
const MAX_REDIRECT: u64 = 4096;

/// Connects; `None` when there is no agent and none can be started. `known` remembers where the socket was found.
pub(super) fn connect(
    home: Option<&Path>,
    known: &OnceLock<PathBuf>,
) -> Result<Option<UnixStream>> {
    if let Some(path) = known.get() {
        return Ok(try_connect(path)
            .ok()
            .or_else(|| launch(home).then(|| try_connect(path).ok()).flatten()));
    }
    let candidates = [home.map(|home| home.join(NAME)), ask_gpgconf(home)];
    let candidates: Vec<PathBuf> = candidates.into_iter().flatten().collect();
    for again in [false, true] {
        if again && !launch(home) {
            break;
        }
        for path in &candidates {
            match try_connect(path) {
                Ok(stream) => {
                    // Another thread may have set it, to the same path.
                    drop(known.set(path.clone()));
                    return Ok(Some(stream));
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    return Err(Error::Agent {
                        what: format!("cannot connect to {}", path.display()),
                        source: Some(error),
                    });
                }
            }
        }
    }
    Ok(None)
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, InvalidInput, NotADirectory, NotFound};
    // InvalidInput: the path is too long for a socket, so nobody can listen there.
    matches!(
        error.kind(),
        NotFound | ConnectionRefused | NotADirectory | InvalidInput
    )
}

fn try_connect(path: &Path) -> io::Result<UnixStream> {
    match redirect(path) {
        Some(real) => UnixStream::connect(real),
        None => UnixStream::connect(path),
    }
}

/// Where the socket is a file that says `%Assuan%` and `socket=PATH`: for homes on file systems without sockets.
fn redirect(path: &Path) -> Option<PathBuf> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MAX_REDIRECT {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let target = text
        .strip_prefix("%Assuan%\n")?
        .lines()
        .find_map(|line| line.strip_prefix("socket="))?;
    Some(PathBuf::from(target))
}

fn ask_gpgconf(home: Option<&Path>) -> Option<PathBuf> {
    let output = gpgconf(home)
        .args(["--list-dirs", "agent-socket"])
        .output()
        .ok()?;
    let mut path = output.stdout;
    while path.last() == Some(&b'\n') {
        path.pop();
    }
    (output.status.success() && !path.is_empty()).then(|| OsString::from_vec(path).into())
}

fn launch(home: Option<&Path>) -> bool {
    gpgconf(home)
        .args(["--launch", "gpg-agent"])
        .status()
        .is_ok_and(|status| status.success())
}

fn gpgconf(home: Option<&Path>) -> Command {
    let mut command = Command::new("gpgconf");
    if let Some(home) = home {
        command.arg("--homedir").arg(home);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_without_agent_or_gpgconf_answer_has_no_redirect() {
        assert_eq!(redirect(Path::new("/nonexistent/S.gpg-agent")), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "%Assuan%\nsocket=/run/elsewhere\n").unwrap();
        assert_eq!(redirect(file.path()), Some("/run/elsewhere".into()));
        fs::write(file.path(), "something else").unwrap();
        assert_eq!(redirect(file.path()), None);
    }
}
