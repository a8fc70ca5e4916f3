//! The help text, made from the tables.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use super::applies::applies;
use super::command::{COMMANDS, Command, CommandSpec, OWN};
use super::spec::{OptionSpec, Origin, Support, ValueKind};
use super::table::GROUPS;

/// What help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// What there is, and where more is said.
    Overview,
    /// Every option.
    Options,
    /// One command, and the options that make a difference to it.
    Command(Command),
    /// Profiles and the file they are in.
    Run,
    /// How targets are written.
    Urls,
}

impl Topic {
    /// The topic of `--help-SUFFIX`, and of `redup help SUFFIX`.
    pub(super) fn named(suffix: &[u8]) -> Option<Self> {
        match suffix {
            b"urls" => return Some(Self::Urls),
            b"options" => return Some(Self::Options),
            b"run" => return Some(Self::Run),
            _ => {}
        }
        let called = |name: &str| name.as_bytes() == suffix;
        COMMANDS
            .iter()
            .chain(OWN)
            .find(|spec| called(spec.name) || spec.short_names.iter().any(|name| called(name)))
            .map(|spec| Self::Command(spec.command))
    }

    /// The same for a suffix that may be cut short, as every option may.
    pub(super) fn begun(suffix: &[u8]) -> Option<Self> {
        let mut begun = COMMANDS
            .iter()
            .filter(|spec| !suffix.is_empty() && spec.name.as_bytes().starts_with(suffix));
        Self::named(suffix).or_else(|| match (begun.next(), begun.next()) {
            (Some(spec), None) => Some(Self::Command(spec.command)),
            _ => None,
        })
    }

    /// What a line is about that has these words beside `--help`: the command that one of them names.
    pub(super) fn of_line<'a>(mut words: impl Iterator<Item = &'a OsString>) -> Self {
        words
            .find_map(|word| match Self::named(word.as_bytes())? {
                topic @ (Self::Command(_) | Self::Run) => Some(topic),
                _ => None,
            })
            .unwrap_or(Self::Overview)
    }
}

/// The text for `topic`, 80 columns wide, for a program called `program`.
pub(crate) fn help(topic: Topic, program: &str) -> String {
    let mut text = String::new();
    match topic {
        Topic::Overview => push_overview(&mut text, program),
        Topic::Options => {
            push_options(&mut text, program, |_| true);
            text.truncate(text.trim_end().len() + 1);
        }
        Topic::Command(command) => {
            let all = COMMANDS.iter().chain(OWN);
            for spec in all.filter(|spec| spec.command == command) {
                push_command(&mut text, spec, program);
            }
        }
        Topic::Run => text.push_str(RUN),
        Topic::Urls => text.push_str(URLS),
    }
    text
}

fn push_overview(text: &mut String, program: &str) {
    push_line(
        text,
        &format!("usage: {program} COMMAND [options] ARGUMENTS"),
    );
    push_line(
        text,
        &format!("       {program} [options] source_path target_url"),
    );
    push_line(
        text,
        &format!("       {program} [options] source_url target_path"),
    );
    push_line(text, "");
    push_wrapped(
        text,
        "",
        "Backs up folders, encrypted and incrementally, in duplicity's archive format. Without a \
         command, a path and a URL mean backup, a URL and a path mean restore. Options may stand \
         anywhere; long ones may be shortened.",
        0,
    );
    push_line(text, "");
    push_line(text, "Commands");
    for spec in known(program) {
        let names = [&[spec.name], spec.short_names].concat().join(", ");
        push_wrapped(text, &format!("  {names}"), spec.help, HELP_COLUMN);
    }
    if program == "redup" {
        for (name, help) in EXTRAS {
            push_wrapped(text, &format!("  {name}"), help, HELP_COLUMN);
        }
    }
    push_line(text, "");
    push_line(text, "Often used options");
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        if OFTEN.contains(&spec.main_name()) {
            push_wrapped(
                text,
                &format!("  {}", heading(spec, program)),
                spec.help,
                HELP_COLUMN,
            );
        }
    }
    push_line(text, "");
    text.push_str(URLS);
    push_line(text, "");
    let more = match program {
        "redup" => {
            "redup COMMAND --help is about a command and its options; redup help options lists them all."
        }
        _ => {
            "duplicity COMMAND --help is about a command and its options; --help-options lists them all."
        }
    };
    push_wrapped(text, "", more, 0);
}

/// Commands of redup that are about no backup.
pub(super) const EXTRAS: [(&str, &str); 4] = [
    (
        "run PROFILE",
        "Do what redup.toml says under this name; without a name, list the profiles.",
    ),
    (
        "install-compat DIR",
        "Make DIR/duplicity a link to redup, for scripts that call duplicity.",
    ),
    (
        "reference FORM",
        "Print the reference as markdown, man, or completions for bash, zsh or fish.",
    ),
    (
        "help TOPIC",
        "Print the help of a command, or of options or urls.",
    ),
];

/// What the overview shows of the options.
const OFTEN: [&str; 12] = [
    "dry-run",
    "verbosity",
    "full-if-older-than",
    "no-encryption",
    "encrypt-key",
    "sign-key",
    "restore-time",
    "path-to-restore",
    "include",
    "exclude",
    "help",
    "version",
];

fn push_command(text: &mut String, spec: &CommandSpec, program: &str) {
    push_line(text, &format!("usage: {}", usage(spec, program)));
    push_line(text, "");
    push_wrapped(text, "", spec.help, 0);
    if let Some(details) = details(spec.command) {
        push_line(text, "");
        push_wrapped(text, "", details, 0);
    }
    if !spec.short_names.is_empty() {
        let names = spec.short_names.join(", ");
        push_line(text, &format!("Short name: {names}"));
    }
    push_line(text, "");
    push_options(text, program, |option| applies(option, spec.command));
    text.push_str(URLS);
}

/// What the help of a command says beyond what it does.
pub(super) fn details(command: Command) -> Option<&'static str> {
    Some(match command {
        Command::Find => {
            "A pattern without a slash is compared with the last name of each path, one with a slash \
             with the whole path from the root of the backup; a slash at its end is for folders. With \
             --time that point in time is searched alone. How long a file is, is known up to a block of \
             its signature. The status is 0 when something was found, 1 when nothing was, and another \
             after a failure."
        }
        Command::Diff => {
            "Times are written as for --time. + is before a path that only the new state has, - before \
             one that only the old one has, M before one that changed, with what is different. The \
             status is 0 when nothing is different, 1 when something is, and another after a failure."
        }
        Command::Audit => {
            "S3 servers tell the SHA-1 that redup stores with what fits into one part, and many the CRC-32 of \
             whole objects, which redup's manifests have too. So what is missing, was cut or replaced is \
             found with one request a volume, also in an archive class. What a store does not know to be \
             damaged, and volumes that it tells nothing of, such as all in a folder, take 'verify'. The status \
             is 1 when something is wrong."
        }
        Command::Cat => {
            "The path begins at the root of the backup. A volume is checked before anything of it is \
             written; after an error what was written is not whole."
        }
        _ => return None,
    })
}

/// The commands that a program of that name has.
pub(super) fn known(program: &str) -> impl Iterator<Item = &'static CommandSpec> {
    let own = if program == "redup" { OWN } else { &[] };
    COMMANDS.iter().chain(own)
}

const HELP_COLUMN: usize = 30;
const WIDTH: usize = 80;

const URLS: &str = "\
Targets
  file:///absolute/folder     a local folder
  file://relative/folder      the same, from the working folder
  s3://bucket[/prefix]        S3, also written boto3+s3:// and s3+http://
";

const RUN: &str = "\
usage: redup run                             list the profiles
       redup run PROFILE [options]           do what the profile says
       redup run PROFILE COMMAND [options] ...   another command on its target

Options that are typed win over those of the profile. COMMAND is any other
command; where it takes the source or the target, the profile has them:

  redup run home collection-status
  redup run home restore --time 3D /restored

The file of profiles is the one that --config FILE names, else the first of
$XDG_CONFIG_HOME/redup/redup.toml (or ~/.config/redup/redup.toml) and
/etc/redup/redup.toml. Such as:

  [profiles.home]
  source = \"/home/me\"
  target = \"s3://bucket/home\"
  full-if-older-than = \"30D\"             # any option, by its long name
  encrypt-key = [\"ABCDEF0123456789\"]     # a list where it may be repeated
  select = [\"--exclude=~/.cache\"]        # what selects, in order
  passphrase-file = \"/etc/redup/key\"     # or passphrase-command = [\"pass\", ...]
  steps = [\"backup\", \"prune --force\"]    # without it: a backup
  keep-daily = 7

  [profiles.home.environment]
  AWS_PROFILE = \"backup\"

  [profiles.home.hooks]                  # before, after, after-success,
  before = [\"systemctl\", \"stop\", \"x\"]    # after-failure
  after = 'systemctl start x; echo \"$REDUP_RESULT\"'

docs/profiles.md tells about every key, and what hooks are told.
";

pub(super) fn usage(spec: &CommandSpec, program: &str) -> String {
    let mut line = format!("{program} {} [options]", spec.name);
    for shape in spec.shapes {
        line.push(' ');
        line.push_str(shape.role());
    }
    line
}

/// The names that an option has for a program of that name.
pub(super) fn names_for<'a>(
    spec: &'a OptionSpec,
    program: &'a str,
) -> impl Iterator<Item = &'static str> + 'a {
    let own = program != "duplicity";
    let names = spec
        .names
        .iter()
        .filter(move |name| own || name.origin != Origin::Redup);
    names.map(|name| name.text)
}

fn push_options(text: &mut String, program: &str, wanted: impl Fn(&OptionSpec) -> bool) {
    for group in GROUPS {
        let mut shown = group
            .options
            .iter()
            .filter(|spec| !spec.hidden && wanted(spec))
            .filter(|spec| names_for(spec, program).next().is_some())
            .filter_map(|spec| Some((spec, help_of(spec)?)))
            .peekable();
        if shown.peek().is_none() {
            continue;
        }
        push_line(text, group.title);
        for (spec, help) in shown {
            push_wrapped(
                text,
                &format!("  {}", heading(spec, program)),
                &help,
                HELP_COLUMN,
            );
        }
        push_line(text, "");
    }
}

/// What an option does, if it does anything here.
pub(super) fn help_of(spec: &OptionSpec) -> Option<String> {
    match spec.support {
        Support::Yes => Some(spec.help.to_owned()),
        Support::RunOnly => Some(spec.help.to_owned()),
        Support::NoEffect(why) => Some(format!("Accepted, without effect: {why}.")),
        Support::Refused(_) | Support::OtherStore => None,
    }
}

pub(super) fn heading(spec: &OptionSpec, program: &str) -> String {
    let mut names = Vec::new();
    names.extend(spec.short.map(|letter| format!("-{letter}")));
    names.extend(names_for(spec, program).map(|name| format!("--{name}")));
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
