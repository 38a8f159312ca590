//! Sending: which queue, how often, for how long, and what the broker's answer means.

mod content;
pub mod latency;
mod limits;
mod message;
pub(crate) mod queue_choice;
mod receipt;
mod selection;
mod send;
mod unique_ids;
mod validate;

pub use content::{Body, TopicName};
pub use latency::LatencyFaults;
pub use limits::Backlog;
pub use message::{Compressed, Message};
pub use queue_choice::{QueueChoice, QueueSelector};
pub use receipt::{MessageId, Receipt, SendStatus};
pub use selection::{Choice, Spent, SpentOther};
pub use send::CommunicationMode;
pub(crate) use send::{Send, Verdict};
pub(crate) use unique_ids::UniqueIds;
pub(crate) use validate::check_message;
pub use validate::{check_group, check_topic};

use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::time::Duration;

/// How a producer sends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// The time that one send lives in: all its tries, the pauses between them, and what it waits for a route, for a
    /// connection to a broker that is away and for room. A send fails before its time is up only when nothing can come of
    /// waiting. 3 s, as in `DefaultMQProducer`.
    pub send_timeout: Duration,
    /// How often a message is handed to a broker at the most, one at least: how many copies of it there can be. What the
    /// broker refuses counts, and what gets no answer; waiting for a route or a connection is no try. After a refusal that
    /// may pass, such as SYSTEM_BUSY, the same broker is left alone for 100 ms, and twice as long each time, up to 1 s, with
    /// jitter; another one is tried at once. 3, as `retryTimesWhenSendFailed` makes it in Java.
    pub max_tries: u32,
    /// The time for one try while another is possible; the last one has all that is left. Half of what is left by default, so
    /// that neither a hung broker nor a lost answer uses up the whole.
    pub try_timeout: Option<Duration>,
    /// The largest body, in bytes, before compression. By default what brokers accept: 4 MiB; towards smartgo's 128 KiB as in
    /// its own client. These must never get a message of more than 512 KiB, its topic and properties included, so that more
    /// is refused whatever is said here.
    pub max_body_size: Option<usize>,
    /// How many queues a topic gets that the first send creates, where brokers create topics. 4 by default.
    pub default_topic_queues: u32,
    /// The template of such a topic; the dialect's default topic when `None`. Smartgo's servers take none: the client creates
    /// the topic.
    pub template_topic: Option<String>,
    /// How many messages may wait for their answer. 2048 by default.
    pub max_waiting_messages: usize,
    /// How many bytes of bodies may wait for their answer. 64 MiB by default; one message may wait whatever its length.
    pub max_waiting_bytes: usize,
    /// Whether brokers that were slow are avoided for a while. They are by default.
    pub avoid_slow_brokers: bool,
}

impl ProducerConfig {
    /// # Errors
    /// A number is out of its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = if self.send_timeout.is_zero() || self.try_timeout.is_some_and(|timeout| timeout.is_zero()) {
            "send_timeout or try_timeout is 0: no send could end in time"
        } else if self.default_topic_queues == 0 {
            "default_topic_queues is 0: a topic without queues takes nothing"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, wrong))
    }
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            send_timeout: Duration::from_secs(3),
            max_tries: 3,
            try_timeout: None,
            max_body_size: None,
            default_topic_queues: 4,
            template_topic: None,
            max_waiting_messages: 2_048,
            max_waiting_bytes: 64 * 1024 * 1024,
            avoid_slow_brokers: true,
        }
    }
}

/// How one message is sent.
///
/// ```
/// use std::time::Duration;
/// use stgclient_core::producer::{QueueChoice, SendOptions};
///
/// let options = SendOptions::new().queue(QueueChoice::Hash("42".into())).timeout(Duration::from_secs(1));
/// assert_eq!(options.timeout, Some(Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendOptions {
    /// Where it goes.
    pub queue: QueueChoice,
    /// The time for all tries, instead of [`ProducerConfig::send_timeout`].
    pub timeout: Option<Duration>,
}

impl SendOptions {
    /// To any queue, in the producer's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which queue it goes to.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueChoice>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the time for all tries.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl From<QueueChoice> for SendOptions {
    fn from(queue: QueueChoice) -> Self {
        Self { queue, timeout: None }
    }
}

impl From<MessageQueue> for SendOptions {
    fn from(queue: MessageQueue) -> Self {
        Self::from(QueueChoice::Queue(queue))
    }
}
