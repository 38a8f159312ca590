//! The future of an operation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::client::{Client as Core, OperationId, Outcome};
use stgclient_core::time::Now;

use crate::client::Handle;
use crate::shared::Waiter;

/// An operation under way; dropped, it is cancelled.
pub(crate) struct Operation {
    handle: Arc<Handle>,
    /// The operation and its waiter's place; `None` once the outcome has been taken.
    waiting: Option<(OperationId, u32)>,
}

impl Operation {
    /// Begins an operation of the core.
    pub(crate) fn begin(handle: &Arc<Handle>, begin: impl FnOnce(&mut Core, Now) -> OperationId) -> Self {
        let waiting = handle.shared.with(|state, now| {
            let id = begin(&mut state.core, now);
            (id, state.register(id, Waiter::Nobody))
        });
        Self::begun(handle, waiting)
    }

    /// An operation that was begun and registered already.
    pub(crate) fn begun(handle: &Arc<Handle>, waiting: (OperationId, u32)) -> Self {
        Self { handle: Arc::clone(handle), waiting: Some(waiting) }
    }
}

impl Future for Operation {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some((_, place)) = self.waiting else {
            return Poll::Pending;
        };
        let outcome = self.handle.shared.lock().poll_outcome(place, context.waker());
        let Some(outcome) = outcome else {
            return Poll::Pending;
        };
        self.waiting = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let Some((id, place)) = self.waiting {
            self.handle.shared.with(|state, now| state.give_up(now, id, place));
        }
    }
}
