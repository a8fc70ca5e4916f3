//! The bar on the terminal: drawn over itself, and away before anything else is written.

use std::io::Write;

use super::{Outputs, Ui};

/// The bar at the end of what is on the terminal.
#[derive(Debug, Default)]
pub(super) struct DrawnBar {
    /// What is there now.
    line: Option<String>,
    /// How many want it away.
    held: u32,
}

/// Back to the start of the line, which is emptied.
const ERASE: &str = "\r\x1b[K";

impl Outputs {
    /// Takes the bar away, so that something else can be written in its place.
    pub(super) fn erase(&mut self) {
        if self.bar.line.take().is_some() {
            let erased = self.stdout.write_all(ERASE.as_bytes());
            erased.and_then(|()| self.stdout.flush()).ok();
        }
    }
}

impl Ui {
    /// Draws the line of the bar, in the place of the last one. It stays until something else is written.
    pub(crate) fn draw(&self, line: String) {
        let mut outputs = self.outputs();
        if self.has_ended() || outputs.bar.held > 0 || outputs.bar.line.as_ref() == Some(&line) {
            return;
        }
        // Over the old one: emptied first, it would flicker.
        let drawn = write!(outputs.stdout, "\r{line}\x1b[K");
        drawn.and_then(|()| outputs.stdout.flush()).ok();
        outputs.bar.line = Some(line);
    }

    /// Takes the bar away, until it is drawn again.
    pub(crate) fn erase(&self) {
        self.outputs().erase();
    }

    /// Takes the bar away for as long as the result lives: somebody else writes to the terminal.
    pub(crate) fn hold_bar(&self) -> HeldBar<'_> {
        let mut outputs = self.outputs();
        outputs.erase();
        outputs.bar.held += 1;
        HeldBar(self)
    }
}

/// Keeps the bar away.
#[derive(Debug)]
pub(crate) struct HeldBar<'a>(&'a Ui);

impl Drop for HeldBar<'_> {
    fn drop(&mut self) {
        self.0.outputs().bar.held -= 1;
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::ui::UiOptions;
    use crate::ui::tests::Kept;

    /// A terminal, where both streams end up.
    fn terminal() -> (Ui, Kept) {
        let kept = Kept::default();
        let options = UiOptions {
            verbosity: 3,
            timestamps: false,
            zone: TimeZone::UTC,
            logs: Vec::new(),
        };
        let streams = [kept.clone(), kept.clone()].map(Box::new);
        let [stdout, stderr] = streams;
        (Ui::with_streams(options, stdout, stderr), kept)
    }

    fn written(kept: &Kept) -> String {
        let bytes = std::mem::take(&mut *kept.0.lock().unwrap());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_bar_makes_room_for_messages() {
        let (ui, kept) = terminal();
        ui.draw("one".into());
        ui.notice("a notice");
        ui.draw("two".into());
        ui.error("an error");
        ui.info("not shown");
        ui.erase();
        assert_eq!(
            written(&kept),
            "\rone\x1b[K\r\x1b[Ka notice\n\rtwo\x1b[K\r\x1b[Kan error\n"
        );
    }

    #[test]
    fn what_has_not_changed_is_not_drawn_again() {
        let (ui, kept) = terminal();
        ui.draw("one".into());
        ui.info("not shown");
        ui.draw("one".into());
        assert_eq!(written(&kept), "\rone\x1b[K");
        ui.print("text");
        ui.draw("one".into());
        assert_eq!(written(&kept), "\r\x1b[Ktext\rone\x1b[K");
    }

    #[test]
    fn nothing_is_drawn_while_somebody_else_writes() {
        let (ui, kept) = terminal();
        ui.draw("one".into());
        let (first, second) = (ui.hold_bar(), ui.hold_bar());
        drop(first);
        ui.draw("two".into());
        assert_eq!(written(&kept), "\rone\x1b[K\r\x1b[K");
        drop(second);
        ui.draw("two".into());
        assert_eq!(written(&kept), "\rtwo\x1b[K");
    }
}
