//! One queue of a topic.

use core::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::wire::body::QueueKey;

/// A queue: the unit that messages are ordered in and consumers own. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageQueue {
    /// The topic.
    pub topic: Arc<str>,
    /// The name of the broker that has the queue.
    pub broker_name: Arc<str>,
    /// The queue's number at its broker, from 0.
    pub queue_id: u32,
}

/// As Java's clients write it (`MessageQueue`).
impl Serialize for MessageQueue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("MessageQueue", 3)?;
        out.serialize_field("brokerName", &*self.broker_name)?;
        out.serialize_field("queueId", &self.queue_id)?;
        out.serialize_field("topic", &*self.topic)?;
        out.end()
    }
}

impl MessageQueue {
    /// The queue `queue_id` of `topic` at the broker called `broker_name`.
    pub fn new(topic: impl Into<Arc<str>>, broker_name: impl Into<Arc<str>>, queue_id: u32) -> Self {
        Self { topic: topic.into(), broker_name: broker_name.into(), queue_id }
    }
}

impl MessageQueue {
    /// The queue as bodies name it.
    pub fn key(&self) -> QueueKey {
        QueueKey {
            broker_name: self.broker_name.to_string(),
            queue_id: self.queue_id as i32,
            topic: self.topic.to_string(),
        }
    }

    /// The queue that a body names; `None` for "any queue".
    pub fn of_key(key: QueueKey) -> Option<Self> {
        let queue_id = u32::try_from(key.queue_id).ok()?;
        Some(Self::new(key.topic, key.broker_name, queue_id))
    }
}

impl fmt::Display for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.topic, self.broker_name, self.queue_id)
    }
}
