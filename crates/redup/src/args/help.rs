//! The help text, made from the tables.

use std::fmt::Write as _;

use super::command::{COMMANDS, CommandSpec, OWN, Shape};
use super::spec::{OptionSpec, Support, ValueKind};
use super::table::GROUPS;

/// What help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Everything.
    All,
    /// One command: its row of the table.
    Command(&'static str),
    /// How targets are written.
    Urls,
}

impl Topic {
    /// The topic of `--help-SUFFIX`.
    pub(super) fn from_suffix(suffix: &[u8]) -> Option<Self> {
        if suffix == b"urls" {
            return Some(Self::Urls);
        }
        COMMANDS
            .iter()
            .find(|spec| {
                spec.name.as_bytes() == suffix
                    || spec
                        .short_names
                        .iter()
                        .any(|name| name.as_bytes() == suffix)
            })
            .map(|spec| Self::Command(spec.name))
    }
}

/// The text for `topic`, 80 columns wide, for a program called `program`.
pub(crate) fn help(topic: Topic, program: &str) -> String {
    let mut text = String::new();
    match topic {
        Topic::Urls => text.push_str(URLS),
        Topic::Command(name) => {
            for spec in known(program).filter(|spec| spec.name == name) {
                push_line(&mut text, &format!("usage: {}", usage(spec, program)));
                push_line(&mut text, "");
                push_wrapped(&mut text, "", spec.help, 0);
                push_line(&mut text, "");
            }
            push_options(&mut text);
        }
        Topic::All => {
            for (number, spec) in known(program).enumerate() {
                let lead = if number == 0 { "usage: " } else { "       " };
                push_line(&mut text, &format!("{lead}{}", usage(spec, program)));
            }
            push_line(&mut text, "");
            push_line(&mut text, "Commands");
            for spec in known(program) {
                let names = [&[spec.name], spec.short_names].concat().join(", ");
                push_wrapped(&mut text, &format!("  {names}"), spec.help, HELP_COLUMN);
            }
            push_line(&mut text, "");
            push_wrapped(
                &mut text,
                "",
                "Without a command, a path and a URL mean backup, a URL and a path mean restore. \
                 Options may stand anywhere; long ones may be shortened.",
                0,
            );
            push_line(&mut text, "");
            push_options(&mut text);
            text.push_str(URLS);
        }
    }
    text
}

/// The commands that a program of that name has.
fn known(program: &str) -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.iter().chain((program == "redup").then_some(&OWN))
}

const HELP_COLUMN: usize = 30;
const WIDTH: usize = 80;

const URLS: &str = "\
Targets
  file:///absolute/folder     a local folder
  file://relative/folder      the same, from the working folder
  s3://bucket[/prefix]        S3, also written boto3+s3:// and s3+http://
";

pub(super) fn usage(spec: &CommandSpec, program: &str) -> String {
    let mut line = format!("{program} {} [options]", spec.name);
    for shape in spec.shapes {
        line.push_str(match shape {
            Shape::SourcePath => " source_path",
            Shape::TargetUrl => " target_url",
            Shape::SourceUrl => " source_url",
            Shape::TargetPath => " target_path",
            Shape::Time => " remove_time",
            Shape::Count => " count",
        });
    }
    line
}

fn push_options(text: &mut String) {
    for group in GROUPS {
        let mut shown = group
            .options
            .iter()
            .filter(|spec| !spec.hidden)
            .filter_map(|spec| Some((spec, help_of(spec)?)))
            .peekable();
        if shown.peek().is_none() {
            continue;
        }
        push_line(text, group.title);
        for (spec, help) in shown {
            push_wrapped(text, &format!("  {}", heading(spec)), &help, HELP_COLUMN);
        }
        push_line(text, "");
    }
}

/// What an option does, if it does anything here.
pub(super) fn help_of(spec: &OptionSpec) -> Option<String> {
    match spec.support {
        Support::Yes => Some(spec.help.to_owned()),
        Support::NoEffect(why) => Some(format!("Accepted, without effect: {why}.")),
        Support::Refused(_) | Support::OtherStore => None,
    }
}

pub(super) fn heading(spec: &OptionSpec) -> String {
    let mut names = Vec::new();
    names.extend(spec.short.map(|letter| format!("-{letter}")));
    names.extend(spec.names.iter().map(|name| format!("--{}", name.text)));
    let mut heading = names.join(", ");
    if spec.takes_value() {
        let value = match spec.value {
            ValueKind::Choice(choices) => choices.join("|"),
            _ => spec.metavar.to_owned(),
        };
        let _ = write!(heading, " {value}");
    }
    heading
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Appends `body` broken into lines that begin at `column`, the first of them behind `lead` when
/// that leaves room.
fn push_wrapped(text: &mut String, lead: &str, body: &str, column: usize) {
    let mut line = lead.to_owned();
    if lead.chars().count() + 2 > column && column > 0 {
        push_line(text, &line);
        line = String::new();
    }
    let mut empty = true;
    for word in body.split_whitespace() {
        let used = line.chars().count();
        if !empty && used + 1 + word.chars().count() > WIDTH {
            push_line(text, &line);
            line = String::new();
            empty = true;
        }
        if empty {
            let pad = column.saturating_sub(line.chars().count());
            line.extend(std::iter::repeat_n(' ', pad));
            empty = false;
        } else {
            line.push(' ');
        }
        line.push_str(word);
    }
    push_line(text, &line);
}
