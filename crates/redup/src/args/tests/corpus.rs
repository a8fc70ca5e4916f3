//! Command lines from scripts, wrappers and manuals of many years, and what each means.

use expect_test::expect_file;

use super::*;

/// Lines of `corpus.txt`, with what was understood of each in `corpus.golden`.
#[test]
fn command_lines_of_many_years_mean_what_they_meant() {
    let mut golden = String::new();
    let mut count = 0;
    for line in include_str!("corpus.txt").lines() {
        golden.push_str(line);
        golden.push('\n');
        if line.starts_with('#') {
            continue;
        }
        count += 1;
        let meaning = match read(line) {
            Ok(Parsed::Run(args)) => summary(&args),
            Ok(Parsed::Help(topic)) => format!("help {topic:?}"),
            Ok(Parsed::Version) => "version".to_owned(),
            Err(error) => format!("{}: {error}", error.exit_code()),
        };
        for line in meaning.lines() {
            golden.push_str("    ");
            golden.push_str(line);
            golden.push('\n');
        }
    }
    assert!(count >= 150, "{count}");
    expect_file!["corpus.golden"].assert_eq(&golden);
}
