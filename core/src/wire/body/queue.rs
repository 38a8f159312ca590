//! A queue as bodies name it, in a value or as the key of a map.

use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// One queue of a topic on one broker (`MessageQueue`). Ordered by topic, broker name and id, as clients sort queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueKey {
    /// The broker's name, which a master shares with its slaves.
    pub broker_name: String,
    /// The queue's number on this broker, from 0; -1 in POP assignments for "any".
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

impl QueueKey {
    /// A queue as smartgo's brokers name it in the keys of tables: `TOPIC@BROKER@ID`.
    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '@');
        let queue_id = parts.next()?.parse().ok()?;
        let (broker_name, topic) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { broker_name, queue_id, topic })
    }

    /// A queue as the key of a table names it: its JSON, or in smartgo's words.
    fn from_key(key: &str) -> Option<Self> {
        serde_json::from_str(key).ok().or_else(|| Self::from_text(key))
    }

    fn order(&self) -> (&str, &str, i32) {
        (&self.topic, &self.broker_name, self.queue_id)
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

/// Maps whose keys are queues: in strict JSON, strings that hold the queue's JSON, and texts of smartgo's. Entries that are none are passed over.
/// For `#[serde(with)]`.
pub(super) mod as_key {
    use std::collections::BTreeMap;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

    use super::super::lenient::readable;
    use super::QueueKey;
    use crate::gather::Gather;

    pub(in super::super) fn serialize<V: Serialize, S: Serializer>(
        map: &BTreeMap<QueueKey, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(map.len()))?;
        for (queue, value) in map {
            out.serialize_entry(&serde_json::to_string(queue).map_err(S::Error::custom)?, value)?;
        }
        out.end()
    }

    pub(in super::super) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<QueueKey, V>, D::Error> {
        let map: BTreeMap<String, V> = readable(from)?;
        Ok(map.into_iter().filter_map(|(key, value)| Some((QueueKey::from_key(&key)?, value))).gather())
    }
}
