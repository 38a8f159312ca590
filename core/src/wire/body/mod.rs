//! JSON bodies: what servers and clients tell each other beside the header, as typed values.
//!
//! The fields are declared in the order in which fastjson writes them, so that texts can be compared and hashed. What
//! a server leaves out or sends as null reads as a default; what we do not know is passed over.

mod consumers;
mod fastjson;
mod groups;
mod heartbeat;
mod lenient;
mod queue;
mod route;
mod strict;
mod subscription;
mod table;
mod topics;

pub use consumers::{
    CheckClientConfig, CommittedOffsets, ConsumeStatus, ConsumerList, ConsumerOffsets, ConsumerRunningInfo,
    ConsumerStatus, DirectConsumption, DirectResult, LockedQueues, PopProcessQueueInfo, ProcessQueueInfo,
    QueueLockRequest, ResetOffsets,
};
pub use groups::{
    Connection, ConsumeStats, ConsumedOffsets, ConsumerConnections, ConsumerSubscription, DataVersion, GroupList,
    GroupRetryPolicy, ProducerConnections, SubscriptionGroupConfig, SubscriptionGroups,
};
pub use heartbeat::{ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData};
pub use queue::QueueKey;
pub use route::{BrokerData, ClusterInfo, Permission, QueueData, TopicRouteData};
pub use strict::strict;
pub use subscription::{ExpressionType, SubscriptionData, SubscriptionError};
pub use table::KeyValueTable;
pub use topics::{QueueOffsets, TopicList, TopicStatsTable};

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::Serialize;
use thiserror::Error;

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is no JSON that we or a strict reader could read.
    #[error("a malformed body: {what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes.
        at: usize,
    },
    /// It is not the JSON that was expected.
    #[error("an unexpected body: {reason}")]
    Unexpected {
        /// What the reader says.
        reason: String,
    },
}

/// Reads a body, strict JSON or as fastjson writes it.
///
/// # Errors
/// It is no JSON, or not of this type.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    serde_json::from_slice(&strict(body)?).map_err(|error| BodyError::Unexpected { reason: error.to_string() })
}

/// Writes a body as fastjson does: keys that are objects without quotes.
///
/// # Panics
/// When `T` refuses to be serialised, which no body of this module does.
pub fn to_vec<T: Serialize>(body: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, fastjson::ObjectKeys::default());
    body.serialize(&mut serializer).expect("a body of plain values");
    out
}

/// Reads null as the default; for fields that some servers send as null when they are empty.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
