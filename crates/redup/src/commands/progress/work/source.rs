//! How much of a source is stored, by what is read of it, what went by, and what was counted beside the run.

use redup_engine::{Count, SourceSize};

use super::View;
use crate::ui::Amount;

/// What it takes to store a path besides its bytes: opening it, its headers, its signature.
const STORE_PATH: u64 = 4096;

/// What it takes to see that a path has not changed.
const SEE_PATH: u64 = 512;

/// The bytes whose signature, which is read and compared with nothing, takes as long as reading one.
const SEEN_BYTES: u64 = 512;

#[derive(Debug, Default)]
pub(super) struct Source {
    made: Count,
    pub(super) stored: Count,
    gathered: u64,
    /// Of the files that were stored.
    pub(super) read: u64,
    /// The same when the path at hand began.
    read_before: u64,
    /// Paths that are done with.
    done: Weight,
    /// What there is, as far as it was counted.
    pub(super) counted: Weight,
    /// Whether that is all.
    pub(super) counted_all: bool,
    /// What was read although it did not look changed.
    surplus: Weight,
}

/// What is shown of work, and what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    bytes: u64,
    work: u64,
}

impl Weight {
    pub(super) fn of(size: SourceSize) -> Self {
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

    pub(super) fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.work = self.work.saturating_add(other.work);
    }
}

impl Source {
    /// One of which nothing is read yet. `gathered` are bytes that wait until a part is full.
    pub(super) fn new(made: &Count, stored: &Count, gathered: u64) -> Self {
        Self {
            made: made.clone(),
            stored: stored.clone(),
            gathered,
            ..Self::default()
        }
    }

    /// A path is done with.
    pub(super) fn path(&mut self, size: SourceSize) {
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
    pub(super) fn ends(&mut self) {
        self.counted = self.done;
        self.surplus = Weight::default();
        self.counted_all = true;
        // Nothing more comes: all of it waits.
        self.gathered = 0;
    }

    pub(super) fn show(&self, view: &mut View) {
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
pub(super) fn part(whole: u64, part: u64, of: u64) -> u64 {
    let product = u128::from(whole) * u128::from(part.min(of));
    let part = product.checked_div(of.into()).unwrap_or(0);
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use redup_engine::Event;

    use super::super::Stage;
    use super::super::tests::{MB, Run, changed, unchanged};
    use super::*;

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
    fn parts_of_the_largest_numbers_are_right() {
        assert_eq!(part(u64::MAX, 1, 2), u64::MAX / 2);
        assert_eq!(part(u64::MAX, 3, 2), u64::MAX);
        assert_eq!(part(5, 0, 0), 0);
    }
}
