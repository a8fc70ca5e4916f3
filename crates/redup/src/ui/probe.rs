//! What `probe` found out, as a table and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::escape_lines;
use crate::exit::{Code, Failure};

/// What the JSON is called, with the version of its form: fields may be added, none goes or changes.
const SCHEMA: &str = "redup.probe.v1";

/// One thing that was tried.
#[derive(Debug)]
pub(crate) struct Row {
    check: &'static str,
    status: Status,
    /// Whether a backup or its restore needs it.
    needed: bool,
    took: Option<Duration>,
    detail: String,
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    Skipped,
}

impl Row {
    /// Something that works.
    pub(crate) fn works(check: &'static str, took: Option<Duration>) -> Self {
        Self {
            check,
            status: Status::Ok,
            needed: true,
            took,
            detail: String::new(),
            failure: None,
        }
    }

    /// Something that does not.
    pub(crate) fn failed(check: &'static str, took: Option<Duration>, failure: Failure) -> Self {
        Self {
            status: Status::Failed,
            failure: Some(failure),
            ..Self::works(check, took)
        }
    }

    /// Something that could not be tried, or need not be.
    pub(crate) fn skipped(check: &'static str, why: &str) -> Self {
        Self {
            status: Status::Skipped,
            detail: why.to_owned(),
            ..Self::works(check, None)
        }
    }

    /// Says more about it.
    pub(crate) fn detail(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    /// Backup and restore do without it.
    pub(crate) fn not_needed(mut self) -> Self {
        self.needed = false;
        self
    }

    /// A time with as many digits as matter.
    pub(crate) fn time(time: Duration) -> String {
        match time.as_secs_f64() * 1000.0 {
            millis if millis < 0.1 => "<0.1 ms".to_owned(),
            millis if millis < 10.0 => format!("{millis:.1} ms"),
            millis if millis < 10_000.0 => format!("{millis:.0} ms"),
            millis => format!("{:.1} s", millis / 1000.0),
        }
    }
}

/// All that was tried, in order.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    /// Adds one.
    pub(crate) fn push(&mut self, row: Row) {
        self.0.push(row);
    }

    /// The status to exit with: that of the first failure that matters.
    pub(crate) fn worst(&self) -> Code {
        let failures = self.0.iter().filter(|row| row.needed);
        failures
            .filter_map(|row| row.failure.as_ref())
            .map(|failure| failure.code)
            .next()
            .unwrap_or(Code::SUCCESS)
    }
}

/// Everything that was found out.
#[derive(Debug)]
pub(crate) struct ProbeResult {
    target: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) rows: Rows,
    pub(crate) round_trip: Option<Duration>,
    /// Bytes a second.
    pub(crate) upload_rate: Option<u64>,
    /// Bytes a second.
    pub(crate) download_rate: Option<u64>,
    /// Where volumes are to go, as far as that was said.
    pub(crate) asked_class: Option<String>,
    /// Where volumes go.
    pub(crate) class: Option<String>,
    pub(crate) tells_crc32: Option<bool>,
    pub(crate) tells_sha1: Option<bool>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) notes: Vec<String>,
}

impl ProbeResult {
    /// Of a target, as it may be shown.
    pub(crate) fn new(target: String) -> Self {
        Self {
            target,
            endpoint: None,
            region: None,
            rows: Rows::default(),
            round_trip: None,
            upload_rate: None,
            download_rate: None,
            asked_class: None,
            class: None,
            tells_crc32: None,
            tells_sha1: None,
            free_bytes: None,
            notes: Vec::new(),
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        // Writing to a String cannot fail, here and below.
        let mut text = format!("{}\n\n", escape_lines(&self.target));
        for row in &self.rows.0 {
            row.print(&mut text);
        }
        if self.endpoint.is_some() {
            self.print_support(&mut text);
        }
        for note in &self.notes {
            let _ = writeln!(text, "  note: {}", escape_lines(note));
        }
        let verdict = match self.rows.worst() {
            Code::SUCCESS => "A backup to this target works, and so does its restore.",
            _ => "This target cannot be used as it is: see what failed above.",
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }

    fn print_support(&self, text: &mut String) {
        if let Some(class) = &self.class {
            let asked = self.asked_class.as_ref().filter(|asked| *asked != class);
            let asked = asked.map_or_else(String::new, |asked| {
                format!(
                    ", and not as {}: the server ignores it",
                    escape_lines(asked)
                )
            });
            let class = escape_lines(class);
            let _ = writeln!(
                text,
                "  {:<10}{:<8}{:>9}  volumes are stored as {class}{asked}",
                "class", "", ""
            );
        }
        let checksums = match (self.tells_crc32, self.tells_sha1) {
            (Some(true), Some(true)) => "the server tells CRC-32 and SHA-1 of what it has",
            (Some(true), _) => {
                "the server tells the CRC-32 of volumes, not the SHA-1 of small objects"
            }
            (Some(false), Some(true)) => {
                "the server tells the SHA-1 of small objects, not the CRC-32 of volumes"
            }
            (Some(false), _) => "the server keeps none: only reading back tells what it has",
            (None, _) => return,
        };
        let _ = writeln!(text, "  {:<10}{:<8}{:>9}  {checksums}", "checksums", "", "");
    }

    /// For programs: one line.
    pub(crate) fn json(&self) -> String {
        let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let checks = self.rows.0.iter().map(|row| Json {
            check: row.check,
            status: row.status,
            needed: row.needed,
            milliseconds: row.took.map(millis),
            detail: Some(&row.detail).filter(|detail| !detail.is_empty()),
            error: row.failure.as_ref().map(|failure| {
                let causes = failure.causes.iter().map(String::as_str);
                let lines = std::iter::once(failure.message.as_str()).chain(causes);
                lines.collect::<Vec<_>>().join(": ")
            }),
            hints: row.failure.as_ref().map_or(&[], |failure| &failure.hints),
        });
        let document = Document {
            schema: SCHEMA,
            target: &self.target,
            usable: self.rows.worst() == Code::SUCCESS,
            endpoint: self.endpoint.as_deref(),
            region: self.region.as_deref(),
            checks: checks.collect(),
            round_trip_milliseconds: self.round_trip.map(millis),
            upload_bytes_per_second: self.upload_rate,
            download_bytes_per_second: self.download_rate,
            volume_storage_class: self.class.as_deref().filter(|_| self.endpoint.is_some()),
            tells_crc32_of_parts: self.tells_crc32,
            tells_sha1_of_whole: self.tells_sha1,
            free_bytes: self.free_bytes,
            notes: &self.notes,
        };
        // Text and numbers alone: it cannot fail.
        serde_json::to_string(&document).unwrap_or_default() + "\n"
    }
}

impl Row {
    fn print(&self, text: &mut String) {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Failed if self.needed => "FAILED",
            Status::Failed => "fails",
            Status::Skipped => "-",
        };
        let took = self.took.map(Self::time).unwrap_or_default();
        let detail = self
            .failure
            .as_ref()
            .map_or(&self.detail, |failure| &failure.message);
        let line = format!(
            "  {:<10}{status:<8}{took:>9}  {}",
            self.check,
            escape_lines(detail)
        );
        let _ = writeln!(text, "{}", line.trim_end());
        let Some(failure) = &self.failure else { return };
        for cause in &failure.causes {
            let _ = writeln!(text, "{:31}caused by: {}", "", escape_lines(cause));
        }
        for hint in &failure.hints {
            let _ = writeln!(text, "{:31}hint: {}", "", escape_lines(hint));
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    target: &'a str,
    usable: bool,
    endpoint: Option<&'a str>,
    region: Option<&'a str>,
    checks: Vec<Json<'a>>,
    round_trip_milliseconds: Option<f64>,
    upload_bytes_per_second: Option<u64>,
    download_bytes_per_second: Option<u64>,
    volume_storage_class: Option<&'a str>,
    tells_crc32_of_parts: Option<bool>,
    tells_sha1_of_whole: Option<bool>,
    free_bytes: Option<u64>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Json<'a> {
    check: &'static str,
    status: Status,
    needed: bool,
    milliseconds: Option<f64>,
    detail: Option<&'a String>,
    error: Option<String>,
    hints: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_a_server_ignores_is_told() {
        let told = |asked: Option<&str>| {
            let result = ProbeResult {
                endpoint: Some("http://s3.example".into()),
                asked_class: asked.map(str::to_owned),
                class: Some("STANDARD".into()),
                ..ProbeResult::new("s3://b".into())
            };
            let table = result.table();
            let line = table.lines().find(|line| line.contains("volumes are"));
            line.unwrap_or_default().trim_start().to_owned()
        };
        let ignored = told(Some("STANDARD_IA"));
        assert!(
            ignored.ends_with(
                "volumes are stored as STANDARD, and not as STANDARD_IA: the server ignores it"
            ),
            "{ignored}"
        );
        for asked in [None, Some("STANDARD")] {
            assert!(told(asked).ends_with("volumes are stored as STANDARD"));
        }
    }
}
