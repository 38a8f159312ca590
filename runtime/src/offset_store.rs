//! A broadcasting consumer's offset store while it is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_host::OffsetStore;

use crate::guard::{self, Panic};

/// A store that has been loaded, and is given back when this is dropped.
pub(crate) struct OpenStore {
    store: Arc<dyn OffsetStore>,
    /// Whose offsets these are, for the log.
    group: String,
}

impl OpenStore {
    /// Loads what a store has. One that fails has nothing to be given back.
    pub(crate) async fn open(
        store: Arc<dyn OffsetStore>,
        group: &str,
    ) -> Result<(Self, BTreeMap<MessageQueue, u64>), Error> {
        let offsets = guard::poll(|| store.load()).await.unwrap_or_else(|panic| Err(panicked("loaded", &panic)))?;
        Ok((Self { store, group: group.to_owned() }, offsets))
    }

    pub(crate) async fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> Result<(), Error> {
        guard::poll(|| self.store.store(offsets)).await.unwrap_or_else(|panic| Err(panicked("stored", &panic)))
    }
}

impl Drop for OpenStore {
    fn drop(&mut self) {
        if let Err(panic) = guard::call(|| self.store.close()) {
            let group = &*self.group;
            guard::log(|| tracing::error!(group, %panic, "the offset store panicked as it was closed"));
        }
    }
}

fn panicked(what: &str, panic: &Panic) -> Error {
    Error::new(ErrorKind::OffsetStore, format!("it panicked as offsets were {what}: {panic}"))
}
