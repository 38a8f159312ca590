//! The names of the properties that the protocol itself uses (`MessageConst`).

/// The tag that consumers filter by.
pub const TAGS: &str = "TAGS";
/// The keys that a message can be found by, separated by spaces.
pub const KEYS: &str = "KEYS";
/// Whether the broker answers only when the message is stored safely: `true` or `false`.
pub const WAIT: &str = "WAIT";
/// The id that the producer gave the message: a [`UniqueId`](super::UniqueId), from our clients and most others.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// The delay level, 1 to 18 on brokers that are not configured otherwise.
pub const DELAY: &str = "DELAY";
/// How long to hold the message back, in seconds.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// How long to hold the message back, in milliseconds.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// When to deliver the message, in milliseconds since 1970.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// The topic that a message of a retry topic came from.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// The topic that a message held back by the broker is for.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// The queue that a message held back by the broker is for.
pub const REAL_QUEUE_ID: &str = "REAL_QID";
/// The offset id of a retried message's first delivery.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// How often a message sent to a retry topic has been consumed before.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// How often a message sent to a retry topic may be consumed.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// `true` on a half message.
pub const TRAN_MSG: &str = "TRAN_MSG";
/// The producer group that answers for a transaction.
pub const PGROUP: &str = "PGROUP";
/// The smallest offset of the queue when the message was pulled. Set by consumers, not by brokers.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// The offset after the last one of the queue when the message was pulled. Set by consumers, not by brokers.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// The cluster of the broker that stored the message.
pub const CLUSTER: &str = "CLUSTER";
/// The namespace of the producer.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// The region of the broker that stored the message.
pub const MSG_REGION: &str = "MSG_REGION";
/// Whether the broker wants the message traced: `true` or `false`.
pub const TRACE_ON: &str = "TRACE_ON";
