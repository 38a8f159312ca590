//! The future of an operation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::client::{Client as Core, OperationId, Outcome};
use stgclient_core::time::Now;

use crate::client::Handle;
use crate::waiting::Waiter;

/// An operation under way, or in line; dropped, it is cancelled.
pub(crate) struct Operation {
    handle: Arc<Handle>,
    /// Where this future waits; `None` once the outcome has been taken.
    place: Option<u32>,
}

impl Operation {
    /// Begins an operation of the core.
    pub(crate) fn begin(handle: &Arc<Handle>, begin: impl FnOnce(&mut Core, Now) -> OperationId) -> Self {
        let place = handle.shared.with(|state, now| {
            let id = begin(&mut state.core, now);
            state.waiting.register(id, Waiter::Nobody)
        });
        Self::at(handle, place)
    }

    /// An operation that has a place already.
    pub(crate) fn at(handle: &Arc<Handle>, place: u32) -> Self {
        Self { handle: Arc::clone(handle), place: Some(place) }
    }
}

impl Future for Operation {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(place) = self.place else {
            return Poll::Pending;
        };
        let outcome = self.handle.shared.lock().waiting.poll_outcome(place, context.waker());
        let Some(outcome) = outcome else {
            return Poll::Pending;
        };
        self.place = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.handle.shared.with(|state, now| state.give_up(now, place));
        }
    }
}
