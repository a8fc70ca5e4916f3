//! What a profile comes to: `[defaults]`, what it inherits, and its own keys, where the later replaces the earlier.

use super::item::Item;
use crate::exit::Failure;

/// Tables whose keys are replaced one by one.
pub(super) const TABLES: [&str; 2] = ["environment", "hooks"];

/// Names the profile that another begins from.
pub(super) const INHERIT: &str = "inherit";

/// A key of a profile, wherever it comes from.
pub(super) struct Entry<'t> {
    /// The table it is in, or none.
    pub(super) table: Option<&'static str>,
    pub(super) item: Item<'t>,
}

/// The tables of a whole file.
pub(super) struct Document<'t> {
    defaults: Option<Item<'t>>,
    profiles: Vec<Item<'t>>,
}

impl<'t> Document<'t> {
    /// # Errors
    /// When there is something beside profiles and defaults.
    pub(super) fn of(root: &Item<'t>) -> Result<Self, Failure> {
        let mut document = Self {
            defaults: None,
            profiles: Vec::new(),
        };
        for item in root.entries()? {
            match item.key() {
                "defaults" => document.defaults = Some(item),
                "profiles" => document.profiles = item.entries()?,
                _ => {
                    let known = ["defaults", "profiles"].into_iter();
                    let what = "a file of profiles has [defaults] and [profiles.NAME] only";
                    return Err(item.unknown(what, known));
                }
            }
        }
        for profile in &document.profiles {
            check_name(profile)?;
        }
        let inherits = document.defaults.as_ref().map(|item| item.entry(INHERIT));
        if let Some(inherit) = inherits.transpose()?.flatten() {
            return Err(inherit.fault("[defaults] inherits nothing; every profile begins from it"));
        }
        Ok(document)
    }

    /// The names of all profiles, in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.iter().map(Item::key)
    }

    /// The keys of a profile, each once; in the order in which they were said, those of the profile itself last.
    /// `None` when there is no such profile.
    ///
    /// # Errors
    /// When what it inherits is not there, or inherits it.
    pub(super) fn entries(&self, name: &str) -> Option<Result<Vec<Entry<'t>>, Failure>> {
        let profile = self.profile(name)?;
        Some(self.lineage(profile).and_then(|lineage| {
            let mut entries = Vec::new();
            for layer in lineage {
                add_layer(&mut entries, layer)?;
            }
            Ok(entries)
        }))
    }

    fn profile(&self, name: &str) -> Option<&Item<'t>> {
        self.profiles.iter().find(|profile| profile.key() == name)
    }

    /// Everything that a profile is made of, itself last.
    fn lineage<'d>(&'d self, profile: &'d Item<'t>) -> Result<Vec<&'d Item<'t>>, Failure> {
        let mut lineage = vec![profile];
        let mut last = profile;
        while let Some(inherit) = last.entry(INHERIT)? {
            let name = inherit.text()?;
            last = self.profile(name).ok_or_else(|| {
                let what = format!("there is no profile '{name}'");
                inherit.fault(&what).hint(meant_or_all(name, self.names()))
            })?;
            if lineage.iter().any(|other| other.key() == last.key()) {
                return Err(inherit.fault("a profile cannot inherit itself"));
            }
            lineage.push(last);
        }
        lineage.extend(&self.defaults);
        lineage.reverse();
        Ok(lineage)
    }
}

/// The profile that was probably meant, or all there are.
pub(super) fn meant_or_all<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<_> = known.collect();
    match crate::args::nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None if known.is_empty() => "the file has no profiles yet".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    }
}

fn check_name(profile: &Item<'_>) -> Result<(), Failure> {
    let name = profile.key();
    let plain = |letter: char| letter.is_alphanumeric() || "-_.+@".contains(letter);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
        let what =
            "a profile's name is made of letters, digits and -_.+@ and does not begin with -";
        return Err(profile.fault(what));
    }
    profile.entries().map(drop)
}

fn add_layer<'t>(entries: &mut Vec<Entry<'t>>, layer: &Item<'t>) -> Result<(), Failure> {
    let mut add = |table, item: Item<'t>| {
        entries.retain(|old| (old.table, old.item.key()) != (table, item.key()));
        entries.push(Entry { table, item });
    };
    for item in layer.entries()? {
        match TABLES.into_iter().find(|table| *table == item.key()) {
            Some(table) => {
                for item in item.entries()? {
                    add(Some(table), item);
                }
            }
            None if item.key() == INHERIT => {}
            None => add(None, item),
        }
    }
    Ok(())
}
