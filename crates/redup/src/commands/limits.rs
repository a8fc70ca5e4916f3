//! What the system lets a process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Signatures of each backup set of a chain are open at once; many systems begin with a limit of 1024 files and allow
/// more. Where they do not, the file that cannot be opened is an error.
pub(super) fn allow_many_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        setrlimit(Resource::Nofile, raised).ok();
    }
}
