//! The task that wakes the core when something is due.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::time::Instant;

use crate::shared::Shared;

/// A task that runs until the client is closed.
pub(crate) fn run(shared: Arc<Shared>) -> impl Future<Output = ()> {
    let timers = Timers(shared);
    async move { timers.run().await }
}

/// The task. It is the one that always runs, so that its end shows that of the host.
struct Timers(Arc<Shared>);

impl Timers {
    async fn run(&self) {
        let shared = &self.0;
        loop {
            let (deadline, is_closed) = shared.with(|state, now| {
                state.core.handle_timeout(now);
                (state.core.poll_timeout(), state.is_closed)
            });
            if is_closed {
                return;
            }
            // Without a deadline there is nothing to wake for but a new one.
            let at = deadline.map_or(Instant::from_micros(u64::MAX), |deadline| deadline.at);
            let mut sleep = deadline.map(|deadline| shared.host.sleep_until(deadline.at));
            poll_fn(|context| {
                if self.poll_rearmed(at, context).is_ready() {
                    return Poll::Ready(());
                }
                sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
            })
            .await;
        }
    }

    /// Ready when there is something to do before `at`.
    fn poll_rearmed(&self, at: Instant, context: &Context<'_>) -> Poll<()> {
        self.0.peek(|state| {
            let next = state.core.poll_timeout();
            if state.is_closed || next.is_some_and(|next| next.at < at) {
                state.armed = None;
                return Poll::Ready(());
            }
            state.armed = Some(at);
            self.0.note_armed(at);
            state.timer = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        if !self.0.peek(|state| state.is_closed) {
            self.0.host_is_gone();
        }
    }
}
