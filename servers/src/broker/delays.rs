//! Messages that are held back for a while, by levels (`ScheduleMessageService`).
//!
//! They lie in a topic of the broker's own, one queue for each level, and are stored again in their real topic when their
//! time has come. As every message they give way when the broker is full.

use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::message::{Properties, StoredMessage, property};

use super::super::refusal::Refusal;
use super::Broker;
use super::store::{NewMessage, Stored};
use super::topic_names::SCHEDULE_TOPIC;

/// How long the levels from 1 on are, in seconds (`messageDelayLevel`).
const LEVELS: [u64; LEVEL_COUNT] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
/// How long a message waits for which there is no room when its time has come (`DELAY_FOR_A_WHILE`).
const FOR_A_WHILE: Duration = Duration::from_millis(100);
/// How many levels there are.
pub(super) const LEVEL_COUNT: usize = 18;

/// Where each level stands.
#[derive(Debug, Default)]
pub(super) struct Delays([Level; LEVEL_COUNT]);

/// The messages of one level become due in the order in which they came.
#[derive(Debug, Default)]
struct Level {
    /// The offset of the next message to be delivered.
    next: i64,
    /// When that is; `None` without one.
    due: Option<Instant>,
}

impl Delays {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(|level| level.due).min()
    }
}

impl Broker {
    /// Stores a message where those of its level are held back. A level above the last one is the last one
    /// (`HookUtils.transformDelayLevelMessage`).
    pub(super) fn hold_back(&mut self, now: Now, message: &NewMessage<'_>) -> Result<Stored, Refusal> {
        let level = usize::try_from(message.delay_level).unwrap_or_default().clamp(1, LEVEL_COUNT);
        let real = self.topics.get(message.topic).ok_or_else(|| Refusal::topic_missing(""))?;
        let topic = self.topics.find(SCHEDULE_TOPIC).ok_or_else(|| Refusal::topic_missing(SCHEDULE_TOPIC))?;
        let mut properties = Properties::from_encoded(message.properties);
        let is_above = usize::try_from(message.delay_level).is_ok_and(|said| said > level);
        let set = if is_above { properties.set(property::DELAY, &level.to_string()) } else { Ok(()) };
        let set = set
            .and_then(|()| properties.set(property::REAL_TOPIC, &real.name))
            .and_then(|()| properties.set(property::REAL_QUEUE_ID, &message.queue_id.to_string()));
        set.map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
        let properties = properties.encoded();
        let stored = self.append(now, &NewMessage { topic, queue_id: level as u32 - 1, properties, ..*message })?;
        self.delays.0[level - 1].due.get_or_insert(now.mono + Duration::from_secs(LEVELS[level - 1]));
        Ok(stored)
    }

    /// The levels that have had messages: which one is delivered next, and where they end.
    pub(super) fn held_back(&self) -> impl Iterator<Item = (usize, i64, i64)> {
        let topic = self.topics.by_name(SCHEDULE_TOPIC);
        self.delays.0.iter().zip(1..).filter_map(move |(level, number)| {
            let end = topic?.queue(number as u32 - 1)?.max_offset();
            (end > 0).then_some((number, level.next, end))
        })
    }

    /// Delivers the messages whose time has come.
    pub(super) fn deliver_due(&mut self, now: Now) {
        for level in 0..LEVEL_COUNT {
            while self.delays.0[level].due.is_some_and(|due| due <= now.mono) {
                self.delays.0[level].due = self.deliver_next(now, level);
            }
        }
    }

    /// Delivers the next message of a level, and says when the one after it is due; or says when this one is.
    fn deliver_next(&mut self, now: Now, level: usize) -> Option<Instant> {
        let queue = self.topics.by_name(SCHEDULE_TOPIC)?.queue(level as u32)?;
        // Older ones may have given way.
        let offset = self.delays.0[level].next.max(queue.min_offset());
        self.delays.0[level].next = offset;
        let record = self.log.get(queue.get(offset)?.record)?;
        let due = record.store_timestamp + LEVELS[level] * 1000;
        if let Some(left) = due.checked_sub(now.unix_ms).filter(|left| *left > 0) {
            return Some(now.mono + Duration::from_millis(left));
        }
        let message = self.log.decode(record);
        if message.is_ok_and(|message| self.deliver(now, &message).is_err()) {
            return Some(now.mono + FOR_A_WHILE);
        }
        self.delays.0[level].next = offset + 1;
        Some(now.mono)
    }

    /// The message still says by which level it was held back: `messageTimeUp` clears that after it has written the
    /// properties down. A topic that is gone takes its messages with it: with Apache's broker, too, nobody could pull them.
    ///
    /// # Errors
    /// There is no room for it yet.
    fn deliver(&mut self, now: Now, message: &StoredMessage) -> Result<(), Refusal> {
        let properties = message.properties();
        let topic = properties.get(property::REAL_TOPIC).and_then(|name| self.topics.find(name));
        let queue_id = properties.get(property::REAL_QUEUE_ID).and_then(|id| id.parse().ok());
        let (Some(topic), Some(queue_id)) = (topic, queue_id) else {
            return Ok(());
        };
        let stored = self.append(
            now,
            &NewMessage {
                topic,
                queue_id,
                flag: message.fields.flag,
                sys_flag: message.fields.sys_flag,
                born_timestamp: message.fields.born_timestamp,
                born_host: message.fields.born_host,
                reconsume_times: message.fields.reconsume_times,
                delay_level: 0,
                properties: properties.encoded(),
                body: message.body(),
            },
        );
        stored.map(|_| ())
    }
}
