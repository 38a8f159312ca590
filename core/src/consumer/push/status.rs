//! What a consumer tells of itself in numbers: lag, rates, and each queue's place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::count::Count;
use super::queue::{AssignedQueue, QueueId};
use super::settling::ConsumeOutcome;
use super::{PushConsumer, Unfinished};
use crate::metrics::ConsumerMetrics;
use crate::notice::{Notice, Notices, Severity};
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::time::{Instant, Now};
use crate::wire::body::{ConsumeStatus, ConsumerRunningInfo};

/// How a push consumer fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// Whether it has begun with all queues that are its share, or none are there for it.
    pub is_ready: bool,
    /// Its queues.
    pub queues: Vec<QueueStatus>,
    /// Messages that came so far, by topic; nothing of topics that are not subscribed to any more.
    pub pulled: BTreeMap<Arc<str>, u64>,
    /// Messages that were consumed so far, by topic.
    pub consumed: BTreeMap<Arc<str>, u64>,
    /// Messages that failed so far, by topic; each counts as often as it fails.
    pub failed: BTreeMap<Arc<str>, u64>,
    /// Messages that were consumed in the last minute, of all topics.
    pub consumed_last_minute: u64,
    /// Messages that failed in the last minute, of all topics.
    pub failed_last_minute: u64,
    /// Messages that came and could not be read: they are passed over.
    pub refused: u64,
    /// Messages that the application has.
    pub in_work: usize,
}

impl ConsumerStatus {
    /// How many messages of all its queues are not yet consumed, as far as the brokers said; `None` while that is not known:
    /// before it has got its share of the queues, and before each has been fetched from. That of the whole group, whoever
    /// consumes it, an administrator has.
    pub fn lag(&self) -> Option<u64> {
        if !self.is_ready {
            return None;
        }
        sum(self.queues.iter().filter(|queue| queue.is_consuming).map(|queue| queue.lag))
    }
}

/// How a queue of a push consumer fares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// The queue.
    pub queue: MessageQueue,
    /// Whether it is being consumed; otherwise it waits for its lock, or for another owner to have stopped, for where to begin, or for a broker that takes the SQL
    /// expression, or is about to leave.
    pub is_consuming: bool,
    /// The offset of the first message that is not finished.
    pub offset: u64,
    /// The offset that is committed; `None` before the first commit.
    pub committed: Option<u64>,
    /// The offset to fetch from.
    pub fetch_offset: u64,
    /// How many messages are not yet consumed, as far as the broker said; `None` until it has.
    pub lag: Option<u64>,
    /// Messages that are fetched and not finished.
    pub cached_messages: usize,
    /// Their bytes.
    pub cached_bytes: usize,
    /// Whether the broker's lock on it is ours, which orderly consumers need; where brokers grant none (smartgo's), whether it is
    /// ours by allocation and nobody else can have it.
    pub is_locked: bool,
    /// Whether it is paused.
    pub is_paused: bool,
    /// How many messages could not be read, and were passed over.
    pub passed_over: u64,
    /// The offset of the last of those.
    pub last_passed_over: Option<u64>,
}

/// By topic.
type Counts = SortedMap<Arc<str>, Count>;

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pulled: Counts,
    consumed: Counts,
    failed: Counts,
    /// All that only grows, of topics that are not subscribed to any more too.
    pub(super) metrics: ConsumerMetrics,
    /// What closing will tell of.
    pub(super) unfinished: Vec<Unfinished>,
}

impl Totals {
    pub(super) fn pulled(&mut self, now: Instant, topic: &Arc<str>, count: usize) {
        self.metrics.pulled += count as u64;
        add(&mut self.pulled, now, topic, count);
    }

    /// A message that came cannot be read.
    pub(super) fn pass_over(
        &mut self,
        known: &mut AssignedQueue,
        offset: u64,
        why: &dyn core::fmt::Display,
        notices: &mut Notices,
    ) {
        notices.push_with(Severity::Error, || {
            let notice = Notice::error("a message cannot be read, and is passed over").about("queue", &known.queue);
            notice.about("offset", offset).about("error", why)
        });
        known.passed_over += 1;
        known.last_passed_over = Some(offset);
        self.metrics.passed_over += 1;
    }

    /// Nobody subscribes to a topic any more.
    pub(super) fn forget(&mut self, topic: &str) {
        for counts in [&mut self.pulled, &mut self.consumed, &mut self.failed] {
            counts.remove(topic);
        }
    }
}

fn add(counts: &mut Counts, now: Instant, topic: &Arc<str>, count: usize) {
    if !counts.contains_key(topic) {
        counts.insert(topic.clone(), Count::default());
    }
    if let Some(known) = counts.get_mut(topic) {
        known.add(now, count);
    }
}

fn totals(counts: &Counts) -> BTreeMap<Arc<str>, u64> {
    counts.iter().map(|(topic, count)| (topic.clone(), count.total())).collect()
}

/// All lags together, if each is known; of what brokers say, the most that there is a number for.
fn sum(mut lags: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    lags.try_fold(0_u64, |sum, lag| Some(sum.saturating_add(lag?)))
}

fn last_minute(counts: &Counts, now: Instant) -> u64 {
    counts.values().map(|count| count.last_minute(now)).sum()
}

impl PushConsumer {
    pub(super) fn note_consumed(&mut self, now: Now, id: QueueId, count: usize, outcome: ConsumeOutcome) {
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        known.last_consume_unix_ms = now.unix_ms;
        let Totals { consumed, failed, metrics, .. } = &mut self.totals;
        let (counts, all) = match outcome {
            ConsumeOutcome::Success | ConsumeOutcome::Commit => (consumed, &mut metrics.consumed),
            ConsumeOutcome::ReconsumeLater(_) | ConsumeOutcome::SuspendCurrentQueue(_) | ConsumeOutcome::Rollback => {
                (failed, &mut metrics.failed)
            }
        };
        *all += count as u64;
        if self.subscriptions.contains_key(&known.queue.topic) {
            add(counts, now.mono, &known.queue.topic, count);
        }
    }

    /// What is finished of a topic's queues.
    pub(crate) fn offsets_of(&self, topic: &str) -> BTreeMap<MessageQueue, u64> {
        let of_topic = self.queues.iter().map(|(_, known)| known).filter(|known| &*known.queue.topic == topic);
        let consuming = of_topic.filter(|known| known.is_consuming());
        consuming.map(|known| (known.queue.clone(), known.messages.committable())).collect()
    }

    /// As `mqadmin consumerStatus` shows it (`DefaultMQPushConsumerImpl.consumerRunningInfo`).
    pub(crate) fn running_info(&self, now: Now, name_servers: &str) -> ConsumerRunningInfo {
        let config = &self.config;
        let properties = [
            ("PROP_CONSUME_TYPE", "CONSUME_PASSIVELY".to_owned()),
            ("PROP_CONSUMEORDERLY", config.is_orderly().to_string()),
            ("PROP_THREADPOOL_CORE_SIZE", config.max_in_work.to_string()),
            ("PROP_CONSUMER_START_TIMESTAMP", self.started_unix_ms.to_string()),
            ("PROP_NAMESERVER_ADDR", name_servers.to_owned()),
            ("PROP_CLIENT_VERSION", "V5_4_0".to_owned()),
            ("consumerGroup", self.group.to_string()),
            ("consumeMessageBatchMaxSize", config.consume_batch_size.to_string()),
            ("pullBatchSize", config.pull_batch_size.to_string()),
        ];
        let is_orderly = config.is_orderly();
        ConsumerRunningInfo {
            mq_table: self.queues.iter().map(|(_, known)| (known.queue.key(), known.info(now, is_orderly))).collect(),
            properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            status_table: self.topics().map(|topic| (topic.to_string(), self.consume_status(now, topic))).collect(),
            subscription_set: self.heartbeat_data().subscription_data_set,
            ..ConsumerRunningInfo::default()
        }
    }

    /// Rates of a topic, of the last minute.
    fn consume_status(&self, now: Now, topic: &str) -> ConsumeStatus {
        let lately = |counts: &Counts| counts.get(topic).map_or(0, |count| count.last_minute(now.mono));
        let per_second = |counts: &Counts| lately(counts) as f64 / 60.0;
        ConsumeStatus {
            consume_failed_msgs: self.totals.failed.get(topic).map_or(0, Count::total) as i64,
            consume_failed_tps: per_second(&self.totals.failed),
            consume_ok_tps: per_second(&self.totals.consumed),
            pull_tps: per_second(&self.totals.pulled),
            ..ConsumeStatus::default()
        }
    }

    /// What it has counted, and how it fares now.
    pub(crate) fn metrics(&self) -> ConsumerMetrics {
        let queues = || self.queues.iter().map(|(_, known)| known);
        let lags = queues().filter(|known| known.is_consuming() && !known.is_unchecked).map(AssignedQueue::lag);
        ConsumerMetrics {
            queues: queues().filter(|known| !known.is_leaving()).count(),
            in_work: self.in_work,
            lag: if self.is_ready() { sum(lags) } else { None },
            ..self.totals.metrics
        }
    }

    /// How the consumer fares.
    pub(crate) fn status(&self, now: Now) -> ConsumerStatus {
        let queues = self.queues.iter().map(|(_, known)| QueueStatus {
            queue: known.queue.clone(),
            is_consuming: known.is_consuming() && !known.is_unchecked,
            offset: known.messages.committable(),
            committed: known.commit.persisted,
            fetch_offset: known.messages.fetch_offset(),
            lag: known.lag(),
            cached_messages: known.messages.len(),
            cached_bytes: known.messages.bytes(),
            is_locked: known.lock.is_held(now.mono),
            is_paused: known.is_paused || self.is_paused,
            passed_over: known.passed_over,
            last_passed_over: known.last_passed_over,
        });
        ConsumerStatus {
            is_ready: self.is_ready(),
            queues: queues.collect(),
            pulled: totals(&self.totals.pulled),
            consumed: totals(&self.totals.consumed),
            failed: totals(&self.totals.failed),
            consumed_last_minute: last_minute(&self.totals.consumed, now.mono),
            failed_last_minute: last_minute(&self.totals.failed, now.mono),
            refused: self.totals.metrics.passed_over,
            in_work: self.in_work,
        }
    }
}
