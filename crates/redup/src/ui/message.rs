//! One message: for the terminal, and as a stanza of the log protocol.

use std::fmt::Write as _;

/// How much a message matters: the verbosity from which it is shown. Some messages at info level are
/// at 6 or 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(pub(crate) u8);

impl Level {
    pub(crate) const ERROR: Self = Self(0);
    pub(crate) const WARNING: Self = Self(2);
    pub(crate) const NOTICE: Self = Self(3);
    pub(crate) const INFO: Self = Self(5);

    /// The keyword of the log protocol.
    pub(crate) fn keyword(self) -> &'static str {
        match self.0 {
            0 | 1 => "ERROR",
            2 => "WARNING",
            3 | 4 => "NOTICE",
            5..=8 => "INFO",
            _ => "DEBUG",
        }
    }
}

/// Something to say.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) level: Level,
    /// What the log protocol calls this kind of message; 1 is any.
    pub(crate) code: u16,
    /// Words behind the code: quoted where they are names.
    pub(crate) extra: String,
    /// Lines between the stanza's head and its text.
    pub(crate) data: Vec<String>,
    /// For people; may be empty. Foreign names in it are escaped already.
    pub(crate) text: String,
    /// Shown at every verbosity.
    pub(crate) forced: bool,
}

impl Message {
    /// A message without a code of its own.
    pub(crate) fn new(level: Level, text: impl Into<String>) -> Self {
        Self {
            level,
            code: 1,
            extra: String::new(),
            data: Vec::new(),
            text: text.into(),
            forced: false,
        }
    }

    /// Gives it the code by which programs know it.
    pub(crate) fn code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }

    /// Adds words behind the code.
    pub(crate) fn extra(mut self, extra: impl Into<String>) -> Self {
        self.extra = extra.into();
        self
    }

    /// Adds data lines.
    pub(crate) fn data(mut self, data: Vec<String>) -> Self {
        self.data = data;
        self
    }

    /// Shows it at every verbosity.
    pub(crate) fn forced(mut self) -> Self {
        self.forced = true;
        self
    }

    /// The stanza: head, data, text lines that begin with `. `, an empty line.
    pub(crate) fn stanza(&self) -> String {
        let mut stanza = format!("{} {}", self.level.keyword(), self.code);
        // Data goes with a blank behind the code, as consumers know it.
        if !self.extra.is_empty() || !self.data.is_empty() {
            let _ = write!(stanza, " {}", self.extra);
        }
        stanza.push('\n');
        for line in &self.data {
            stanza.push_str(line);
            stanza.push('\n');
        }
        if !self.text.is_empty() {
            for line in self.text.split('\n') {
                let _ = writeln!(stanza, ". {line}");
            }
        }
        stanza.push('\n');
        stanza
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(message: &Message, expected: Expect) {
        expected.assert_eq(&message.stanza());
    }

    #[test]
    fn a_message_without_a_code_is_code_1() {
        check(
            &Message::new(Level::NOTICE, "Hello\n\nworld"),
            expect![[r#"
            NOTICE 1
            . Hello
            . 
            . world

        "#]],
        );
    }

    #[test]
    fn a_message_without_text_is_its_head_alone() {
        check(
            &Message::new(Level::INFO, "").code(2).extra("10 20"),
            expect![[r#"
            INFO 2 10 20

        "#]],
        );
    }

    #[test]
    fn data_stands_before_the_text_and_behind_a_blank() {
        let message = Message::new(Level(8), "Table")
            .code(3)
            .data(vec!["chain-complete".into(), " full x".into()]);
        check(
            &message,
            expect![[r#"
            INFO 3 
            chain-complete
             full x
            . Table

        "#]],
        );
    }
}
