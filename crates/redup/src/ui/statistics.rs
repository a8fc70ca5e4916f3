//! The block of figures after a backup.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use redup_engine::Statistics;

use super::format::{duration, pretty_time, size};

/// The block as duplicity prints it, an empty line behind it included. `start` and `end` are seconds
/// since the epoch.
pub(crate) fn statistics(figures: &Statistics, start: f64, end: f64, zone: &TimeZone) -> String {
    let mut block = String::from("--------------[ Backup Statistics ]--------------\n");
    let mut line = |name: &str, text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(block, "{name} {text}");
    };
    let moment = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
        let whole = seconds.floor() as i64;
        format!("{seconds:.2} ({})", pretty_time(whole, zone))
    };
    let count = |number: u64| number.to_string();
    let sized = |bytes: u64| format!("{bytes} ({})", size(bytes));
    line("StartTime", moment(start));
    line("EndTime", moment(end));
    let elapsed = (end - start).max(0.0);
    line(
        "ElapsedTime",
        format!("{elapsed:.2} ({})", duration(elapsed)),
    );
    line("SourceFiles", count(figures.source_files));
    line("SourceFileSize", sized(figures.source_file_size));
    line("NewFiles", count(figures.new_files));
    line("NewFileSize", sized(figures.new_file_size));
    line("DeletedFiles", count(figures.deleted_files));
    line("ChangedFiles", count(figures.changed_files));
    line("ChangedFileSize", sized(figures.changed_file_size));
    line("ChangedDeltaSize", sized(0));
    line("DeltaEntries", count(figures.delta_entries));
    line("RawDeltaSize", sized(figures.raw_delta_size));
    line(
        "TotalDestinationSizeChange",
        sized(figures.total_destination_size_change),
    );
    line("Errors", count(figures.errors));
    block.push_str("-------------------------------------------------\n");
    block
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_block_is_the_one_scripts_know() {
        let figures = Statistics {
            source_files: 6,
            source_file_size: 8209,
            new_files: 6,
            new_file_size: 8209,
            delta_entries: 6,
            raw_delta_size: 12,
            total_destination_size_change: 248,
            ..Statistics::default()
        };
        let block = statistics(&figures, 1_795_450_107.86, 1_795_450_107.87, &TimeZone::UTC);
        expect![[r#"
            --------------[ Backup Statistics ]--------------
            StartTime 1795450107.86 (Mon Nov 23 16:08:27 2026)
            EndTime 1795450107.87 (Mon Nov 23 16:08:27 2026)
            ElapsedTime 0.01 (0.01 seconds)
            SourceFiles 6
            SourceFileSize 8209 (8.02 KB)
            NewFiles 6
            NewFileSize 8209 (8.02 KB)
            DeletedFiles 0
            ChangedFiles 0
            ChangedFileSize 0 (0 bytes)
            ChangedDeltaSize 0 (0 bytes)
            DeltaEntries 6
            RawDeltaSize 12 (12 bytes)
            TotalDestinationSizeChange 248 (248 bytes)
            Errors 0
            -------------------------------------------------
        "#]]
        .assert_eq(&block);
    }
}
