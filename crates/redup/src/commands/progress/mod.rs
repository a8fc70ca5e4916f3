//! Showing how far a run is: a bar on a terminal, lines elsewhere when they are asked for.

mod bar;
#[cfg(test)]
mod film;
mod lines;
mod tracker;
mod work;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redup_engine::{BackupOptions, BackupReport, Event, Monitor, Result, Target};

use super::Session;
use crate::args::Opt;
use crate::program::Program;
use crate::ui::{Level, Narrator};
use tracker::Tracker;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Nothing,
    Bar,
    Lines,
}

/// What decides it.
#[derive(Clone, Copy, Debug)]
struct Circumstances {
    program: Program,
    /// Whether it was asked for, or asked not to.
    wanted: Option<bool>,
    /// Messages go to a terminal that can be redrawn.
    terminal: bool,
    verbosity: u8,
    /// A program reads along.
    logged: bool,
}

impl Circumstances {
    fn style(self) -> Style {
        // Whoever wants more messages sees from them how far it is; whoever wants fewer, nothing.
        let usual = (Level::NOTICE.0..Level::INFO.0).contains(&self.verbosity);
        let visible = self.verbosity >= Level::NOTICE.0;
        match self.wanted {
            Some(false) => Style::Nothing,
            // A program that asks for it expects the lines.
            Some(true) if self.program == Program::Duplicity || self.logged => Style::Lines,
            Some(true) if self.terminal && visible => Style::Bar,
            Some(true) => Style::Lines,
            None if self.program == Program::Redup && self.terminal && usual => Style::Bar,
            None => Style::Nothing,
        }
    }
}

impl Session {
    fn style(&self) -> Style {
        let options = &self.args.options;
        let logged = [Opt::LogFd, Opt::LogFile];
        let circumstances = Circumstances {
            program: self.program,
            wanted: options.state(Opt::Progress),
            terminal: self.ui.stdout_is_terminal()
                && !self.ui.is_result_only()
                && self.environment.can_redraw(),
            verbosity: self.ui.verbosity(),
            logged: logged
                .iter()
                .any(|option| options.all(*option).next().is_some()),
        };
        circumstances.style()
    }

    fn rate(&self) -> Option<Duration> {
        let rate = self.args.options.number(Opt::ProgressRate)?;
        u64::try_from(rate).ok().map(Duration::from_secs)
    }
}

/// Makes a backup, and shows how far it is.
pub(super) fn backup(
    session: &Session,
    target: &Target,
    options: &BackupOptions,
) -> Result<BackupReport> {
    let (source, narrator) = (session.local(), session.narrator());
    match session.style() {
        Style::Bar => {
            let tracker = Tracker::new(&narrator, "Backing up");
            let count = || tracker.measure(source, options);
            bar::watched(&session.ui, session.rate(), &tracker, count, || {
                redup_engine::backup(target, source, options, &tracker)
            })
        }
        Style::Lines if !options.dry_run => backup_in_lines(session, target, source, options),
        _ => redup_engine::backup(target, source, options, &narrator),
    }
}

/// What there is to read is counted first, by a run that only looks.
fn backup_in_lines(
    session: &Session,
    target: &Target,
    source: &Path,
    options: &BackupOptions,
) -> Result<BackupReport> {
    let narrator = session.narrator();
    let bytes = AtomicU64::new(0);
    let counter = |next| Counter {
        bytes: &bytes,
        next,
    };
    let estimate = BackupOptions {
        dry_run: true,
        ..options.clone()
    };
    redup_engine::backup(target, source, &estimate, &counter(None))?;
    let total = bytes.swap(0, Ordering::Relaxed);
    let so_far = || (bytes.load(Ordering::Relaxed), total);
    lines::watched(&session.ui, session.rate(), so_far, || {
        redup_engine::backup(target, source, options, &counter(Some(&narrator)))
    })
}

/// Runs what reads volumes, and shows how far it is: `phase` is the word for it.
pub(super) fn reading<T>(
    session: &Session,
    phase: &'static str,
    work: impl FnOnce(&dyn Monitor) -> Result<T>,
) -> Result<T> {
    let narrator = session.narrator();
    let tracker = Tracker::new(&narrator, phase);
    let (ui, rate) = (&session.ui, session.rate());
    match session.style() {
        Style::Bar => bar::watched(ui, rate, &tracker, || {}, || work(&tracker)),
        // duplicity has no lines for these.
        Style::Lines if session.program == Program::Redup && !session.flag(Opt::DryRun) => {
            lines::watched(ui, rate, || tracker.volume_bytes(), || work(&tracker))
        }
        _ => work(&narrator),
    }
}

/// Counts the bytes that are read of the source, and passes on what it hears.
struct Counter<'a> {
    bytes: &'a AtomicU64,
    /// Nobody, in the run that only counts.
    next: Option<&'a Narrator>,
}

impl Monitor for Counter<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::SourceBytes(bytes) = event {
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        if let Some(next) = self.next {
            next.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_A_TERMINAL: Circumstances = Circumstances {
        program: Program::Redup,
        wanted: None,
        terminal: true,
        verbosity: 3,
        logged: false,
    };

    #[test]
    fn a_terminal_gets_a_bar_unless_more_or_less_is_to_be_said() {
        let style = |verbosity, wanted| {
            Circumstances {
                verbosity,
                wanted,
                ..AT_A_TERMINAL
            }
            .style()
        };
        assert_eq!(
            [0, 2, 3, 4, 5, 9].map(|verbosity| style(verbosity, None)),
            [
                Style::Nothing,
                Style::Nothing,
                Style::Bar,
                Style::Bar,
                Style::Nothing,
                Style::Nothing
            ]
        );
        assert_eq!(style(3, Some(false)), Style::Nothing);
        assert_eq!(style(9, Some(true)), Style::Bar);
        // They are not shown either.
        assert_eq!(style(2, Some(true)), Style::Lines);
    }

    #[test]
    fn lines_are_for_pipes_and_programs_and_only_when_asked_for() {
        let pipe = Circumstances {
            terminal: false,
            ..AT_A_TERMINAL
        };
        let logged = Circumstances {
            logged: true,
            ..AT_A_TERMINAL
        };
        let duplicity = Circumstances {
            program: Program::Duplicity,
            ..AT_A_TERMINAL
        };
        for (circumstances, unasked) in [
            (pipe, Style::Nothing),
            (logged, Style::Bar),
            (duplicity, Style::Nothing),
        ] {
            let style = |wanted| {
                Circumstances {
                    wanted,
                    ..circumstances
                }
                .style()
            };
            assert_eq!(style(None), unasked, "{circumstances:?}");
            assert_eq!(style(Some(true)), Style::Lines, "{circumstances:?}");
            assert_eq!(style(Some(false)), Style::Nothing, "{circumstances:?}");
        }
    }
}
