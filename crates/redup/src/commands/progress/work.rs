//! How much of a run's work is done, as its events tell.
//!
//! **Backup.** What takes time is reading, compressing and sending what has changed; paths that have not
//! changed go by quickly. So bytes are those of files that look changed by their inodes, which a count
//! beside the run finds out in advance, and each path weighs a little besides. What was read and is still on its
//! way to the store is not done: its share of what was read is taken off, so that a slow line is felt all
//! the time and not at the end alone.
//!
//! **Restore and verify.** Volumes are gone through to check and to use them; the engine counts both.

mod source;

use redup_engine::{Count, Event, SourceSize};
use redup_format::index::PathIndex;

use crate::ui::{Amount, escape};
use source::{Source, Weight, part};

/// What is known of a run so far.
#[derive(Debug)]
pub(super) struct Work {
    /// The word for what the command does.
    verb: &'static str,
    stage: Stage,
    source: Source,
    volumes: Volumes,
    errors: u64,
    /// The path or volume at hand: bytes, for it is shown much less often than it changes.
    name: Vec<u8>,
}

/// Where a run is. Each has a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    Preparing,
    Synchronizing,
    Comparing,
    Thawing {
        ready: usize,
        of: usize,
    },
    /// Through the source, where nothing had to be read yet.
    Looking,
    Storing,
    /// All is read, and the rest is on its way.
    Sending,
    /// The volumes are stored; signatures and manifest follow.
    Finishing {
        /// What the store had before.
        stored: u64,
    },
    Reading,
}

impl Stage {
    /// Whether `next` moves at the rate of this one.
    pub(super) fn goes_on_as(self, next: Self) -> bool {
        let same = std::mem::discriminant(&self) == std::mem::discriminant(&next);
        same || (self == Self::Storing && next == Self::Sending)
    }
}

#[derive(Debug, Default)]
struct Volumes {
    bytes: u64,
    steps: u64,
    done: Count,
}

/// A look at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) phase: &'static str,
    pub(super) stage: Stage,
    /// What is done, and what there is to do, of no unit; where that can be said.
    pub(super) work: Option<(u64, u64)>,
    /// What there is to do is still being counted.
    pub(super) counting: bool,
    pub(super) amount: Amount,
    /// Bytes whose rate is shown.
    pub(super) moved: Option<u64>,
    pub(super) errors: u64,
    pub(super) name: String,
}

impl Work {
    pub(super) fn new(verb: &'static str) -> Self {
        Self {
            verb,
            stage: Stage::Connecting,
            source: Source::default(),
            volumes: Volumes::default(),
            errors: 0,
            name: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Status(_) => self.stage = Stage::Preparing,
            Event::SyncStarted => self.stage = Stage::Synchronizing,
            Event::SyncFetch { name } => self.called(name.as_bytes()),
            Event::Comparing => self.stage = Stage::Comparing,
            Event::ThawRequested {
                objects, under_way, ..
            } => {
                let of = objects + under_way;
                self.name.clear();
                self.stage = Stage::Thawing { ready: 0, of };
            }
            Event::Thawing { ready, of } => {
                self.stage = Stage::Thawing {
                    ready: *ready,
                    of: *of,
                };
            }
            Event::SourceBegins {
                made,
                stored,
                gathered,
                ..
            } => {
                self.name.clear();
                self.stage = Stage::Looking;
                self.source = Source::new(made, stored, *gathered);
            }
            Event::Added(index) | Event::Changed(index) => self.at(index),
            Event::SourceBytes(bytes) => {
                self.source.read = *bytes;
                if self.stage == Stage::Looking {
                    self.stage = Stage::Storing;
                }
            }
            Event::SourcePath { index, size } => {
                self.at(index);
                self.source.path(*size);
            }
            Event::SourceEnds => {
                self.name.clear();
                self.source.ends();
                self.stage = Stage::Sending;
            }
            Event::Writing { name } => self.writing(name),
            Event::Reading { bytes, steps, done } => {
                self.name.clear();
                self.stage = Stage::Reading;
                self.volumes = Volumes {
                    bytes: *bytes,
                    steps: *steps,
                    done: (*done).clone(),
                };
            }
            Event::VolumeRead { number, of } if number < of => {
                self.called(format!("volume {} of {of}", number + 1).as_bytes());
            }
            Event::Restoring { index, .. } => self.at(index),
            Event::Unreadable { .. }
            | Event::RestoreFailed { .. }
            | Event::VolumeSkipped { .. } => {
                self.errors += 1;
            }
            _ => {}
        }
    }

    /// A count of the source, made beside the run.
    pub(super) fn counted(&mut self, size: SourceSize) {
        if !self.source.counted_all {
            self.source.counted.add(Weight::of(size));
        }
    }

    /// The count has come to its end.
    pub(super) fn counted_all(&mut self) {
        self.source.counted_all = true;
    }

    /// Bytes of volumes that were gone through, and of how many.
    pub(super) fn volume_bytes(&self) -> (u64, u64) {
        let Volumes { bytes, steps, done } = &self.volumes;
        (part(*bytes, done.get(), *steps), *bytes)
    }

    fn at(&mut self, index: &PathIndex) {
        self.called(index.as_bytes());
    }

    fn called(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    fn writing(&mut self, name: &str) {
        match self.stage {
            Stage::Sending if name.contains(".difftar") => {
                // The end of the name says nothing, and there may be room for no more.
                let volume = name.split('.').find(|part| part.starts_with("vol"));
                self.called(volume.unwrap_or(name).as_bytes());
            }
            Stage::Sending | Stage::Finishing { .. } => {
                self.called(name.as_bytes());
                let stored = self.source.stored.get();
                self.stage = Stage::Finishing { stored };
            }
            _ => {}
        }
    }

    pub(super) fn view(&self) -> View {
        let mut view = View {
            phase: self.phase(),
            stage: self.stage,
            work: None,
            counting: false,
            amount: Amount::Unknown,
            moved: None,
            errors: self.errors,
            name: escape(&self.name),
        };
        match self.stage {
            Stage::Connecting | Stage::Preparing | Stage::Synchronizing | Stage::Comparing => {}
            Stage::Thawing { ready, of } => view.amount = Amount::Objects(ready, of),
            Stage::Looking | Stage::Storing | Stage::Sending => self.source.show(&mut view),
            Stage::Finishing { stored } => {
                let moved = self.source.stored.get().saturating_sub(stored);
                view.amount = Amount::Bytes(moved);
                view.moved = Some(moved);
            }
            Stage::Reading => {
                let (done, total) = self.volume_bytes();
                view.work = Some((self.volumes.done.get(), self.volumes.steps));
                view.amount = Amount::Part(done, total);
                view.moved = Some(done);
            }
        }
        view
    }

    fn phase(&self) -> &'static str {
        match self.stage {
            Stage::Connecting => "Connecting",
            Stage::Preparing => "Preparing",
            Stage::Synchronizing => "Reading metadata",
            Stage::Comparing => "Comparing",
            Stage::Thawing { .. } => "Thawing",
            Stage::Looking | Stage::Storing | Stage::Reading => self.verb,
            Stage::Sending => "Sending rest",
            Stage::Finishing { .. } => "Finishing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const MB: u64 = 1 << 20;

    fn index(path: &str) -> PathIndex {
        path.split('/').fold(PathIndex::root(), |index, name| {
            index.join(name.as_bytes()).unwrap()
        })
    }

    pub(super) fn changed(len: u64) -> SourceSize {
        SourceSize {
            len,
            expected: true,
        }
    }

    pub(super) fn unchanged(len: u64) -> SourceSize {
        SourceSize {
            len,
            expected: false,
        }
    }

    /// A backup that has come to its source.
    pub(super) struct Run {
        pub(super) work: Work,
        pub(super) made: Count,
        pub(super) stored: Count,
        read: u64,
    }

    impl Run {
        pub(super) fn new(counted: &[SourceSize]) -> Self {
            let (made, stored) = (Count::default(), Count::default());
            let mut work = Work::new("Backing up");
            work.hear(&Event::SourceBegins {
                since: None,
                made: &made,
                stored: &stored,
                gathered: 8 * MB,
            });
            counted.iter().for_each(|size| work.counted(*size));
            Self {
                work,
                made,
                stored,
                read: 0,
            }
        }

        pub(super) fn reads(&mut self, bytes: u64) {
            self.read += bytes;
            self.work.hear(&Event::SourceBytes(self.read));
        }

        pub(super) fn passes(&mut self, path: &str, size: SourceSize) {
            let index = &index(path);
            self.work.hear(&Event::SourcePath { index, size });
        }

        pub(super) fn amount(&self) -> Amount {
            self.work.view().amount
        }

        pub(super) fn share(&self) -> f64 {
            let (done, total) = self.work.view().work.unwrap();
            done as f64 / total as f64
        }
    }

    #[test]
    fn a_backup_goes_through_its_phases() {
        let mut run = Run::new(&[]);
        let mut phases = Vec::new();
        let nothing = redup_format::collections::Collection::default();
        let events = [
            Event::Status(&nothing),
            Event::SyncStarted,
            Event::Comparing,
            Event::ThawRequested {
                objects: 2,
                under_way: 1,
                bytes: 9,
                classes: "GLACIER",
            },
            Event::Thawing { ready: 1, of: 3 },
            Event::SourceBegins {
                since: None,
                made: &run.made,
                stored: &run.stored,
                gathered: 0,
            },
            Event::SourceBytes(0),
            Event::Writing {
                name: "duplicity-full.vol1.difftar.gpg",
            },
            Event::SourceEnds,
            Event::Writing {
                name: "duplicity-full.vol2.difftar.gpg",
            },
            Event::Writing {
                name: "duplicity-full-signatures.sigtar.gpg",
            },
        ];
        for event in &events {
            run.work.hear(event);
            let view = run.work.view();
            phases.push((view.phase, view.amount, view.name));
        }
        expect_test::expect![[r#"
            [
                (
                    "Preparing",
                    Unknown,
                    "",
                ),
                (
                    "Reading metadata",
                    Unknown,
                    "",
                ),
                (
                    "Comparing",
                    Unknown,
                    "",
                ),
                (
                    "Thawing",
                    Objects(
                        0,
                        3,
                    ),
                    "",
                ),
                (
                    "Thawing",
                    Objects(
                        1,
                        3,
                    ),
                    "",
                ),
                (
                    "Backing up",
                    Unknown,
                    "",
                ),
                (
                    "Backing up",
                    Unknown,
                    "",
                ),
                (
                    "Backing up",
                    Unknown,
                    "",
                ),
                (
                    "Sending rest",
                    Unknown,
                    "",
                ),
                (
                    "Sending rest",
                    Unknown,
                    "vol2",
                ),
                (
                    "Finishing",
                    Bytes(
                        0,
                    ),
                    "duplicity-full-signatures.sigtar.gpg",
                ),
            ]
        "#]]
        .assert_debug_eq(&phases);
    }

    #[test]
    fn signatures_are_told_by_what_is_stored_of_them() {
        let mut run = Run::new(&[]);
        run.stored.add(50);
        run.work.hear(&Event::SourceEnds);
        run.work.hear(&Event::Writing {
            name: "duplicity-full-signatures.sigtar.gpg",
        });
        run.stored.add(7);
        let view = run.work.view();
        assert_eq!((view.amount, view.moved), (Amount::Bytes(7), Some(7)));
    }

    #[test]
    fn a_restore_is_as_far_as_its_volumes() {
        let done = Count::default();
        let mut work = Work::new("Restoring");
        work.hear(&Event::Reading {
            bytes: 100,
            steps: 300,
            done: &done,
        });
        done.add(150);
        let view = work.view();
        assert_eq!(view.phase, "Restoring");
        assert_eq!(view.work, Some((150, 300)));
        assert_eq!((view.amount, view.moved), (Amount::Part(50, 100), Some(50)));
        assert_eq!(work.volume_bytes(), (50, 100));
        work.hear(&Event::VolumeRead { number: 1, of: 2 });
        assert_eq!(work.view().name, "volume 2 of 2");
        work.hear(&Event::VolumeRead { number: 2, of: 2 });
        assert_eq!(work.view().name, "volume 2 of 2");
    }

    #[test]
    fn errors_are_counted_and_names_escaped() {
        let mut work = Work::new("Restoring");
        let error = redup_engine::Error::NothingRestored;
        work.hear(&Event::RestoreFailed {
            index: &index("a"),
            error: &error,
        });
        work.hear(&Event::VolumeSkipped { error: &error });
        work.hear(&Event::Added(&index("a\n\u{1b}[2Jb/c")));
        let view = work.view();
        assert_eq!(view.errors, 2);
        assert_eq!(view.name, "a\\n\\x1b[2Jb/c");
    }
}
