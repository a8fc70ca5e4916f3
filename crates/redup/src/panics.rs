//! A panic is a fault of redup: said plainly, with what a report needs, and a status of its own kind.

use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use crate::exit::{Code, Failure};
use crate::passphrase::restore_echo;
use crate::ui::Ui;

/// Reports panics of any thread through `ui` from now on.
pub(crate) fn install(ui: Arc<Ui>) {
    panic::set_hook(Box::new(move |info| {
        restore_echo();
        ui.say(&failure(info).message("redup"));
    }));
}

/// The exit status of a run that ended in a panic.
pub(crate) const CODE: Code = Code::EXCEPTION;

fn failure(info: &PanicHookInfo<'_>) -> Failure {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("unknown reason");
    let place = info
        .location()
        .map(|place| format!(" ({}:{})", place.file(), place.line()));
    Failure::new(
        CODE,
        format!("internal error: {what}{}", place.unwrap_or_default()),
    )
    .extra("AssertionError")
    .hint("this is a fault of redup; please report it with the command line and this message")
}
