//! What a host gives: sockets, a clock, tasks.

use std::sync::Arc;

use stgclient_core::client::{Event, Identity};
use stgclient_core::error::Error;
use stgclient_core::notice::Notice;
use stgclient_core::time::{Deadline, Instant, Now};

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::link::Link;
use crate::offset_store::{MemoryOffsets, OffsetStore};

/// The world around a client: sockets, a clock, tasks. Shared by everything of a client, on any thread where there are
/// threads.
pub trait Host: MaybeSend + MaybeSync + 'static {
    /// Whether clients can run here: asked before one is started.
    ///
    /// # Errors
    /// They cannot; the error says what is missing.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What the clocks say.
    fn now(&self) -> Now;

    /// Runs a task to its end, beside all others. When the host comes to its own end, it drops the task: that is how a
    /// client hears of it. Called from any thread, and never while the client's lock is held.
    fn spawn(&self, task: BoxFuture<()>);

    /// Waits until the monotonic clock says `at`.
    fn sleep_until(&self, at: Instant) -> BoxFuture<()>;

    /// Opens a byte stream to [`Link::address`], resolving its host, and drives the link with it in a task of its own:
    /// see [`Link`].
    fn connect(&self, link: Box<dyn Link>);

    /// Who clients of this host are: an address and a process.
    fn identity(&self) -> Identity;

    /// Chance, for one client's seed.
    fn seed(&self) -> u64;

    /// Where a broadcasting consumer of `group` keeps its offsets when its application does not say. `instance` is what its
    /// client was called, `DEFAULT` without a name.
    fn offset_store(&self, _instance: &str, _group: &str) -> BoxFuture<Result<Arc<dyn OffsetStore>, Error>> {
        Box::pin(std::future::ready(Ok(Arc::new(MemoryOffsets::default()) as Arc<dyn OffsetStore>)))
    }

    /// Writes a line to the host's own log, instead of the application's (`tracing`). Returns whether there is one. Called from
    /// any thread, and never while the client's lock is held.
    fn log(&self, _: &Notice) -> bool {
        false
    }

    /// Whether [`Host::observe`] wants to be called.
    fn is_observing(&self) -> bool {
        false
    }

    /// Sees what a client gives and waits for, for traces. Called under the client's lock.
    fn observe(&self, _: Observation<'_>) {}
}

/// What a host may see of a client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Observation<'a> {
    /// What the application is told.
    Event(&'a Event),
    /// When the client wants to be woken next.
    Deadline(Option<Deadline>),
}
