//! Asking many objects something small, several at a time.

use std::sync::Arc;

use redup_storage::{ErrorKind, ObjectInfo, Storage};
use tokio::task::JoinSet;

use super::Transfer;
use crate::{Error, Result};

impl Transfer {
    /// What the store knows of these objects, in no particular order. Those that are gone are left out.
    pub(crate) fn look_up_all(&self, names: Vec<String>) -> Result<Vec<ObjectInfo>> {
        let look_up = |storage: Arc<dyn Storage>, name: String| async move {
            match storage.head(&name).await {
                Ok(object) => Ok(Some(object)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let found = self.ask_each(names, look_up)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Asks for these archived objects to become readable.
    pub(crate) fn thaw_all(&self, objects: Vec<ObjectInfo>) -> Result<()> {
        let thaw = |storage: Arc<dyn Storage>, object: ObjectInfo| async move {
            Ok(storage.thaw(&object).await?)
        };
        self.ask_each(objects, thaw).map(drop)
    }

    /// As many requests at once as the store likes; the first failure ends it.
    fn ask_each<I, T, F>(
        &self,
        items: Vec<I>,
        ask: impl Fn(Arc<dyn Storage>, I) -> F,
    ) -> Result<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let at_once = self.storage.tuning().downloads.max(1);
        let mut items = items.into_iter();
        let mut asked = JoinSet::new();
        let mut answers = Vec::new();
        loop {
            while asked.len() < at_once
                && let Some(item) = items.next()
            {
                asked.spawn_on(ask(Arc::clone(&self.storage), item), &self.runtime);
            }
            let Some(answer) = self.runtime.block_on(asked.join_next()) else {
                return Ok(answers);
            };
            answers.push(answer.map_err(|_| Error::Internal("a request"))??);
        }
    }
}
