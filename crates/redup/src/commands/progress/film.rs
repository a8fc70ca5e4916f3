//! What is seen of whole runs, kept as text files in `tests/screens/` to be read as a whole.
//! `UPDATE_EXPECT=1` writes them anew; who changes one looks at it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use expect_test::expect_file;
use redup_engine::{Count, Event, SourceSize};
use redup_format::collections::Collection;
use redup_format::entry::FileType;
use redup_format::index::PathIndex;

use super::bar::Meter;
use super::work::Work;

const MB: u64 = 1 << 20;

/// A run of which one look in so many is kept, at a clock of its own.
struct Film {
    work: Work,
    meter: Meter,
    /// Tenths of a second.
    now: u64,
    columns: usize,
    shown: String,
}

impl Film {
    fn new(verb: &'static str, columns: usize) -> Self {
        Self {
            work: Work::new(verb),
            meter: Meter::new(),
            now: 0,
            columns,
            shown: String::new(),
        }
    }

    fn hear(&mut self, event: &Event<'_>) {
        self.work.hear(event);
    }

    /// Lets time pass, in which `each` happens in every tenth of a second; keeps the last look of every `step`
    /// seconds.
    fn pass(&mut self, seconds: u64, step: u64, mut each: impl FnMut(&mut Work)) {
        for tenth in 1..=seconds * 10 {
            each(&mut self.work);
            self.now += 1;
            let now = Duration::from_millis(self.now * 100);
            let bar = self.meter.look(now, self.work.view());
            if tenth % (step * 10) == 0 {
                let clock = self.now / 10;
                let line = bar.line(self.columns);
                // Writing to a String cannot fail.
                let _ = writeln!(self.shown, "{:>3}:{:02} |{line}", clock / 60, clock % 60);
            }
        }
    }

    fn say(&mut self, text: &str) {
        let _ = writeln!(self.shown, "\n{text}");
    }

    fn is(self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.txt"));
        expect_file![file].assert_eq(&self.shown);
    }
}

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

/// A full backup of 12 GB over a line that is slower than the disk, and slower still for a while.
fn a_backup(film: &mut Film) {
    let files = ["home/me/Music", "home/me/Videos/holidays in the mountains"];
    let (made, stored) = (Count::default(), Count::default());
    film.say("The store is looked at.");
    film.pass(2, 2, |_| {});
    film.hear(&Event::Status(&Collection::default()));
    film.pass(1, 1, |_| {});
    film.hear(&Event::SourceBegins {
        since: None,
        made: &made,
        stored: &stored,
        gathered: 8 * MB,
    });
    film.say(
        "Files of 100 MB are read while they are counted; what can wait on its way is 256 MB.",
    );
    let mut read = 0;
    let mut number = 0;
    let mut file = 0;
    let mut one = |work: &mut Work, line: u64| {
        // Compressed to half; the line takes so many MB a second.
        stored.add((line * MB / 10).min(made.get() - stored.get()));
        while made.get() - stored.get() < 256 * MB && number < 120 {
            read += 10 * MB;
            file += 10 * MB;
            made.add(5 * MB);
            work.hear(&Event::SourceBytes(read));
            let name = format!("{}/file {number}.mp4", files[number / 60]);
            work.hear(&Event::Changed(&index(&name)));
            if file == 100 * MB {
                let index = &index(&name);
                let size = changed(100 * MB);
                work.hear(&Event::SourcePath { index, size });
                number += 1;
                file = 0;
            }
        }
    };
    film.pass(4, 2, |work| {
        (0..2).for_each(|_| work.counted(changed(100 * MB)));
        one(work, 20);
    });
    (0..40).for_each(|_| film.work.counted(changed(100 * MB)));
    film.work.counted_all();
    film.say("All is counted.");
    film.pass(90, 15, |work| one(work, 20));
    film.say("The line becomes slow, then takes nothing for a minute.");
    film.pass(60, 20, |work| one(work, 5));
    film.pass(60, 20, |work| one(work, 0));
    film.say("It is as fast as before.");
    film.pass(176, 44, |work| one(work, 20));
    film.say("All is read.");
    film.hear(&Event::SourceEnds);
    film.hear(&Event::Writing {
        name: "duplicity-full.20231114T221320Z.vol30.difftar.gpg",
    });
    film.pass(10, 5, |_| {
        stored.add((2 * MB).min(made.get() - stored.get()));
    });
    film.say("Signatures follow.");
    film.hear(&Event::Writing {
        name: "duplicity-full-signatures.20231114T221320Z.sigtar.gpg",
    });
    film.pass(4, 2, |_| stored.add(2 * MB));
}

#[test]
fn a_backup_over_a_slow_line() {
    let mut film = Film::new("Backing up", 80);
    a_backup(&mut film);
    film.is("progress-backup");
}

#[test]
fn the_same_in_a_narrow_window() {
    let mut film = Film::new("Backing up", 48);
    a_backup(&mut film);
    film.is("progress-narrow");
}

#[test]
fn an_increment_with_few_changes() {
    let mut film = Film::new("Backing up", 80);
    let (made, stored) = (Count::default(), Count::default());
    film.hear(&Event::SourceBegins {
        since: None,
        made: &made,
        stored: &stored,
        gathered: 8 * MB,
    });
    film.say("A million files of 100 KB, of which one in a thousand has changed, and one of 2 GB.");
    let size = |number: u64| SourceSize {
        len: if number == 600_000 {
            2048 * MB
        } else {
            100_000
        },
        expected: number.is_multiple_of(1000),
    };
    (0..1_000_000).for_each(|number| film.work.counted(size(number)));
    film.work.counted_all();
    let (mut number, mut read, mut of_file) = (0, 0, 0);
    // A tenth of a second is 2000 files that are the same, or 4 MB.
    let mut one = |work: &mut Work| {
        let mut time = 2000_u64;
        while time > 0 && number < 1_000_000 {
            let size = size(number);
            if size.expected && of_file < size.len {
                let piece = (size.len - of_file).min(time * 2000);
                (read, of_file) = (read + piece, of_file + piece);
                time = time.saturating_sub(piece / 2000);
                work.hear(&Event::SourceBytes(read));
                if of_file < size.len {
                    return;
                }
            }
            let index = &index(&format!("srv/mail/{}/{number}", number / 1000));
            work.hear(&Event::SourcePath { index, size });
            (number, of_file, time) = (number + 1, 0, time.saturating_sub(1));
        }
    };
    film.pass(105, 5, &mut one);
    film.is("progress-increment");
}

#[test]
fn a_restore_with_damage() {
    let mut film = Film::new("Restoring", 80);
    film.pass(1, 1, |_| {});
    film.hear(&Event::Status(&Collection::default()));
    film.hear(&Event::SyncStarted);
    film.hear(&Event::SyncFetch {
        name: "duplicity-full.20231114T221320Z.manifest.gpg",
    });
    film.pass(1, 1, |_| {});
    film.say("Volumes are thawed.");
    film.hear(&Event::ThawRequested {
        objects: 10,
        under_way: 2,
        bytes: 1,
        classes: "GLACIER",
    });
    film.pass(120, 60, |_| {});
    film.hear(&Event::Thawing { ready: 7, of: 12 });
    film.pass(60, 60, |_| {});
    let done = Count::default();
    film.hear(&Event::Reading {
        bytes: 2400 * MB,
        steps: 7200 * MB,
        done: &done,
    });
    film.say("They are read.");
    let file_type = &FileType::Regular;
    film.hear(&Event::Restoring {
        index: &index("srv/日本語/mail\u{1b}[2J"),
        file_type,
    });
    film.pass(30, 10, |_| done.add(5 * MB));
    film.say("One is damaged.");
    film.hear(&Event::VolumeSkipped {
        error: &redup_engine::Error::NothingRestored,
    });
    film.hear(&Event::RestoreFailed {
        index: &index("srv/mail"),
        error: &redup_engine::Error::NothingRestored,
    });
    film.pass(100, 20, |_| done.add(5 * MB));
    film.is("progress-restore");
}
