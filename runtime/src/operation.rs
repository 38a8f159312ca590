//! The future of an operation.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::client::{Client as Core, Given, Outcome, Pending};
use stgclient_core::error::Error;
use stgclient_core::time::Now;

use crate::handle::Handle;
use crate::waiting::{Completion, Waiter};

/// An operation under way, or in line; dropped, it is cancelled.
pub(crate) struct Operation<T> {
    under_way: UnderWay,
    /// What it gives.
    gives: PhantomData<fn() -> T>,
}

/// An operation, whatever it gives: what is compiled once for all of them.
struct UnderWay {
    handle: Arc<Handle>,
    /// Where its future waits; `None` once the outcome has been taken.
    place: Option<Arc<Completion>>,
    is_polled: bool,
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("is_over", &self.under_way.place.is_none()).finish_non_exhaustive()
    }
}

impl<T: Given> Operation<T> {
    /// Begins an operation of the core.
    pub(crate) fn begin(handle: &Arc<Handle>, begin: impl FnOnce(&mut Core, Now) -> Pending<T>) -> Self {
        let place = Completion::new(Waiter::Nobody);
        handle.shared.with(|state, now| {
            let pending = begin(&mut state.core, now);
            state.waiting.register(pending.id(), Arc::clone(&place));
        });
        Self::at(handle, place)
    }

    /// An operation that has a place already.
    pub(crate) fn at(handle: &Arc<Handle>, place: Arc<Completion>) -> Self {
        let under_way = UnderWay { handle: Arc::clone(handle), place: Some(place), is_polled: false };
        Self { under_way, gives: PhantomData }
    }
}

impl<T: Given> Future for Operation<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.under_way.poll(context).map(T::read)
    }
}

impl UnderWay {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Outcome> {
        let outcome = self.place.as_ref().and_then(|place| place.poll_outcome(context.waker()));
        match outcome {
            Some(outcome) => {
                self.place = None;
                Poll::Ready(outcome)
            }
            None => {
                // One that is polled again in vain may have been let down by the timers.
                if std::mem::replace(&mut self.is_polled, true) {
                    self.handle.shared.stand_in_for_timers();
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.handle.shared.with(|state, now| state.give_up(now, &place));
        }
    }
}
