//! One pull: its request, and the four things that can come of it.

use std::borrow::Cow;

use bytes::Bytes;

use super::MessageSelector;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::time::Duration;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage, PullMessageAnswer};

/// How much is pulled at once, and how long a broker may wait for messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullOptions {
    /// How many messages at the most, 1 to 1024. 32 by default, as brokers give at once by default.
    pub max_messages: u32,
    /// How many bytes at the most, 1 or more; the broker gives one message at least. 256 KiB by default, as in Java.
    pub max_bytes: u32,
    /// How long the broker may hold the request when there is nothing new. Zero, the default: it answers at once.
    pub wait: Duration,
    /// The time for the answer, beyond `wait`. 10 s by default.
    pub timeout: Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { max_messages: 32, max_bytes: 256 * 1024, wait: Duration::ZERO, timeout: Duration::from_secs(10) }
    }
}

impl PullOptions {
    /// 32 messages or 256 KiB, and an answer at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many messages may come, 1 to 1024.
    #[must_use]
    pub const fn max_messages(mut self, count: u32) -> Self {
        self.max_messages = count;
        self
    }

    /// Sets how many bytes may come; one message may be longer.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u32) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how long the broker may hold the request when there is nothing new.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the time for the answer, beyond `wait`.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=1024).contains(&self.max_messages) && self.max_bytes > 0 {
            return Ok(());
        }
        let why = format!("a pull of {} messages and {} bytes", self.max_messages, self.max_bytes);
        Err(Error::new(ErrorKind::InvalidArgument, format!("{why}; 1 to 1024 messages and some bytes are allowed")))
    }
}

/// What came of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PullStatus {
    /// Messages came.
    Found,
    /// There is nothing new at this offset.
    NoNewMessage,
    /// There are messages, but none with a wanted tag; go on at the next offset.
    NoMatchedMessage,
    /// The queue does not have this offset; go on at the next offset, which it has.
    OffsetIllegal,
}

/// A broker's answer to a pull, its messages still as they came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// What came of it.
    pub status: PullStatus,
    /// Where to pull next.
    pub next_offset: u64,
    /// The first offset that the queue has.
    pub min_offset: u64,
    /// One past the last offset that the queue has.
    pub max_offset: u64,
    /// The member of the broker to pull from next: 0 is the master.
    pub suggested_broker_id: u64,
    /// The queue.
    pub queue: MessageQueue,
    /// What is wanted.
    pub expression: MessageSelector,
    /// The stored messages, one after the other.
    pub body: Bytes,
}

/// The header of a pull. It commits nothing beside: brokers take pulls and commits in with different threads, and a pull
/// may wait, or be tried again, for so long that what it says is older than what was committed meanwhile.
pub(crate) fn request<'a>(
    group: &'a str,
    queue: &'a MessageQueue,
    expression: &'a MessageSelector,
    offset: u64,
    options: &PullOptions,
    dialect: Dialect,
) -> PullMessage<'a> {
    let waits = options.wait > Duration::ZERO;
    PullMessage {
        consumer_group: Cow::Borrowed(group),
        topic: Cow::Borrowed(&queue.topic),
        queue_id: queue.queue_id as i32,
        queue_offset: i64::try_from(offset).unwrap_or(i64::MAX),
        max_msg_nums: dialect.messages_to_ask_for(options.max_messages) as i32,
        sys_flag: PULL_FLAG_SUBSCRIPTION | if waits { PULL_FLAG_SUSPEND } else { 0 },
        commit_offset: 0,
        suspend_timeout_millis: i64::try_from(options.wait.as_millis()).unwrap_or(i64::MAX),
        subscription: Some(Cow::Borrowed(expression.as_str())),
        // The subscription comes with the request, so no version of it has to be known.
        sub_version: 0,
        expression_type: Some(Cow::Borrowed(expression.expression_type().name())),
        max_msg_bytes: i32::try_from(options.max_bytes).ok(),
        broker_name: Some(Cow::Borrowed(&queue.broker_name)),
    }
}

/// What a broker's answer to a pull means (`MQClientAPIImpl.processPullResponse`).
pub(crate) fn judge(queue: &MessageQueue, expression: &MessageSelector, answer: &Command) -> Result<Pulled, Error> {
    let status = match ResponseCode(answer.code) {
        ResponseCode::SUCCESS => PullStatus::Found,
        ResponseCode::PULL_NOT_FOUND => PullStatus::NoNewMessage,
        ResponseCode::PULL_RETRY_IMMEDIATELY => PullStatus::NoMatchedMessage,
        ResponseCode::PULL_OFFSET_MOVED => PullStatus::OffsetIllegal,
        code => return Err(Error::refused(code, answer.remark.as_deref())),
    };
    let header: PullMessageAnswer =
        answer.header().map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))?;
    let offset = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Pulled {
        status,
        next_offset: offset(header.next_begin_offset),
        min_offset: offset(header.min_offset),
        max_offset: offset(header.max_offset),
        suggested_broker_id: header.suggest_which_broker_id.map_or(0, offset),
        queue: queue.clone(),
        expression: expression.clone(),
        body: if status == PullStatus::Found { answer.body.clone() } else { Bytes::new() },
    })
}
