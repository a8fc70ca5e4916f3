//! How much of a run's work is done, as its events tell.
//!
//! **Backup.** What takes time is reading, compressing and sending what has changed; paths that have not
//! changed go by quickly. So bytes are those of files that look changed by their inodes, which a count
//! beside the run finds out in advance, and each path weighs a little besides. What was read and is still on its
//! way to the store is not done: its share of what was read is taken off, so that a slow line is felt all
//! the time and not at the end alone.
//!
//! **Restore and verify.** Volumes are gone through to check and to use them; the engine counts both.

use redup_engine::{Count, Event, SourceSize};
use redup_format::index::PathIndex;

use crate::ui::{Amount, escape};

/// What it takes to store a path besides its bytes: opening it, its headers, its signature.
const STORE_PATH: u64 = 4096;

/// What it takes to see that a path has not changed.
const SEE_PATH: u64 = 512;

/// The bytes whose signature, which is read and compared with nothing, takes as long as reading one.
const SEEN_BYTES: u64 = 512;

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
struct Source {
    made: Count,
    stored: Count,
    gathered: u64,
    /// Of the files that were stored.
    read: u64,
    /// The same when the path at hand began.
    read_before: u64,
    /// Paths that are done with.
    done: Weight,
    /// What there is, as far as it was counted.
    counted: Weight,
    /// Whether that is all.
    counted_all: bool,
    /// What was read although it did not look changed.
    surplus: Weight,
}

/// What is shown of work, and what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    bytes: u64,
    work: u64,
}

impl Weight {
    fn of(size: SourceSize) -> Self {
        match size.expected {
            true => Self {
                bytes: size.len,
                work: STORE_PATH + size.len,
            },
            false => Self {
                bytes: 0,
                work: SEE_PATH + size.len / SEEN_BYTES,
            },
        }
    }

    fn both(bytes: u64) -> Self {
        Self { bytes, work: bytes }
    }

    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.work = self.work.saturating_add(other.work);
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
                self.source = Source {
                    made: (*made).clone(),
                    stored: (*stored).clone(),
                    gathered: *gathered,
                    ..Source::default()
                };
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

impl Source {
    /// A path is done with.
    fn path(&mut self, size: SourceSize) {
        let read = self.read - self.read_before;
        self.read_before = self.read;
        self.done.add(Weight::of(size));
        if !size.expected {
            let surplus = Weight::both(read);
            self.done.add(surplus);
            self.surplus.add(surplus);
        }
    }

    /// What there was is known now.
    fn ends(&mut self) {
        self.counted = self.done;
        self.surplus = Weight::default();
        self.counted_all = true;
        // Nothing more comes: all of it waits.
        self.gathered = 0;
    }

    fn show(&self, view: &mut View) {
        let mut done = self.done;
        done.add(Weight::both(self.read - self.read_before));
        let waiting = self.waiting();
        let mut all = self.counted;
        all.add(self.surplus);
        let all = Weight {
            bytes: all.bytes.max(done.bytes),
            work: all.work.max(done.work),
        };
        let so_far = done.bytes.saturating_sub(waiting);
        view.work = Some((done.work.saturating_sub(waiting), all.work));
        view.counting = !self.counted_all;
        if all.bytes > 0 {
            view.amount = Amount::Part(so_far, all.bytes);
            view.moved = Some(self.read.saturating_sub(waiting));
        }
    }

    /// The share of what was read that is on its way to the store. What is gathered for the next part waits for
    /// no line: a few bytes of changes in much that is read would seem to wait all the time.
    fn waiting(&self) -> u64 {
        // In this order: what arrives between the two looks does no harm.
        let (made, stored) = (self.made.get(), self.stored.get());
        let waiting = made.saturating_sub(stored.saturating_add(self.gathered));
        part(self.read, waiting, made)
    }
}

/// `whole * part / of`.
fn part(whole: u64, part: u64, of: u64) -> u64 {
    let product = u128::from(whole) * u128::from(part.min(of));
    let part = product.checked_div(of.into()).unwrap_or(0);
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn index(path: &str) -> PathIndex {
        path.split('/').fold(PathIndex::root(), |index, name| {
            index.join(name.as_bytes()).unwrap()
        })
    }

    fn changed(len: u64) -> SourceSize {
        SourceSize {
            len,
            expected: true,
        }
    }

    fn unchanged(len: u64) -> SourceSize {
        SourceSize {
            len,
            expected: false,
        }
    }

    /// A backup that has come to its source.
    struct Run {
        work: Work,
        made: Count,
        stored: Count,
        read: u64,
    }

    impl Run {
        fn new(counted: &[SourceSize]) -> Self {
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

        fn reads(&mut self, bytes: u64) {
            self.read += bytes;
            self.work.hear(&Event::SourceBytes(self.read));
        }

        fn passes(&mut self, path: &str, size: SourceSize) {
            let index = &index(path);
            self.work.hear(&Event::SourcePath { index, size });
        }

        fn amount(&self) -> Amount {
            self.work.view().amount
        }

        fn share(&self) -> f64 {
            let (done, total) = self.work.view().work.unwrap();
            done as f64 / total as f64
        }
    }

    #[test]
    fn a_full_backup_is_as_far_as_it_has_read() {
        let mut run = Run::new(&[changed(6 * MB), changed(2 * MB)]);
        run.work.counted_all();
        assert_eq!(run.work.view().moved, Some(0));
        run.reads(3 * MB);
        assert_eq!(run.amount(), Amount::Part(3 * MB, 8 * MB));
        assert!((0.37..0.38).contains(&run.share()));
        run.reads(3 * MB);
        run.passes("a", changed(6 * MB));
        run.reads(2 * MB);
        run.passes("b", changed(2 * MB));
        assert_eq!(run.amount(), Amount::Part(8 * MB, 8 * MB));
        assert_eq!(run.work.view().work, Some((8 * MB + 8192, 8 * MB + 8192)));
        assert_eq!(run.work.view().moved, Some(8 * MB));
        assert_eq!(run.work.view().name, "b");
    }

    #[test]
    fn what_has_not_changed_weighs_next_to_nothing() {
        let mut run = Run::new(&[unchanged(1 << 40), changed(10 * MB), unchanged(0)]);
        run.work.counted_all();
        let hour = run.share();
        run.passes("old", unchanged(1 << 40));
        assert_eq!(run.amount(), Amount::Part(0, 10 * MB));
        assert!(hour.abs() < 1e-9);
        // A terabyte's signatures are gigabytes to read.
        assert!(run.share() > 0.9, "{}", run.share());
        let mut run = Run::new(&[unchanged(100 * MB), changed(10 * MB)]);
        run.work.counted_all();
        run.passes("old", unchanged(100 * MB));
        assert!(run.share() < 0.02, "{}", run.share());
        run.reads(5 * MB);
        assert!((0.5..0.52).contains(&run.share()), "{}", run.share());
    }

    #[test]
    fn an_increment_without_changes_moves_on_by_its_paths() {
        let mut run = Run::new(&[unchanged(0); 4]);
        run.work.counted_all();
        run.passes("a", unchanged(0));
        assert!((run.share() - 0.25).abs() < 1e-9);
        let view = run.work.view();
        assert_eq!((view.amount, view.moved), (Amount::Unknown, None));
        assert_eq!(view.stage, Stage::Looking);
    }

    #[test]
    fn what_looked_changed_and_was_not_read_is_done_all_the_same() {
        let mut run = Run::new(&[changed(MB), changed(MB)]);
        run.work.counted_all();
        run.passes("a", changed(MB));
        assert_eq!(run.amount(), Amount::Part(MB, 2 * MB));
        assert_eq!(run.work.view().moved, Some(0));
    }

    #[test]
    fn what_was_read_without_looking_changed_comes_on_top() {
        let mut run = Run::new(&[unchanged(4 * MB), changed(MB)]);
        run.work.counted_all();
        run.reads(4 * MB);
        assert_eq!(run.amount(), Amount::Part(4 * MB, 4 * MB));
        run.passes("odd", unchanged(4 * MB));
        assert_eq!(run.amount(), Amount::Part(4 * MB, 5 * MB));
        assert!((0.79..0.81).contains(&run.share()), "{}", run.share());
    }

    #[test]
    fn what_is_on_its_way_is_not_done() {
        let mut run = Run::new(&[changed(100 * MB)]);
        run.work.counted_all();
        run.reads(80 * MB);
        // Compressed to half: of forty ten have arrived, and eight are being gathered.
        run.made.add(40 * MB);
        run.stored.add(10 * MB);
        assert_eq!(run.amount(), Amount::Part(36 * MB, 100 * MB));
        assert_eq!(run.work.view().moved, Some(36 * MB));
        run.reads(20 * MB);
        run.passes("a", changed(100 * MB));
        run.work.hear(&Event::SourceEnds);
        run.made.add(10 * MB);
        assert_eq!(run.work.view().phase, "Sending rest");
        assert_eq!(run.amount(), Amount::Part(20 * MB, 100 * MB));
        run.stored.add(40 * MB);
        assert_eq!(run.amount(), Amount::Part(100 * MB, 100 * MB));
        assert!((run.share() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn little_that_is_gathered_while_much_is_read_does_not_wait() {
        let mut run = Run::new(&[changed(1000 * MB)]);
        run.work.counted_all();
        for tenth in 1..=10 {
            run.reads(100 * MB);
            run.made.add(MB / 2);
            assert_eq!(run.amount(), Amount::Part(tenth * 100 * MB, 1000 * MB));
        }
        run.passes("a", changed(1000 * MB));
        run.work.hear(&Event::SourceEnds);
        assert_eq!(run.amount(), Amount::Part(0, 1000 * MB));
    }

    #[test]
    fn until_all_is_counted_it_is_said_that_there_is_more() {
        let mut run = Run::new(&[changed(2 * MB)]);
        run.reads(MB);
        let view = run.work.view();
        assert!(view.counting);
        assert_eq!(view.amount, Amount::Part(MB, 2 * MB));
        // The run is ahead of the count.
        run.reads(4 * MB);
        assert_eq!(run.amount(), Amount::Part(5 * MB, 5 * MB));
        run.work.counted(changed(8 * MB));
        run.work.counted_all();
        assert!(!run.work.view().counting);
        assert_eq!(run.amount(), Amount::Part(5 * MB, 10 * MB));
    }

    #[test]
    fn the_end_of_the_source_is_the_end_of_the_count() {
        let mut run = Run::new(&[changed(2 * MB)]);
        run.reads(MB);
        run.passes("a", changed(MB));
        run.work.hear(&Event::SourceEnds);
        run.work.counted(changed(8 * MB));
        let view = run.work.view();
        assert_eq!((view.amount, view.counting), (Amount::Part(MB, MB), false));
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

    #[test]
    fn parts_of_the_largest_numbers_are_right() {
        assert_eq!(part(u64::MAX, 1, 2), u64::MAX / 2);
        assert_eq!(part(u64::MAX, 3, 2), u64::MAX);
        assert_eq!(part(5, 0, 0), 0);
    }
}
