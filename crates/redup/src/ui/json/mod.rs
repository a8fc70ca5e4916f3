//! Results for programs, in the forms that docs/json.md describes.
//!
//! A result that is small is one object on one line. One with a record for each path is JSON Lines: a first line that
//! says what it is, a line a record, and a last line by which a reader knows that it has them all.
//!
//! Fields are always there; what is not known, or means nothing, is null.

mod audit;
mod paths;
mod removal;
mod state;
mod status;
mod verify;

use std::io;
use std::ops::ControlFlow;

use serde::Serialize;

use super::{Output, Ui};

pub(crate) use audit::{AuditEnd, Wrong};
pub(crate) use paths::{
    DiffBegin, DiffEnd, Difference, FindBegin, FindEnd, ListEnd, Listed, PathFound, PointInTime,
};

pub(crate) use removal::{CleanupPlan, RemovalPlan, deletion, restore_plan};
pub(crate) use status::{ChangesEnd, FileChanged, Nothing, status};
pub(crate) use verify::{Differs, Failed, VerifyEnd};

/// Writes a result line by line. Nothing is written before there is something to say: a run that fails at once leaves
/// nothing.
pub(crate) struct JsonLines<'a> {
    output: Output<'a>,
    schema: &'static str,
    target: String,
    begun: bool,
}

#[derive(Serialize)]
struct First<'a, T> {
    record: &'static str,
    schema: &'static str,
    target: &'a str,
    #[serde(flatten)]
    fields: T,
}

#[derive(Serialize)]
struct Record<T> {
    record: &'static str,
    #[serde(flatten)]
    fields: T,
}

#[derive(Serialize)]
struct Last<T> {
    record: &'static str,
    #[serde(flatten)]
    fields: T,
    complete: bool,
}

impl<'a> JsonLines<'a> {
    /// A result of this schema about a target, named as it may be shown.
    pub(crate) fn new(ui: &'a Ui, schema: &'static str, target: String) -> Self {
        Self {
            output: Output::new(ui),
            schema,
            target,
            begun: false,
        }
    }

    /// Writes the first line, if that has not been done.
    pub(crate) fn begin<T: Serialize>(&mut self, fields: impl FnOnce() -> T) -> ControlFlow<()> {
        if std::mem::replace(&mut self.begun, true) {
            return ControlFlow::Continue(());
        }
        let line = line(&First {
            record: "begin",
            schema: self.schema,
            target: &self.target,
            fields: fields(),
        });
        self.output.lines(&line)
    }

    /// Writes a record.
    pub(crate) fn record(
        &mut self,
        record: &'static str,
        fields: impl Serialize,
    ) -> ControlFlow<()> {
        self.output.lines(&line(&Record { record, fields }))
    }

    /// Writes the last line. Not `complete` is what lacks something that could not be read.
    ///
    /// # Errors
    /// With what kept any of the result from being written.
    pub(crate) fn end(mut self, fields: impl Serialize, complete: bool) -> io::Result<()> {
        let last = line(&Last {
            record: "end",
            fields,
            complete,
        });
        // Whether it was written is told by the end.
        let _ = self.output.lines(&last);
        self.output.finish()
    }
}

/// A value on a line of its own. Text, numbers and lists of them cannot fail to become JSON.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
