//! How a push consumer is set up; the defaults are Java's (`DefaultMQPushConsumer`).

use crate::error::{Error, ErrorKind};
use crate::time::Duration;
use crate::wire::body::ConsumeFromWhere;
pub use crate::wire::body::MessageModel;

/// Where a group begins on a queue of which it has no offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumeFrom {
    /// After the last message that there was when the consumer subscribed: where that is, brokers are told at once, of every
    /// queue. A queue that appears later is newer than the group, and begins with its first message. One of which the group has no
    /// offset although it has some of the topic's others is taken for newer, too, and begins with what was stored in the half
    /// hour before. (A broker older than 5.x whose queue is young, so that its first message
    /// is still there in memory, lets a new group begin with that one, as it does for every client.)
    #[default]
    LastOffset,
    /// With the first message there is.
    FirstOffset,
    /// With the first message stored at this time or later, milliseconds since 1970 UTC; at smartgo's brokers perhaps with the one
    /// before.
    Timestamp(u64),
}

impl ConsumeFrom {
    pub(crate) const fn on_the_wire(self) -> ConsumeFromWhere {
        match self {
            Self::LastOffset => ConsumeFromWhere::LastOffset,
            Self::FirstOffset => ConsumeFromWhere::FirstOffset,
            Self::Timestamp(_) => ConsumeFromWhere::Timestamp,
        }
    }
}

/// In which order messages of a queue are consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsumeOrder {
    /// Side by side, in any order (`MessageListenerConcurrently`).
    #[default]
    Concurrently,
    /// One delivery of a queue after the other, in the order of the offsets (`MessageListenerOrderly`).
    Orderly,
}

/// When a message that failed is to be consumed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryDelay {
    /// As the broker does it: later each time, from 10 s to 2 h.
    #[default]
    Broker,
    /// After the delay of a level: 1 to 18 mean 1, 5, 10, 30 s, 1 to 10 min, 20, 30 min, 1 and 2 h, unless the broker is
    /// set up in another way.
    Level(u8),
    /// Never: it goes to the group's dead letters (`%DLQ%group`).
    Never,
}

impl RetryDelay {
    /// As `CONSUMER_SEND_MSG_BACK` says it.
    pub(crate) const fn level(self) -> i32 {
        match self {
            Self::Broker => 0,
            Self::Level(level) => level as i32,
            Self::Never => -1,
        }
    }
}

/// How a push consumer is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PushConfig {
    /// Whether the members of the group share the messages, as by default, or each gets all.
    pub message_model: MessageModel,
    /// Where the group begins when it has no offset.
    pub consume_from: ConsumeFrom,
    /// In which order messages of a queue are consumed. The form of consumption sets it: `concurrently`, `orderly`.
    pub order: ConsumeOrder,
    /// How many messages the application may have in work, 1 or more. 64 by default.
    pub max_in_work: usize,
    /// How many messages one delivery may have, 1 to 1024. 1 by default.
    pub consume_batch_size: usize,
    /// How many messages a second are delivered at the most, 1 or more; `None`, the default: as many as come.
    pub max_rate: Option<u32>,
    /// How many messages are fetched at once, 1 to 1024. 32 by default, which is also what brokers give by default.
    pub pull_batch_size: u32,
    /// How many bytes are fetched at once, 1 or more. 256 KiB by default.
    pub pull_max_bytes: u32,
    /// How long a broker may hold a fetch when there is nothing new. 15 s by default.
    pub pull_wait: Duration,
    /// A queue with more unfinished messages is not fetched from, 1 or more; 1000 by default. Those that an orderly consumer which commits itself has consumed count
    /// by their bytes only.
    pub max_cached_messages: usize,
    /// A queue with more bytes of unfinished messages is not fetched from, 1 or more; 100 MiB by default. When all of them are consumed and none is committed, they are
    /// delivered again.
    pub max_cached_bytes: usize,
    /// A queue whose last fetched offset is further from the first unfinished one is not fetched from; concurrent
    /// consumption only. 2000 by default.
    pub max_span: u64,
    /// The bound of messages for all queues of a topic together, in place of the one for each. None by default.
    pub max_cached_messages_of_topic: Option<usize>,
    /// The bound of bytes for all queues of a topic together, in place of the one for each. None by default.
    pub max_cached_bytes_of_topic: Option<usize>,
    /// How often a message is consumed again before it goes to the dead letters; `None`: 16 times, and for an orderly
    /// consumer without end.
    pub max_reconsume_times: Option<u32>,
    /// A concurrent consumer that has a message for longer is taken to have failed; its end is ignored then. Its handler keeps
    /// its place among `max_in_work` until it returns: where all hang, nothing more is consumed, which is logged. 15 min by default,
    /// 1 ms or longer.
    pub consume_timeout: Duration,
    /// After a failure an orderly consumer's queue rests for so long. 1 s by default.
    pub suspend_time: Duration,
    /// Whether an orderly consumer commits what it has consumed by itself. The form of consumption sets it.
    pub auto_commit: bool,
    /// Whether the application is told of queues that are its own now or no longer, and waited for before they begin and leave.
    /// A rebalance listener sets it.
    pub follows_queues: bool,
    /// How often offsets are committed, 1 ms or longer. 5 s by default.
    pub commit_interval: Duration,
    /// How often the queues are shared anew, 1 ms or longer. 20 s by default.
    pub rebalance_interval: Duration,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            message_model: MessageModel::Clustering,
            consume_from: ConsumeFrom::LastOffset,
            order: ConsumeOrder::Concurrently,
            max_in_work: 64,
            consume_batch_size: 1,
            max_rate: None,
            pull_batch_size: 32,
            pull_max_bytes: 256 * 1024,
            pull_wait: Duration::from_secs(15),
            max_cached_messages: 1000,
            max_cached_bytes: 100 * 1024 * 1024,
            max_span: 2000,
            max_cached_messages_of_topic: None,
            max_cached_bytes_of_topic: None,
            max_reconsume_times: None,
            consume_timeout: Duration::from_secs(15 * 60),
            suspend_time: Duration::from_secs(1),
            auto_commit: true,
            follows_queues: false,
            commit_interval: Duration::from_secs(5),
            rebalance_interval: Duration::from_secs(20),
        }
    }
}

/// What is done again and again is at least so far apart.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

impl PushConfig {
    /// # Errors
    /// A number is out of its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = if self.max_in_work == 0 {
            "max_in_work is 0: nothing would ever be consumed"
        } else if !(1..=1024).contains(&self.consume_batch_size) {
            "consume_batch_size is not from 1 to 1024"
        } else if !(1..=1024).contains(&self.pull_batch_size) || self.pull_max_bytes == 0 {
            "pull_batch_size is not from 1 to 1024, or pull_max_bytes is 0"
        } else if self.max_rate == Some(0) {
            "max_rate is 0: nothing would ever be consumed; PushConsumer::pause holds messages back for a while"
        } else if self.max_cached_messages == 0 || self.max_cached_bytes == 0 {
            "max_cached_messages or max_cached_bytes is 0: nothing would ever be fetched"
        } else if [self.commit_interval, self.rebalance_interval, self.consume_timeout]
            .iter()
            .any(|d| *d < LEAST_INTERVAL)
        {
            "commit_interval, rebalance_interval or consume_timeout is shorter than 1 ms"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, wrong))
    }

    pub(crate) fn is_orderly(&self) -> bool {
        self.order == ConsumeOrder::Orderly
    }

    pub(crate) fn is_broadcasting(&self) -> bool {
        self.message_model == MessageModel::Broadcasting
    }

    /// As requests say it: how often a message is consumed again (`getMaxReconsumeTimes`).
    pub(crate) fn most_reconsume_times(&self) -> i32 {
        self.max_reconsume_times.map_or(16, |times| i32::try_from(times).unwrap_or(i32::MAX))
    }
}
