//! `list-current-files`.

use redup_engine::{ListOptions, SigHead};
use redup_format::time::Timestamp;

use super::Session;
use crate::exit::{Code, Failure};
use crate::ui::{Level, Message, Ui, path_bytes, path_text, quote_word, type_word};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = ListOptions {
        time: session.restore_time()?,
    };
    let target = session.target()?;
    redup_engine::list(&target, &options, &session.narrator(), |head| {
        session.ui.say(&line(head, &session.ui));
    })?;
    Ok(Code::SUCCESS)
}

/// `Mon Nov 23 16:26:06 2026 path`.
fn line(head: &SigHead, ui: &Ui) -> Message {
    let mtime = head.attributes.mtime;
    let time = Timestamp::from_secs(mtime);
    let word = type_word(&head.attributes.file_type);
    let extra = format!("{time} {} {word}", quote_word(path_bytes(&head.index)));
    let text = format!("{} {}", ui.time(mtime), path_text(&head.index));
    Message::new(Level::INFO, text)
        .code(10)
        .extra(extra)
        .forced()
}
