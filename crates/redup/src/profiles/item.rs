//! What stands in the file under some key, with the words for what is wrong with it.

use std::ffi::OsStr;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::file::ProfileFile;
use crate::args::{lossy, nearest};
use crate::exit::Failure;

/// A value of the file, and where it is.
#[derive(Clone)]
pub(super) struct Item<'t> {
    file: &'t ProfileFile,
    /// Its key, with the tables it is in before it.
    path: String,
    key: String,
    at: Range<usize>,
    value: &'t DeValue<'t>,
}

impl<'t> Item<'t> {
    /// Everything in the file.
    pub(super) fn root(file: &'t ProfileFile, value: &'t DeValue<'t>) -> Self {
        Self {
            file,
            path: String::new(),
            key: String::new(),
            at: 0..0,
            value,
        }
    }

    /// Its key, without the tables it is in.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The file it is in.
    pub(super) fn file(&self) -> &'t ProfileFile {
        self.file
    }

    /// The file, the line and the key.
    pub(super) fn place(&self) -> String {
        format!("{}: {}", self.file.place(&self.at), self.path)
    }

    /// What is wrong with it.
    pub(super) fn fault(&self, what: &str) -> Failure {
        let what = match self.path.is_empty() {
            true => what.to_owned(),
            false => format!("{}: {what}", self.path),
        };
        self.file.fault(&self.at, &what)
    }

    /// That its key is none of `known`, with the one that was probably meant.
    pub(super) fn unknown<'k>(&self, what: &str, known: impl Iterator<Item = &'k str>) -> Failure {
        let failure = self.fault(what);
        match nearest(self.key(), known) {
            Some(meant) => failure.hint(format!("did you mean {meant}?")),
            None => failure,
        }
    }

    /// That it is of another kind than `wanted`.
    pub(super) fn expected(&self, wanted: &str) -> Failure {
        self.fault(&format!("expected {wanted}, found {}", self.kind()))
    }

    /// What kind of value it is.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time without quotes",
            DeValue::Array(items) if items.is_empty() => "an empty list",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    pub(super) fn value(&self) -> &'t DeValue<'t> {
        self.value
    }

    /// A string.
    pub(super) fn text(&self) -> Result<&'t str, Failure> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// The items of a list; `None` when it is none.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let items = self.value.as_array()?.iter().map(|item| Self {
            file: self.file,
            path: self.path.clone(),
            key: self.key.clone(),
            at: item.span(),
            value: item.get_ref(),
        });
        Some(items.collect())
    }

    /// A list of strings, not empty.
    pub(super) fn words(&self) -> Result<Vec<&'t str>, Failure> {
        let wanted = || self.expected("a list of strings");
        let items = self.list().filter(|items| !items.is_empty());
        items.ok_or_else(wanted)?.iter().map(Self::text).collect()
    }

    /// What a table holds, in the order of the file.
    pub(super) fn entries(&self) -> Result<Vec<Self>, Failure> {
        let table: &DeTable<'_> = self
            .value
            .as_table()
            .ok_or_else(|| self.expected("a table"))?;
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| Self {
                file: self.file,
                path: match self.path.is_empty() {
                    true => lossy(OsStr::new(&**key.get_ref())),
                    false => format!("{}.{}", self.path, lossy(OsStr::new(&**key.get_ref()))),
                },
                key: key.get_ref().to_string(),
                at: key.span(),
                value: value.get_ref(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.at.start);
        Ok(entries)
    }

    /// The entry of that key.
    pub(super) fn entry(&self, key: &str) -> Result<Option<Self>, Failure> {
        let mut entries = self.entries()?.into_iter();
        Ok(entries.find(|entry| entry.key() == key))
    }
}
