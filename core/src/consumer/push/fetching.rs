//! Fetching: one pull of a queue after the other, as long as there is room for what comes
//! (`DefaultMQPushConsumerImpl.pullMessage`).

use super::ask::{Ask, Asked};
use super::queue::{Fetch, QueueId, Stage};
use super::{AFTER_FAILURE, PushConsumer, QueueTimer};
use crate::consumer::{PullStatus, Pulled};
use crate::error::{Error, ErrorKind};
use crate::time::{Duration, Now};
use crate::wire::code::ResponseCode;
use crate::wire::compression;
use crate::wire::message::{StoredMessage, StoredMessages, property};

/// A broker that refuses is asked again after this time (`pullTimeDelayMillsWhenException`).
const AFTER_REFUSAL: Duration = Duration::from_secs(3);
/// A broker that wants less is asked again after this time (`PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL`).
const AFTER_FLOW_CONTROL: Duration = Duration::from_millis(20);
/// A broker that has nothing is expected to hold the pull; one that answers sooner than this is given a pause as long.
const TOO_SOON: Duration = Duration::from_millis(20);

impl PushConsumer {
    /// Pulls from a queue if nothing is under way and there is room.
    pub(super) fn fetch(&mut self, now: Now, id: QueueId) {
        if self.is_paused || self.is_closing() || !self.has_room(id) {
            return;
        }
        let needs_lock = self.needs_locks();
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        let may_fetch = known.stage == Stage::Consuming && known.fetch == Fetch::Idle && !known.is_paused;
        if !may_fetch || (needs_lock && !known.is_locked(now.mono)) {
            return;
        }
        let Some(subscription) = self.subscriptions.get(&known.queue.topic) else {
            return;
        };
        known.fetch = Fetch::UnderWay { since: now.mono };
        known.last_pull_unix_ms = now.unix_ms;
        let ask = Ask::Pull {
            queue: known.queue.clone(),
            selector: subscription.selector.clone(),
            offset: known.messages.fetch_offset(),
            committed: if self.config.is_broadcasting() { 0 } else { known.messages.committable() },
        };
        self.ask(Asked::Pull(id), ask);
    }

    /// Whether more of a queue may be cached.
    fn has_room(&self, id: QueueId) -> bool {
        let Some(known) = self.queues.get(id) else {
            return false;
        };
        let config = &self.config;
        let of_topic = |limit: Option<usize>, of_queue: usize| match limit {
            None => of_queue,
            Some(limit) => {
                let queues = self.by_queue.keys().filter(|queue| queue.topic == known.queue.topic).count();
                (limit / queues.max(1)).max(1)
            }
        };
        let messages = &known.messages;
        messages.len() < of_topic(config.max_cached_messages_of_topic, config.max_cached_messages)
            && messages.bytes() < of_topic(config.max_cached_bytes_of_topic, config.max_cached_bytes)
            && (config.is_orderly() || messages.span() <= config.max_span)
    }

    /// What was put off is tried again: a fetch, or the question where to begin.
    pub(super) fn fetch_again(&mut self, now: Now, id: QueueId) {
        let Some(known) = self.queues.get_mut(id).filter(|known| known.fetch == Fetch::Delayed) else {
            return;
        };
        known.fetch = Fetch::Idle;
        match known.stage {
            Stage::Starting => self.start(now, id),
            Stage::Consuming => self.fetch(now, id),
            Stage::Locking | Stage::Leaving => {}
        }
    }

    /// A pull under way is not wanted any more.
    pub(super) fn cancel_fetch(&mut self, id: QueueId) {
        if let Some(known) = self.queues.get_mut(id) {
            let was_under_way = matches!(known.fetch, Fetch::UnderWay { .. });
            known.fetch = Fetch::Idle;
            self.timers.clear(QueueTimer::Fetch.key(id));
            if was_under_way {
                self.ask(Asked::Pull(id), Ask::CancelPull);
            }
        }
    }

    /// Takes what came of a pull.
    pub(crate) fn take_pulled(&mut self, now: Now, id: QueueId, pulled: Result<Pulled, Error>) {
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        let Fetch::UnderWay { since } = known.fetch else {
            return;
        };
        known.fetch = Fetch::Idle;
        if known.stage != Stage::Consuming {
            return;
        }
        let pulled = match pulled {
            Ok(pulled) => pulled,
            Err(error) => return self.pull_failed(now, id, &error),
        };
        known.max_offset = pulled.max_offset;
        match pulled.status {
            PullStatus::OffsetIllegal => return self.move_to(now, id, pulled.next_offset),
            PullStatus::Found => self.take_messages(now, id, &pulled),
            PullStatus::NoNewMessage if now.mono.since(since) < TOO_SOON => {
                return self.fetch_later(now, id, TOO_SOON);
            }
            PullStatus::NoNewMessage | PullStatus::NoMatchedMessage => {}
        }
        if let Some(known) = self.queues.get_mut(id) {
            known.messages.advance(pulled.next_offset);
        }
        self.fetch(now, id);
        self.line_up(now, id);
        self.tell();
    }

    /// Takes the messages in that are wanted, by their exact tag.
    fn take_messages(&mut self, now: Now, id: QueueId, pulled: &Pulled) {
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        let before = known.messages.len();
        for stored in StoredMessages::new(pulled.body.clone(), self.dialect) {
            match stored {
                Ok(stored) if stored.is_inner_batch() => {
                    let body = if stored.is_compressed() {
                        compression::decompress(stored.body(), stored.fields.sys_flag, self.max_body_length)
                    } else {
                        Ok(stored.body_bytes())
                    };
                    match body {
                        Ok(body) => {
                            let inner = stored.inner_messages(body).filter_map(Result::ok);
                            inner.filter(|inner| is_wanted(pulled, inner)).for_each(|inner| known.messages.push(inner));
                        }
                        Err(error) => self.totals.refuse(&known.queue, Some(stored.fields.queue_offset), &error),
                    }
                }
                Ok(stored) if is_wanted(pulled, &stored) => known.messages.push(stored),
                Ok(_) => {}
                Err(error) => self.totals.refuse(&known.queue, error.queue_offset, &error),
            }
        }
        let count = known.messages.len() - before;
        self.totals.pulled(now.mono, &known.queue.topic, count);
    }

    fn pull_failed(&mut self, now: Now, id: QueueId, error: &Error) {
        if let Some(known) = self.queues.get(id) {
            tracing::debug!(group = &*self.group, queue = %known.queue, %error, "the pull failed");
        }
        let pause = match error.code() {
            Some(ResponseCode::FLOW_CONTROL) => AFTER_FLOW_CONTROL,
            _ if error.kind() == ErrorKind::Refused => AFTER_REFUSAL,
            _ => AFTER_FAILURE,
        };
        if error.kind() == ErrorKind::BrokerNotFound {
            self.rebalance_soon(now.mono);
        }
        self.fetch_later(now, id, pause);
    }

    fn fetch_later(&mut self, now: Now, id: QueueId, pause: Duration) {
        if let Some(known) = self.queues.get_mut(id) {
            known.fetch = Fetch::Delayed;
            self.timers.set(QueueTimer::Fetch.key(id), now.mono + pause);
        }
    }

    /// Fetches and delivers nothing more, until it is resumed; what is in work goes on.
    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
        for id in self.queue_ids() {
            self.cancel_fetch(id);
        }
    }

    /// Goes on after a pause.
    pub(crate) fn resume(&mut self, now: Now) {
        self.is_paused = false;
        for id in self.queue_ids() {
            self.fetch(now, id);
            self.line_up(now, id);
        }
        self.tell();
    }

    /// Pauses or resumes one queue. Returns whether it is ours; a queue that comes later is not paused.
    pub(crate) fn set_paused(&mut self, now: Now, queue: &crate::queue::MessageQueue, is_paused: bool) -> bool {
        let Some(&id) = self.by_queue.get(queue) else {
            return false;
        };
        if let Some(known) = self.queues.get_mut(id) {
            known.is_paused = is_paused;
        }
        if is_paused {
            self.cancel_fetch(id);
        } else {
            self.fetch(now, id);
            self.line_up(now, id);
            self.tell();
        }
        true
    }
}

fn is_wanted(pulled: &Pulled, stored: &StoredMessage) -> bool {
    pulled.expression.is_everything() || pulled.expression.matches(stored.properties().get(property::TAGS))
}
