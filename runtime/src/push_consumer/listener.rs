//! The application's listener for queues that come and go, and the task that calls it.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use stgclient_core::client::PushConsumerId;
use stgclient_core::queue::MessageQueue;

use super::task::ConsumerTask;
use crate::consumer_place::{ConsumerPlace, Rebalance};
use crate::guard;
use crate::shared::Shared;
use crate::tasks::Tasks;
use stgclient_host::{BoxFuture, MaybeSend, MaybeSync};

/// What a rebalance did: see [`PushConsumerBuilder::rebalance_listener`](crate::PushConsumerBuilder::rebalance_listener).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalanced {
    /// These queues are this consumer's now. None of their messages has been delivered yet.
    Assigned(Vec<MessageQueue>),
    /// These queues leave: no more of their messages are delivered. Of an orderly consumer, what is in work still counts if it ends in
    /// time; of a concurrent one it does not, and is delivered again to the next member, unless the consumer closes.
    Revoked(Vec<MessageQueue>),
}

/// What an application does when queues come and go.
pub(super) trait Listener: MaybeSend + MaybeSync {
    fn rebalanced(&mut self, change: Rebalanced) -> BoxFuture<()>;
}

impl<F, R> Listener for F
where
    F: FnMut(Rebalanced) -> R + MaybeSend + MaybeSync,
    R: Future<Output = ()> + MaybeSend + 'static,
{
    fn rebalanced(&mut self, change: Rebalanced) -> BoxFuture<()> {
        Box::pin(self(change))
    }
}

/// Who calls a consumer's listener.
pub(super) struct Listening {
    pub(super) shared: Arc<Shared>,
    pub(super) id: PushConsumerId,
    /// For the log.
    pub(super) group: String,
    pub(super) place: Arc<ConsumerPlace>,
    pub(super) tasks: Arc<Tasks>,
    pub(super) listener: Box<dyn Listener>,
}

impl Listening {
    /// Runs until the consumer is closed and the listener has been told of all. While the listener is at it the task is not the
    /// client's: who closes waits for it no longer than it was given.
    pub(super) async fn run(self) {
        let Self { shared, id, group, place, tasks, mut listener } = self;
        let mut ours = ConsumerTask::new(&shared, &tasks);
        while let Some(rebalance) = poll_fn(|context| place.poll_rebalance(context)).await {
            drop(ours);
            let (change, done) = match rebalance {
                Rebalance::Assigned(told) => (Rebalanced::Assigned(told.queues.clone()), told),
                Rebalance::Revoked(told) => (Rebalanced::Revoked(told.queues.clone()), told),
            };
            if let Err(panic) = guard::poll(|| listener.rebalanced(change)).await {
                guard::log(|| tracing::error!(group, %panic, "the rebalance listener panicked"));
            }
            ours = ConsumerTask::new(&shared, &tasks);
            shared.with(|state, now| state.core.rebalanced(now, id, &done));
        }
        guard::discard(listener);
        drop((shared, place, tasks));
        drop(ours);
    }
}
