//! The end of a run that a signal asks for: who is still at work says nothing any more, and nobody waits for a
//! stream that takes nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Message, Ui};

/// How long a last word may take.
const ATTENTION: Duration = Duration::from_millis(200);

impl Ui {
    /// Takes the bar away for good. From here on nothing is said or written but
    /// [last words](Self::say_at_last).
    pub(crate) fn end(self: &Arc<Self>) {
        self.ended.store(true, Ordering::Relaxed);
        self.shortly(|ui| ui.outputs().erase());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Says it, also after the [end](Self::end): then without waiting for long until that can be done.
    pub(crate) fn say_at_last(self: &Arc<Self>, message: &Message) {
        if !self.has_ended() {
            return self.say(message);
        }
        let message = message.clone();
        self.shortly(move |ui| ui.say_as(&message, false, true));
    }

    /// Does something that may wait for a terminal or pipe that takes nothing, or for who waits for one.
    fn shortly(self: &Arc<Self>, deed: impl FnOnce(&Self) + Send + 'static) {
        let (begun, done) = mpsc::channel::<()>();
        let ui = Arc::clone(self);
        let deed = move || {
            deed(&ui);
            drop(begun);
        };
        // Where no thread can be had, there are no words.
        if thread::Builder::new().spawn(deed).is_ok() {
            let _ = done.recv_timeout(ATTENTION);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Level;
    use crate::ui::tests::{Kept, ui_to};

    fn notice(text: &str) -> Message {
        Message::new(Level::NOTICE, text)
    }

    #[test]
    fn after_the_end_there_are_last_words_alone() {
        let kept = Kept::default();
        let ui = Arc::new(ui_to(kept.clone()));
        ui.draw("bar".into());
        ui.end();
        ui.draw("bar".into());
        ui.say(&notice("too late"));
        ui.print("too late");
        ui.write(b"too late").unwrap_err();
        ui.say_at_last(&notice("the last word"));
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "\rbar\x1b[K\r\x1b[Kthe last word\n");
    }

    #[test]
    fn the_end_does_not_wait_for_a_terminal_that_takes_nothing() {
        let kept = Kept::default();
        let ui = Arc::new(ui_to(kept.clone()));
        ui.draw("bar".into());
        let stuck = ui.outputs();
        ui.end();
        ui.say_at_last(&notice("unheard"));
        assert_eq!(*kept.0.lock().unwrap(), b"\rbar\x1b[K");
        drop(stuck);
    }
}
