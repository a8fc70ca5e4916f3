//! Servers that take a backslash for a slash.
//!
//! To Amazon a backslash in a key is a character like others. SeaweedFS stores `a\b/x` as `a/b/x` and finds it
//! under either name, but a listing below `a\b/` is empty: what was stored there would seem to be gone. A target
//! with a backslash is therefore looked at before it is used, and its prefix written as the server writes it.
//! Nothing helps an object whose own name has one, which would land in a folder: such names are refused.

use redup_storage::{ErrorKind, Op, Result};

use crate::error::Failure;
use crate::options::Notice;
use crate::storage::Bucket;

impl Bucket {
    /// Goes over to slashes in the prefix, if that is where the server has what is below it.
    ///
    /// An empty target is left as it is: what is written there is found by the next run.
    pub(crate) async fn follow_backslashes(&mut self) -> Result<()> {
        if self.place.on_amazon || !self.place.prefix.contains('\\') {
            return Ok(());
        }
        if self.first_below(&self.place.prefix).await?.is_some() {
            return Ok(());
        }
        let prefix = with_slashes(&self.place.prefix);
        let Some(key) = self.first_below(&prefix).await? else {
            return Ok(());
        };
        // Elsewhere it may be another target, which is none of ours.
        let name = key.strip_prefix(&prefix).unwrap_or_default();
        match self.ask_head(name, false).await {
            Ok(_) => {
                self.place.prefix = prefix;
                let target = self.place.location();
                self.options.notify(&Notice::BackslashesFolded { target });
                Ok(())
            }
            Err(failure) if failure.means_missing_object() => Ok(()),
            Err(failure) => Err(failure.into_error(Op::Connect, "", &self.place)),
        }
    }

    /// Refuses to store what such a server would put elsewhere.
    pub(crate) fn check_written_name(&self, op: Op, name: &str) -> Result<()> {
        self.check_name(op, name)?;
        match name.contains('\\') && !self.place.on_amazon {
            true => Err(self
                .error(ErrorKind::Unsupported, op, name)
                .with_detail("some servers take a backslash in a name for a slash")
                .with_hint("choose a --file-prefix without a backslash")),
            false => Ok(()),
        }
    }

    /// The first key below a prefix.
    async fn first_below(&self, prefix: &str) -> Result<Option<String>> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.place.bucket)
            .prefix(prefix)
            .max_keys(1)
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await
            .map_err(|error| Failure::of(&error).into_error(Op::List, "", &self.place))?;
        let first = page.contents().first().and_then(|object| object.key());
        Ok(first.map(str::to_owned))
    }
}

/// A prefix with each backslash taken for a slash, and no empty folders.
fn with_slashes(prefix: &str) -> String {
    let folders = prefix.split(['/', '\\']).filter(|name| !name.is_empty());
    folders.flat_map(|name| [name, "/"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_stay_folders() {
        for (prefix, expected) in [
            (r"a\b/", "a/b/"),
            (r"\a\\b\/c/", "a/b/c/"),
            (r"\/", ""),
            ("", ""),
        ] {
            assert_eq!(with_slashes(prefix), expected, "{prefix}");
        }
    }
}
