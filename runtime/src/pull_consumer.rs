//! Pull consumers: the application asks, and keeps its own offsets.

use std::sync::Arc;

use stgclient_core::client::PullConsumerId;
use stgclient_core::consumer::{PullBatch, PullOptions, Selects};
use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;

use crate::admin::Admin;
use crate::guard;
use crate::handle::Handle;
use crate::operation::Operation;

/// Sets a [`PullConsumer`] up.
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct PullConsumerBuilder {
    handle: Arc<Handle>,
    group: String,
}

impl PullConsumerBuilder {
    pub(crate) fn new(handle: Arc<Handle>, group: &str) -> Self {
        Self { handle, group: group.to_owned() }
    }

    /// Starts the consumer. Brokers hear of its group when it connects to them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) when the group's name is not 1 to 120 letters, digits and
    /// `%|_-`; [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the client is closed.
    pub async fn start(self) -> Result<PullConsumer, Error> {
        let Self { handle, group } = self;
        let id = handle.shared.with(|state, now| state.core.start_pull_consumer(now, &group))?;
        let admin = Admin::new(Arc::clone(&handle));
        Ok(PullConsumer { inner: Arc::new(Inner { handle, id, group, admin }) })
    }
}

/// Pulls messages. Cheap to clone; the last clone that is dropped closes it.
///
/// Where it is, the application knows: it may commit offsets at brokers ([`commit_offset`](Self::commit_offset)) or keep them
/// itself, in a file by [`FileOffsets`](crate::FileOffsets) or wherever it likes.
///
/// ```no_run
/// # async fn run(client: stgclient::Client) -> Result<(), stgclient::Error> {
/// let consumer = client.pull_consumer("audit").start().await?;
/// for queue in consumer.queues("orders").await? {
///     let offset = consumer.committed_offset(&queue).await?.unwrap_or_default();
///     let batch = consumer.pull(&queue, "paid || refunded", offset, 32).await?;
///     batch.messages.iter().for_each(|message| println!("{:?}", message.body()));
///     consumer.commit_offset(&queue, batch.next_offset).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PullConsumer {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Arc<Handle>,
    id: PullConsumerId,
    group: String,
    admin: Admin,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handle.shared.with(|state, now| state.core.close_pull_consumer(now, self.id));
    }
}

impl PullConsumer {
    /// The queues of a topic that can be pulled from, sorted by broker name and number.
    ///
    /// # Errors
    /// The topic does not exist, or no name server answers.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>, Error> {
        Operation::begin(&self.inner.handle, |core, now| core.queues(now, topic)).await
    }

    /// Pulls up to `count` messages, 1 to 1024, from `offset` on that `selector` selects: a tag expression (`*`, or `a || b`), or a
    /// [`MessageSelector`](crate::MessageSelector), as by SQL. Answers at once, also when there is nothing.
    ///
    /// # Errors
    /// The expression is none, the broker refuses or does not answer. That there is nothing at this offset is none:
    /// see [`PullBatch::status`].
    pub async fn pull(
        &self,
        queue: &MessageQueue,
        selector: impl Selects,
        offset: u64,
        count: u32,
    ) -> Result<PullBatch, Error> {
        let options = PullOptions::new().max_messages(count);
        self.pull_with(queue, selector, offset, options).await
    }

    /// As [`PullConsumer::pull`], with bounds and a time to wait for messages.
    ///
    /// # Errors
    /// As [`PullConsumer::pull`].
    pub async fn pull_with(
        &self,
        queue: &MessageQueue,
        selector: impl Selects,
        offset: u64,
        options: PullOptions,
    ) -> Result<PullBatch, Error> {
        let selector = selector.selector()?;
        let Inner { handle, id, .. } = &*self.inner;
        let operation = {
            let span = guard::span(|| tracing::trace_span!("pull", %queue, offset));
            let _inside = guard::enter(&span);
            Operation::begin(handle, |core, now| core.pull(now, *id, queue.clone(), selector, offset, options))
        };
        let settings = &handle.shared.settings;
        Ok(operation.await?.into_batch(settings.dialect, settings.max_body_length))
    }

    /// The first offset that the queue has.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn min_offset(&self, queue: &MessageQueue) -> Result<u64, Error> {
        self.inner.admin.min_offset(queue).await
    }

    /// One past the last offset that the queue has.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn max_offset(&self, queue: &MessageQueue) -> Result<u64, Error> {
        self.inner.admin.max_offset(queue).await
    }

    /// The offset of the first message stored at this moment or later, in milliseconds since 1970 UTC. From smartgo's servers it may be
    /// that of one before: the last, or any of those that were stored in the millisecond before.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn offset_at(&self, queue: &MessageQueue, unix_ms: u64) -> Result<u64, Error> {
        self.inner.admin.offset_at(queue, unix_ms).await
    }

    /// The group's committed offset; `None` when it has none.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn committed_offset(&self, queue: &MessageQueue) -> Result<Option<u64>, Error> {
        self.inner.admin.group_offset(&self.inner.group, queue).await
    }

    /// Commits the offset of the next message that the group has to consume. The broker is told at once; a push consumer of the group
    /// that is consuming the queue does not hear of it, and commits its own again: see [`Admin::reset_offsets`].
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn commit_offset(&self, queue: &MessageQueue, offset: u64) -> Result<(), Error> {
        self.inner.admin.commit_group_offset(&self.inner.group, queue, offset).await
    }

    /// Closes the consumer; pulls under way go on.
    pub async fn close(&self) {
        self.inner.handle.shared.with(|state, now| state.core.close_pull_consumer(now, self.inner.id));
    }
}

impl std::fmt::Debug for PullConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PullConsumer").field("group", &self.inner.group).finish_non_exhaustive()
    }
}
