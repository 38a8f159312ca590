//! A push consumer, once it has started.

use std::sync::Arc;

use stgclient_core::client::PushConsumerId;
use stgclient_core::consumer::Selects;
use stgclient_core::consumer::push::{ConsumeOutcome, ConsumerStatus, Settlement, Unfinished};
use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;

use crate::consumer_place::ConsumerPlace;
use crate::handle::Handle;
use crate::shared::Shared;
use crate::tasks::Tasks;

/// Consumes messages as they come. Cheap to clone; the last clone that is dropped closes it.
#[derive(Clone)]
pub struct PushConsumer {
    pub(super) inner: Arc<Inner>,
}

/// What clones of a consumer share.
pub(super) struct Inner {
    pub(super) handle: Arc<Handle>,
    pub(super) id: PushConsumerId,
    pub(super) group: String,
    pub(super) place: Arc<ConsumerPlace>,
    pub(super) tasks: Arc<Tasks>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        shared.with(|state, now| state.core.close_push_consumer(now, self.id, shared.settings.close_timeout));
    }
}

impl PushConsumer {
    /// The group.
    pub fn group(&self) -> &str {
        &self.inner.group
    }

    /// Subscribes to another topic, or changes what is wanted of one: tags, `a || b`, or `*`.
    ///
    /// Brokers are asked in the background where a new topic's queues end: with `LastOffset`, what is sent right after this call
    /// may come before that. What is subscribed to before the start is waited for there. Whether a topic's broker takes an SQL
    /// expression shows when it fetches.
    ///
    /// # Errors
    /// The expression is none, or the consumer is closed.
    pub fn subscribe(&self, topic: &str, selector: impl Selects) -> Result<(), Error> {
        let selector = selector.selector()?;
        self.shared().with(|state, now| state.core.subscribe(now, self.inner.id, topic, selector))
    }

    /// Wants nothing more of a topic.
    pub fn unsubscribe(&self, topic: &str) {
        self.shared().with(|state, now| state.core.unsubscribe(now, self.inner.id, topic));
    }

    /// Commits what is finished now, and does not wait for [`commit_interval`](crate::PushConfig::commit_interval): for a process that is about
    /// to stand still. Whether it is committed shows in [`status`](Self::status).
    pub fn commit(&self) {
        self.shared().with(|state, now| state.core.commit_consumer(now, self.inner.id));
    }

    /// Delivers nothing, and fetches no more than what is under way (a fetch may wait for 15 s), until [`resume`](Self::resume); what is in work goes on.
    pub fn pause(&self) {
        self.shared().with(|state, now| state.core.pause_consumer(now, self.inner.id));
    }

    /// Goes on after a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.shared().with(|state, now| state.core.resume_consumer(now, self.inner.id));
    }

    /// Pauses one queue. Returns whether it is ours; a queue that comes back later is not paused.
    pub fn pause_queue(&self, queue: &MessageQueue) -> bool {
        self.shared().with(|state, now| state.core.set_queue_paused(now, self.inner.id, queue, true))
    }

    /// Goes on with one queue. Returns whether it is ours.
    pub fn resume_queue(&self, queue: &MessageQueue) -> bool {
        self.shared().with(|state, now| state.core.set_queue_paused(now, self.inner.id, queue, false))
    }

    /// How the consumer fares: its queues, lag, and what came of messages so far. Empty once it is closed.
    ///
    /// ```no_run
    /// # fn show(consumer: &stgclient::PushConsumer) {
    /// let status = consumer.status();
    /// println!("{} queues, {} in work, {:?} behind", status.queues.len(), status.in_work, status.lag());
    /// # }
    /// ```
    pub fn status(&self) -> ConsumerStatus {
        self.shared().with(|state, now| state.core.consumer_status(now, self.inner.id)).unwrap_or_default()
    }

    /// Waits until the consumer has begun with all queues that are its share of the topics that it subscribes to, or none are there
    /// for it: there are more members than queues, or the topics do not exist yet. What it waits for otherwise are other members that
    /// hand over, locks, and servers that are away; and it does not end while a broker takes no expression, or a strategy fails, which the
    /// log tells. Later rebalances may give it more. In a listener that is at assigned queues, which begin after it, it ends after 20 s.
    ///
    /// # Errors
    /// The consumer is closed.
    pub async fn ready(&self) -> Result<(), Error> {
        let place = &self.inner.place;
        let before = place.times_ready();
        self.shared().with(|state, now| state.core.await_ready(now, self.inner.id));
        self.shared().standing_in(place.ready(before)).await
    }

    /// Goes on at another offset of a queue: the next message that is delivered of it is the one at `offset`, which is committed at
    /// once. What is in work of the queue runs on and does not count any more. Returns whether the queue is this consumer's: of others
    /// nothing is changed. An offset that the queue does not have becomes the first or the end of those that it has. If its broker is
    /// away, and the queue leaves before that has the offset, the queue goes on where the group was before.
    pub fn seek(&self, queue: &MessageQueue, offset: u64) -> bool {
        self.shared().with(|state, now| state.core.seek(now, self.inner.id, queue, offset))
    }

    /// Closes the consumer: nothing more is fetched, what is in work may end within the client's close time-out, offsets
    /// are committed, locks go back, brokers hear that it leaves, which may take 3 s more when they do not answer. Returns
    /// what was in work and did not end: its handlers run on, and it is delivered again, to whoever consumes next. A last
    /// commit that fails is logged. Who closes once more may make the time shorter for all who close.
    ///
    /// It is the runtime on which the consumer was started that does all that: while nobody drives that one, this does not end.
    pub async fn close(&self) -> Vec<Unfinished> {
        self.close_within(self.shared().settings.close_timeout).await
    }

    /// As [`PushConsumer::close`], with a time of one's choice for what is in work.
    pub async fn close_within(&self, grace: Duration) -> Vec<Unfinished> {
        self.shared().with(|state, now| state.core.close_push_consumer(now, self.inner.id, grace));
        let unfinished = self.inner.place.closed().await;
        self.inner.tasks.gone().await;
        unfinished
    }

    pub(super) fn begin_close(&self) {
        let grace = self.shared().settings.close_timeout;
        self.shared().with(|state, now| state.core.close_push_consumer(now, self.inner.id, grace));
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.handle.shared
    }

    pub(super) fn id(&self) -> PushConsumerId {
        self.inner.id
    }

    pub(super) fn settle(&self, settlement: Settlement, outcome: ConsumeOutcome) -> bool {
        self.shared().with(|state, now| state.core.settle(now, self.inner.id, settlement, outcome))
    }
}

impl std::fmt::Debug for PushConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushConsumer").field("group", &self.inner.group).finish_non_exhaustive()
    }
}
