//! The callbacks of a producer's sends that have not returned: who flushes waits for those, too.

use std::cell::Cell;
use std::sync::Arc;
use stgclient_core::sorted::SortedSet;

use crate::guard;
use crate::sync::{Mutex, Seated, Wakers, lock};

/// The callbacks of one producer, by the order of their sends.
#[derive(Debug, Default)]
pub(crate) struct Callbacks(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    pending: SortedSet<u64>,
    waiting: Wakers,
}

impl Callbacks {
    /// One more, which has returned once the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Callback {
        let mut inner = lock(&self.0);
        inner.last += 1;
        let number = inner.last;
        inner.pending.insert(number);
        Callback { of: Arc::clone(self), number }
    }

    /// The last that has begun.
    pub(crate) fn last(&self) -> u64 {
        lock(&self.0).last
    }

    /// Ends when all up to this one have returned.
    pub(crate) async fn returned(&self, last: u64) {
        let are_over = |inner: &mut Inner| inner.pending.first().is_none_or(|first| *first > last).then_some(());
        Seated::new(&self.0, |inner| &mut inner.waiting, are_over).await;
    }
}

thread_local! {
    /// Whether this thread runs a callback.
    static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether a callback is being run by this thread.
pub(crate) fn is_within() -> bool {
    IS_WITHIN.get()
}

/// A callback is run by this thread until this is dropped.
pub(crate) fn enter() -> Within {
    Within(IS_WITHIN.replace(true))
}

/// What was before.
pub(crate) struct Within(bool);

impl Drop for Within {
    fn drop(&mut self) {
        IS_WITHIN.set(self.0);
    }
}

/// A callback that has not returned.
#[derive(Debug)]
pub(crate) struct Callback {
    of: Arc<Callbacks>,
    number: u64,
}

impl Drop for Callback {
    fn drop(&mut self) {
        let mut inner = lock(&self.of.0);
        inner.pending.remove(&self.number);
        let waiting: Vec<_> = inner.waiting.take().collect();
        drop(inner);
        waiting.into_iter().for_each(guard::wake);
    }
}
