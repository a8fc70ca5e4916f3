//! The reference documentation, made from the same tables as the parser: a page for reading, a manual page,
//! and completions for shells.

use std::fmt::Write as _;

use super::command::{COMMANDS, CommandSpec, OWN};
use super::help::{EXTRAS, details, heading, help_of, known, names_for, usage};
use super::spec::{OptionSpec, ValueKind};
use super::table::GROUPS;

/// A form of the reference: the name by which it is asked for, and what makes it.
type Form = (&'static str, fn() -> String);

/// What can be made.
pub(crate) const FORMS: [Form; 5] = [
    ("markdown", markdown),
    ("man", man),
    ("bash", bash),
    ("zsh", zsh),
    ("fish", fish),
];

fn shown() -> impl Iterator<Item = &'static OptionSpec> {
    GROUPS
        .iter()
        .flat_map(|group| group.options)
        .filter(|spec| is_shown(spec))
}

/// Options of stores that redup does not have, and those for tests, are accepted and not advertised.
fn is_shown(spec: &OptionSpec) -> bool {
    !spec.hidden && help_of(spec).is_some()
}

fn names(spec: &CommandSpec) -> Vec<&'static str> {
    [&[spec.name], spec.short_names].concat()
}

// Writing to a String cannot fail, here and below.

fn markdown() -> String {
    let mut text = String::from(
        "# Command line\n\n\
         Made from the tables of the parser by `redup reference markdown`.\n\n\
         Without a command, a path and a URL mean backup, a URL and a path mean restore. Options may stand \
         anywhere; long ones\nmay be shortened.\n\n## Commands\n\n| command | short | what it does |\n|---|---|---|\n",
    );
    for spec in COMMANDS.iter().chain(OWN) {
        let short = spec.short_names.join(", ");
        let usage = usage(spec, "redup");
        let _ = writeln!(text, "| `{usage}` | {short} | {} |", spec.help);
    }
    for (usage, help) in EXTRAS {
        let _ = writeln!(text, "| `redup {usage}` |  | {help} |");
    }
    for group in GROUPS {
        let mut rows = String::new();
        for spec in group.options.iter().filter(|spec| is_shown(spec)) {
            let help = help_of(spec).unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(
                rows,
                "| `{}` | {help} |",
                heading(spec, "redup").replace('|', "\\|")
            );
        }
        if !rows.is_empty() {
            let _ = write!(
                text,
                "\n## {}\n\n| option | effect |\n|---|---|\n{rows}",
                group.title
            );
        }
    }
    text
}

fn man() -> String {
    let mut text = String::from(
        ".TH REDUP 1\n.SH NAME\nredup \\- backup and restore in duplicity's archive format\n.SH SYNOPSIS\n",
    );
    for spec in COMMANDS.iter().chain(OWN) {
        let _ = writeln!(text, ".B {}\n.br", roff(&usage(spec, "redup")));
    }
    text.push_str(
        ".SH DESCRIPTION\nWithout a command, a path and a URL mean backup, a URL and a path mean restore.\n\
         Options may stand anywhere; long ones may be shortened.\n.SH COMMANDS\n",
    );
    for spec in COMMANDS.iter().chain(OWN) {
        let names = names(spec).join(", ");
        let details = details(spec.command).unwrap_or_default();
        let help = format!("{} {details}", spec.help);
        let _ = writeln!(text, ".TP\n.B {}\n{}", roff(&names), roff(help.trim_end()));
    }
    for (usage, help) in EXTRAS {
        let _ = writeln!(text, ".TP\n.B {}\n{}", roff(usage), roff(help));
    }
    for group in GROUPS {
        if !group.options.iter().any(is_shown) {
            continue;
        }
        let _ = writeln!(text, ".SH {}", roff(&group.title.to_uppercase()));
        for spec in group.options.iter().filter(|spec| is_shown(spec)) {
            let help = help_of(spec).unwrap_or_default();
            let _ = writeln!(
                text,
                ".TP\n.B {}\n{}",
                roff(&heading(spec, "redup")),
                roff(&help)
            );
        }
    }
    text
}

/// Text of a manual page: nothing in it is a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn words(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

fn long_names(program: &str, wanted: impl Fn(&OptionSpec) -> bool) -> String {
    let specs = shown().filter(|spec| wanted(spec));
    words(specs.flat_map(|spec| names_for(spec, program).map(|name| format!("--{name}"))))
}

/// What takes the names out of the list of profiles.
const NAMES_OF_PROFILES: &str = r"run 2>/dev/null | sed -n 's/^  \([^ ][^ ]*\)  .*/\1/p'";

fn command_words(program: &str) -> String {
    let extras = EXTRAS.iter().filter(|_| program == "redup");
    let extras = extras.filter_map(|(usage, _)| usage.split(' ').next());
    let names = known(program).map(|spec| spec.name).chain(extras);
    words(names.map(str::to_owned))
}

fn bash() -> String {
    let commands = command_words("redup");
    let all = long_names("redup", |_| true);
    let (known_commands, known) = (
        command_words("duplicity"),
        long_names("duplicity", |_| true),
    );
    let files = long_names("redup", |spec| spec.value == ValueKind::File).replace(' ', "|");
    let values = long_names("redup", |spec| {
        let listed = matches!(spec.value, ValueKind::File | ValueKind::Choice(_));
        spec.takes_value() && !listed
    });
    let mut choices = String::new();
    for spec in shown() {
        if let ValueKind::Choice(words) = spec.value {
            let name = spec.main_name();
            let _ = writeln!(
                choices,
                "        --{name}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\"); return ;;",
                words.join(" ")
            );
        }
    }
    format!(
        "# Completion of redup and duplicity for bash; made by `redup reference bash`.\n\
         _redup() {{\n    \
             local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n    \
             local options='{all}' commands='{commands}'\n    \
             COMPREPLY=()\n    \
             if [[ ${{COMP_WORDS[0]##*/}} == duplicity ]]; then\n        \
                 options='{known}'\n        \
                 commands='{known_commands}'\n    \
             elif [[ $before == run && $word != -* ]]; then\n        \
                 mapfile -t COMPREPLY < <(compgen -W \"$(\"${{COMP_WORDS[0]}}\" {NAMES_OF_PROFILES})\" -- \"$word\")\n        \
                 return\n    \
             fi\n    \
             case $before in\n        \
                 {files}) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n        \
                 {}) return ;;\n{choices}    \
             esac\n    \
             case $word in\n        \
                 -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n        \
                 *) mapfile -t COMPREPLY < <(compgen -W \"$commands\" -f -- \"$word\") ;;\n    \
             esac\n\
         }}\n\
         complete -o filenames -F _redup redup duplicity\n",
        values.replace(' ', "|"),
    )
}

fn zsh() -> String {
    let mut text = String::from(
        "#compdef redup duplicity\n# Completion of redup and duplicity for zsh; made by `redup reference zsh`.\n",
    );
    let _ = writeln!(
        text,
        "_redup_words() {{\n  \
           if [[ $service == redup && -n ${{words[(r)run]}} ]]; then\n    \
             compadd -- ${{(f)\"$($words[1] {NAMES_OF_PROFILES})\"}}\n  \
           else\n    \
             _files\n  \
           fi\n}}"
    );
    text.push_str("local -a redup_options\nlocal redup_commands=");
    let (all, known) = (command_words("redup"), command_words("duplicity"));
    let _ = writeln!(
        text,
        "'{known}'\nif [[ $service == redup ]]; then\n  redup_commands='{all}'\n  redup_options=("
    );
    let of_duplicity = |spec: &OptionSpec| names_for(spec, "duplicity").collect::<Vec<_>>();
    for spec in shown() {
        let known = of_duplicity(spec);
        for name in names_for(spec, "redup").filter(|name| !known.contains(name)) {
            let _ = writeln!(text, "    {}", zsh_option(spec, name));
        }
    }
    text.push_str("  )\nfi\n_arguments -S $redup_options \\\n");
    for spec in shown() {
        for name in of_duplicity(spec) {
            let _ = writeln!(text, "  {} \\", zsh_option(spec, name));
        }
    }
    text.push_str("  \"1:command:($redup_commands)\" \\\n  '*:path or URL:_redup_words'\n");
    text
}

fn zsh_option(spec: &OptionSpec, name: &str) -> String {
    let help = help_of(spec).unwrap_or_default();
    let help = help
        .replace(['[', ']'], "")
        .replace('\'', "’")
        .replace(':', "\\:");
    let value = match spec.value {
        ValueKind::Flag(_) => String::new(),
        ValueKind::File => ":file:_files".to_owned(),
        ValueKind::Choice(words) => format!(":value:({})", words.join(" ")),
        _ => ":value: ".to_owned(),
    };
    format!("'*--{name}[{help}]{value}'")
}

fn fish() -> String {
    let mut text = String::from(
        "# Completion of redup and duplicity for fish; made by `redup reference fish`.\n",
    );
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    for program in ["redup", "duplicity"] {
        for spec in known(program) {
            let help = quoted(spec.help);
            let _ = writeln!(
                text,
                "complete -c {program} -n __fish_use_subcommand -a {} -d '{help}'",
                spec.name
            );
        }
        for (usage, help) in EXTRAS.iter().filter(|_| program == "redup") {
            let name = usage.split(' ').next().unwrap_or_default();
            let help = quoted(help);
            let _ = writeln!(
                text,
                "complete -c {program} -n __fish_use_subcommand -a {name} -d '{help}'"
            );
        }
        for spec in shown() {
            let help = quoted(&help_of(spec).unwrap_or_default());
            let value = match spec.value {
                ValueKind::Flag(_) => String::new(),
                ValueKind::File => " -r -F".to_owned(),
                ValueKind::Choice(words) => format!(" -x -a '{}'", words.join(" ")),
                _ => " -x".to_owned(),
            };
            for name in names_for(spec, program) {
                let _ = writeln!(text, "complete -c {program} -l {name}{value} -d '{help}'");
            }
        }
    }
    text.push_str(
        "complete -c redup -n '__fish_seen_subcommand_from run' \\\n    \
         -a '(redup run 2>/dev/null | string match --regex --groups-only \"^  (\\\\S+)  \")' -d Profile\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    /// `UPDATE_EXPECT=1` writes the files anew.
    #[test]
    fn the_files_of_the_reference_are_made_from_the_tables() {
        let made = |form: &str| FORMS.iter().find(|it| it.0 == form).unwrap().1();
        expect_file!["../../../../docs/cli.md"].assert_eq(&made("markdown"));
        expect_file!["../../../../docs/redup.1"].assert_eq(&made("man"));
        expect_file!["../../../../docs/completions/redup.bash"].assert_eq(&made("bash"));
        expect_file!["../../../../docs/completions/_redup"].assert_eq(&made("zsh"));
        expect_file!["../../../../docs/completions/redup.fish"].assert_eq(&made("fish"));
    }

    #[test]
    fn every_advertised_option_is_in_every_form() {
        for (form, make) in FORMS {
            let text = make();
            for name in shown().flat_map(|spec| spec.names) {
                let spelled = match form {
                    "man" => name.text.replace('-', "\\-"),
                    _ => name.text.to_owned(),
                };
                assert!(text.contains(&spelled), "{form} lacks --{}", name.text);
            }
        }
    }
}
