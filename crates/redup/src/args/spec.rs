//! What an option is: the row of the table that the parser and the help text are made from.

use super::Opt;

/// Which program knows a name. Prefixes are resolved among duplicity's names first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// duplicity 0.8 and 3.x.
    Both,
    /// duplicity 0.8 only.
    V0_8,
    /// duplicity 3.x only.
    V3,
    /// redup only.
    Redup,
}

/// One long name of an option, without the dashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) text: &'static str,
    pub(crate) origin: Origin,
}

/// What follows an option's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Nothing; the flag sets the option to this.
    Flag(bool),
    /// Any text.
    Text,
    /// Any text that is not empty.
    NonEmpty,
    /// A pattern of file names: any bytes, not empty.
    Pattern,
    /// A file or folder; `~` and `$VAR` are expanded later.
    File,
    /// A whole number, at least this.
    Int(i64),
    /// A whole number of MiB, at least this.
    Megabytes(i64),
    /// A time string.
    Time,
    /// A verbosity, as a digit or a word.
    Verbosity,
    /// Words handed on verbatim; repeated values are joined with a space.
    Words,
    /// One character.
    Char,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Two words.
    Pair,
}

/// What this version does with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// It has its effect.
    Yes,
    /// Known from duplicity; refused with a message that says why, and what to do instead.
    Refused(&'static str),
    /// Accepted; a message at info level says why nothing has to be done.
    NoEffect(&'static str),
    /// Has its effect with `redup run`; elsewhere a message at info level says so.
    RunOnly,
    /// Concerns a store that redup does not speak; such a target is refused anyway.
    OtherStore,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionSpec {
    pub(crate) id: Opt,
    pub(crate) names: &'static [Name],
    pub(crate) short: Option<char>,
    pub(crate) value: ValueKind,
    /// What the help text calls the value.
    pub(crate) metavar: &'static str,
    pub(crate) support: Support,
    /// Left out of the help text: for tests and debugging.
    pub(crate) hidden: bool,
    pub(crate) help: &'static str,
}

/// Options that belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) options: &'static [OptionSpec],
}

/// A name that both versions have.
pub(crate) const fn both(text: &'static str) -> Name {
    Name {
        text,
        origin: Origin::Both,
    }
}

/// A name of 0.8 that 3.x removed.
pub(crate) const fn old(text: &'static str) -> Name {
    Name {
        text,
        origin: Origin::V0_8,
    }
}

/// A name that came with 3.x.
pub(crate) const fn new(text: &'static str) -> Name {
    Name {
        text,
        origin: Origin::V3,
    }
}

/// A name of redup's own.
pub(crate) const fn ours(text: &'static str) -> Name {
    Name {
        text,
        origin: Origin::Redup,
    }
}

/// A row of the table.
pub(crate) const fn option(
    id: Opt,
    names: &'static [Name],
    value: ValueKind,
    help: &'static str,
) -> OptionSpec {
    let metavar = match value {
        ValueKind::Flag(_) => "",
        ValueKind::Text | ValueKind::NonEmpty | ValueKind::Choice(_) => "TEXT",
        ValueKind::Pattern => "PATTERN",
        ValueKind::File => "FILE",
        ValueKind::Int(_) => "N",
        ValueKind::Megabytes(_) => "MB",
        ValueKind::Time => "TIME",
        ValueKind::Verbosity => "LEVEL",
        ValueKind::Words => "OPTIONS",
        ValueKind::Char => "CHAR",
        ValueKind::Pair => "FROM TO",
    };
    OptionSpec {
        id,
        names,
        short: None,
        value,
        metavar,
        support: Support::Yes,
        hidden: false,
        help,
    }
}

impl OptionSpec {
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    pub(crate) const fn metavar(mut self, metavar: &'static str) -> Self {
        self.metavar = metavar;
        self
    }

    pub(crate) const fn refused(mut self, why: &'static str) -> Self {
        self.support = Support::Refused(why);
        self
    }

    pub(crate) const fn no_effect(mut self, why: &'static str) -> Self {
        self.support = Support::NoEffect(why);
        self
    }

    pub(crate) const fn run_only(mut self) -> Self {
        self.support = Support::RunOnly;
        self
    }

    pub(crate) const fn other_store(mut self) -> Self {
        self.support = Support::OtherStore;
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// The name that was typed.
    pub(crate) fn name(&self, typed: &str) -> Option<&'static Name> {
        self.names.iter().find(|name| name.text == typed)
    }

    /// The name that help and messages use: the current one where a name changed.
    pub(crate) fn main_name(&self) -> &'static str {
        let kept = self.names.iter().find(|name| name.origin != Origin::V0_8);
        kept.or(self.names.first()).map_or("", |name| name.text)
    }

    /// Whether its value is a time string.
    pub(crate) fn is_time(&self) -> bool {
        self.value == ValueKind::Time
    }

    /// Whether its values are patterns of file names.
    pub(crate) fn is_pattern(&self) -> bool {
        self.value == ValueKind::Pattern
    }

    /// Whether it takes two words.
    pub(crate) fn is_pair(&self) -> bool {
        self.value == ValueKind::Pair
    }

    /// Whether a word must or may follow as the value.
    pub(crate) fn takes_value(&self) -> bool {
        !matches!(self.value, ValueKind::Flag(_))
    }
}
