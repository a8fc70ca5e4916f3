//! The commands, one file each.

use std::sync::Arc;

use crate::args::Args;
use crate::config::Places;
use crate::env::Environment;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Does what `args` say.
///
/// # Errors
/// With what ended the run.
pub(crate) fn run(args: Args, environment: Environment, ui: &Arc<Ui>) -> Result<Code, Failure> {
    for remark in &args.remarks {
        ui.info(remark);
    }
    let places = Places::of(&args, &environment)?;
    Err(Failure::new(
        Code::GENERIC,
        format!("nothing done with {places:?} yet"),
    ))
}
