//! The task that wakes the core when something is due.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::time::Instant;

use crate::shared::{Shared, State};

/// Runs until the client is closed.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let (deadline, is_closed) = shared.with(|state, now| {
            state.core.handle_timeout(now);
            (state.core.poll_timeout(), state.is_closed)
        });
        if is_closed {
            break;
        }
        // Without a deadline there is nothing to wake for but a new one.
        let at = deadline.map_or(Instant::from_micros(u64::MAX), |deadline| deadline.at);
        let mut sleep = deadline.map(|deadline| shared.host.sleep_until(deadline.at));
        poll_fn(|context| {
            if poll_rearmed(&shared, at, context).is_ready() {
                return Poll::Ready(());
            }
            sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
        })
        .await;
    }
    let gone = shared.peek(State::end_task);
    gone.into_iter().for_each(std::task::Waker::wake);
}

/// Ready when there is something to do before `at`.
fn poll_rearmed(shared: &Arc<Shared>, at: Instant, context: &Context<'_>) -> Poll<()> {
    shared.peek(|state| {
        let next = state.core.poll_timeout();
        if state.is_closed || next.is_some_and(|next| next.at < at) {
            state.armed = None;
            return Poll::Ready(());
        }
        state.armed = Some(at);
        state.timer = Some(context.waker().clone());
        Poll::Pending
    })
}
