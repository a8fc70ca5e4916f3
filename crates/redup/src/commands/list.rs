//! `list-current-files`.

use std::ops::ControlFlow;

use redup_engine::{ListOptions, PathState};
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;

use super::{Points, Session, written};
use crate::args::Opt;
use crate::exit::{Code, Failure};
use crate::program::Program;
use crate::ui::{
    JsonLines, Level, Message, Output, Ui, json, path_bytes, path_text, quote_word, type_word,
};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = ListOptions {
        time: session.restore_time()?,
    };
    let target = session.target()?;
    let (ui, points) = (&session.ui, Points::new(session.narrator()));
    if session.flag(Opt::Json) {
        let mut lines = JsonLines::new(ui, "redup.list.v1", session.shown_target());
        let begin = || json::PointInTime::new(points.last());
        let mut paths = 0;
        redup_engine::list(&target, &options, &points, |index, state| {
            paths += 1;
            lines.begin(begin)?;
            lines.record("path", json::Listed::new(index, state))
        })?;
        let _ = lines.begin(begin);
        written(lines.end(json::ListEnd { paths }, true))?;
    } else {
        // As duplicity, it is messages, which may get lost.
        let messages = session.program == Program::Duplicity;
        let mut output = Output::new(ui);
        let listed = redup_engine::list(&target, &options, &points, |index, state| {
            let line = line(index, state, ui);
            match messages {
                true => ui.say(&line),
                false => return output.message(&line),
            }
            ControlFlow::Continue(())
        });
        // What there is of it is good.
        let end = output.finish();
        listed?;
        written(end)?;
    }
    Ok(Code::SUCCESS)
}

/// `Mon Nov 23 16:26:06 2026 path`.
fn line(index: &PathIndex, state: &PathState, ui: &Ui) -> Message {
    let mtime = state.attributes.mtime;
    let time = Timestamp::from_secs(mtime);
    let word = type_word(&state.attributes.file_type);
    let extra = format!("{time} {} {word}", quote_word(path_bytes(index)));
    let text = format!("{} {}", ui.time(mtime), path_text(index));
    Message::new(Level::INFO, text)
        .code(10)
        .extra(extra)
        .forced()
}
