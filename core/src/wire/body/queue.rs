//! A queue as bodies name it, in a value or as the key of a map.

use crate::sorted::SortedMap;
use core::cmp::Ordering;

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

use super::bodies;
use crate::wire::fields::FieldText;
use crate::wire::json::{Json, Key, Readable};
use crate::wire::odd::{Odd, OddIn};

bodies! {
    /// One queue of a topic on one broker (`MessageQueue`). Ordered by topic, broker name and id, as clients sort queues.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
    QueueKey as a whole {
        /// The broker's name, which a master shares with its slaves.
        broker_name: "brokerName" = String,
        /// The queue's number on this broker, from 0; -1 in POP assignments for "any".
        queue_id: "queueId" = i32,
        /// The topic.
        topic: "topic" = String,
    }
}

impl QueueKey {
    /// A queue as smartgo's brokers name it in the keys of tables: `TOPIC@BROKER@ID`.
    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '@');
        let queue_id = parts.next()?.parse().ok()?;
        let (broker_name, topic) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { broker_name, queue_id, topic })
    }

    fn order(&self) -> (&str, &str, i32) {
        (&self.topic, &self.broker_name, self.queue_id)
    }
}

/// A queue as the key of a table names it: its JSON, which may be a text, or in smartgo's words.
impl Key for QueueKey {
    fn read(text: FieldText<'_>) -> Option<Self> {
        let text = text.text();
        match Json::parse(text.as_bytes()) {
            Ok(object @ Json::Object(_)) => Readable::read(object, OddIn::new(&Odd::default(), "a key")),
            _ => Self::from_text(&text),
        }
    }
}

impl Ord for QueueKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for QueueKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Writes maps whose keys are queues. For `#[serde(serialize_with)]`.
pub(super) fn as_keys<V: Serialize, S: Serializer>(
    map: &SortedMap<QueueKey, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_map(Some(map.len()))?;
    for (queue, value) in map {
        out.serialize_entry(&serde_json::to_string(queue).map_err(S::Error::custom)?, value)?;
    }
    out.end()
}
