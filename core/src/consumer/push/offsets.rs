//! Where a queue begins, and what is committed of it (`OffsetStore`, `RebalancePushImpl.computePullFromWhere`).

use std::collections::BTreeMap;

use super::ask::{Ask, Asked};
use super::queue::{Fetch, QueueId, Stage};
use super::{AFTER_FAILURE, ConsumeFrom, PushConsumer, PushEvent, QueueTimer, RETRY_PREFIX};
use crate::consumer::process_queue::ProcessQueue;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;

impl PushConsumer {
    /// Asks where a queue is to begin.
    pub(super) fn start(&mut self, now: Now, id: QueueId) {
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        known.stage = Stage::Starting;
        known.fetch = Fetch::Idle;
        let queue = known.queue.clone();
        if !self.config.is_broadcasting() {
            return self.ask(Asked::GroupOffset(id), Ask::GroupOffset { queue });
        }
        match self.stored_offsets.get(&queue) {
            Some(&offset) => self.begin_at(now, id, offset, true),
            None => self.ask_first_offset(id),
        }
    }

    /// Takes what the group has committed. Only a broker that knows the group and has no offset of it says so with
    /// `None`; whatever else goes wrong is asked again.
    pub(crate) fn take_group_offset(&mut self, now: Now, id: QueueId, offset: Result<Option<u64>, Error>) {
        if self.queues.get(id).is_none_or(|known| known.stage != Stage::Starting) {
            return;
        }
        match offset {
            Ok(Some(offset)) => self.begin_at(now, id, offset, true),
            Ok(None) => self.ask_first_offset(id),
            Err(error) => self.start_later(now, id, &error),
        }
    }

    /// The group has no offset: it begins where it is set up to.
    fn ask_first_offset(&mut self, id: QueueId) {
        let Some(known) = self.queues.get(id) else {
            return;
        };
        let queue = known.queue.clone();
        let is_retry = queue.topic.starts_with(RETRY_PREFIX);
        let ask = match self.config.consume_from {
            // What failed before the group had an offset has to be consumed all the same.
            _ if is_retry => Ask::MinOffset { queue },
            ConsumeFrom::LastOffset => Ask::MaxOffset { queue },
            ConsumeFrom::FirstOffset => Ask::MinOffset { queue },
            ConsumeFrom::Timestamp(unix_ms) => Ask::OffsetAt { queue, unix_ms },
        };
        self.ask(Asked::FirstOffset(id), ask);
    }

    /// Takes where a group without an offset begins.
    pub(crate) fn take_first_offset(&mut self, now: Now, id: QueueId, offset: Result<Option<u64>, Error>) {
        if self.queues.get(id).is_none_or(|known| known.stage != Stage::Starting) {
            return;
        }
        match offset {
            Ok(offset) => self.begin_at(now, id, offset.unwrap_or(0), false),
            Err(error) => self.start_later(now, id, &error),
        }
    }

    fn start_later(&mut self, now: Now, id: QueueId, error: &Error) {
        if let Some(known) = self.queues.get_mut(id) {
            tracing::warn!(group = &*self.group, queue = %known.queue, %error, "where to begin cannot be had");
            known.fetch = Fetch::Delayed;
            self.timers.set(QueueTimer::Fetch.key(id), now.mono + AFTER_FAILURE);
        }
    }

    /// A queue is consumed from `offset` on; whatever of it is in work does not count any more.
    pub(super) fn begin_at(&mut self, now: Now, id: QueueId, offset: u64, is_persisted: bool) {
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        tracing::debug!(group = &*self.group, queue = %known.queue, offset, "consuming");
        known.stage = Stage::Consuming;
        known.messages = ProcessQueue::new(offset);
        known.fetch = Fetch::Idle;
        known.committing = None;
        known.persisted = is_persisted.then_some(offset);
        self.fetch(now, id);
    }

    /// A queue goes on at another offset, because somebody wants it so or because the broker does not have the one we
    /// asked for any more (`ConsumerOffset` is updated and frozen in Java until the queue is there anew).
    pub(super) fn move_to(&mut self, now: Now, id: QueueId, offset: u64) {
        self.cancel_fetch(id);
        if let Some(known) = self.queues.get(id) {
            tracing::warn!(group = &*self.group, queue = %known.queue, offset, "the queue goes on at another offset");
        }
        self.begin_at(now, id, offset, false);
        self.commit(id);
    }

    /// Offsets that an administrator sets; those of queues that are not ours are passed over.
    pub(crate) fn reset_offsets(&mut self, now: Now, topic: &str, offsets: &BTreeMap<MessageQueue, u64>) {
        for (queue, &offset) in offsets.iter().filter(|(queue, _)| &*queue.topic == topic) {
            if let Some(&id) = self.by_queue.get(queue)
                && self.queues.get(id).is_some_and(|known| known.stage == Stage::Consuming)
            {
                self.move_to(now, id, offset);
            }
        }
    }

    /// What is finished of a queue and not yet committed.
    pub(super) fn uncommitted(&self, id: QueueId) -> Option<u64> {
        let known = self.queues.get(id)?;
        if !matches!(known.stage, Stage::Consuming | Stage::Leaving) {
            return None;
        }
        let offset = known.messages.committable();
        (known.persisted != Some(offset)).then_some(offset)
    }

    /// Commits what is finished of a queue, unless that is under way.
    fn commit(&mut self, id: QueueId) {
        let Some(offset) = self.uncommitted(id) else {
            return;
        };
        if self.config.is_broadcasting() {
            return;
        }
        if let Some(known) = self.queues.get_mut(id)
            && known.committing.is_none()
        {
            known.committing = Some(offset);
            let queue = known.queue.clone();
            self.ask(Asked::Commit(id, offset), Ask::Commit { queue, offset });
        }
    }

    pub(super) fn commit_all(&mut self) {
        if self.config.is_broadcasting() {
            return self.store_offsets();
        }
        for id in self.queue_ids() {
            if !self.needs_locks() || self.queues.get(id).is_some_and(|known| known.locked_until.is_some()) {
                self.commit(id);
            }
        }
    }

    /// A broadcasting consumer's offsets go to its application, all of them when one has changed.
    pub(super) fn store_offsets(&mut self) {
        let mut has_changed = false;
        for id in self.queue_ids() {
            let Some(offset) = self.uncommitted(id) else {
                continue;
            };
            if let Some(known) = self.queues.get_mut(id) {
                known.persisted = Some(offset);
                has_changed = true;
                self.stored_offsets.insert(known.queue.clone(), offset);
            }
        }
        if has_changed {
            self.events.push_back(PushEvent::StoreOffsets(self.stored_offsets.clone()));
        }
    }

    /// Takes what came of a commit. One that failed is tried again at the next interval.
    pub(crate) fn take_committed(&mut self, id: QueueId, offset: u64, result: Result<(), Error>) {
        let Some(known) = self.queues.get_mut(id).filter(|known| known.committing == Some(offset)) else {
            return;
        };
        known.committing = None;
        match result {
            Ok(()) => known.persisted = Some(offset),
            Err(error) => {
                tracing::warn!(group = &*self.group, queue = %known.queue, offset, %error, "offset not committed");
            }
        }
    }
}
