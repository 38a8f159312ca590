//! Where a broadcasting consumer keeps its offsets: no broker does it for it.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};

/// Where a broadcasting consumer keeps its offsets.
pub trait OffsetStore: MaybeSend + MaybeSync + 'static {
    /// What was stored last; nothing at first. Called once, at the start.
    ///
    /// # Errors
    /// It cannot be read, or belongs to somebody else; the consumer does not start, and [`close`](Self::close) is not
    /// called: a store that fails keeps nothing to itself. The same goes for one that is dropped before it is ready, as
    /// when the client is closed meanwhile.
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>>;

    /// Stores the offsets of all queues, in place of those before. One call follows the other. When the consumer closes, what
    /// is under way and what is stored last have 3 s together; what takes longer is dropped, which is logged.
    ///
    /// # Errors
    /// They cannot be stored, which is logged; the next ones are stored at the next commit.
    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>>;

    /// The consumer is closed: another one may use the store.
    fn close(&self) {}
}

/// Offsets in memory: a consumer that starts anew with the same store goes on, one of another process does not. Cheap to
/// clone; clones share what they store.
#[derive(Clone, Debug, Default)]
pub struct MemoryOffsets(Arc<Mutex<BTreeMap<MessageQueue, u64>>>);

impl OffsetStore for MemoryOffsets {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let offsets = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(ready(Ok(offsets)))
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = offsets;
        Box::pin(ready(Ok(())))
    }
}
