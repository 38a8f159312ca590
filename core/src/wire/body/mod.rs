//! JSON bodies: what servers and clients tell each other beside the header, as typed values.
//!
//! A field is written as `rust_name: "nameOnTheWire" = Type`; one of several names is read, the first of them written. They are
//! declared in the order in which fastjson writes them, so that texts can be compared and hashed. All of them may be absent:
//! what a server leaves out is as Java's classes begin, what it sends as null is nothing. What we do not know is passed over. What is
//! declared `as a whole` is passed over with any part of it that is not what it should be: it would mean something else.
//!
//! What is never inlined in WebAssembly is small there for the reason that `sorted` has.

mod consumers;
mod fastjson;
mod groups;
mod heartbeat;
mod queue;
mod route;
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
    GroupRetryPolicy, NamedGroups, ProducerConnections, SubscriptionGroupConfig, SubscriptionGroups, Unread,
};
pub use heartbeat::{ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData};
pub use queue::QueueKey;
pub use route::{BrokerData, ClusterInfo, Permission, QueueData, TopicRouteData};
pub use subscription::{ExpressionType, SubscriptionData, SubscriptionError};
pub use table::KeyValueTable;
pub use topics::{QueueOffsets, TopicList, TopicStatsTable};

use serde::ser::Serialize;
use thiserror::Error;

use super::json::{Json, Readable};
use super::odd::{Odd, OddIn};

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is no JSON that fastjson could read.
    #[error("a malformed body: {what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes.
        at: usize,
    },
    /// It is not the JSON that was expected.
    #[error("an unexpected body: no {expected}")]
    Unexpected {
        /// What was.
        expected: &'static str,
    },
}

/// Reads a body; `odd` keeps what is passed over.
///
/// # Errors
/// It is no JSON, or nothing of this type.
#[cfg_attr(target_family = "wasm", inline(never))]
pub fn read<T: Readable>(body: &[u8], odd: &Odd) -> Result<T, BodyError> {
    // What is no UTF-8 becomes what Java makes of it.
    let text = String::from_utf8_lossy(body);
    let value = Json::parse(text.as_bytes()).map_err(|(what, at)| BodyError::Malformed { what, at })?;
    T::read(value, OddIn::new(odd, "body")).ok_or(BodyError::Unexpected { expected: "object" })
}

/// As [`read()`], whatever is passed over.
///
/// # Errors
/// It is no JSON, or nothing of this type.
pub fn from_slice<T: Readable>(body: &[u8]) -> Result<T, BodyError> {
    read(body, &Odd::default())
}

/// Writes a body as fastjson does: keys that are objects without quotes.
///
/// # Panics
/// When `T` refuses to be serialised, which no body of this module does.
#[cfg_attr(target_family = "wasm", inline(never))]
pub fn to_vec<T: Serialize>(body: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, fastjson::ObjectKeys::default());
    body.serialize(&mut serializer).expect("a body of plain values");
    out
}

/// Declares bodies.
macro_rules! bodies {
    ($(
        $(#[$meta:meta])*
        $name:ident $(as a $whole:ident)? {
            $($(#[$field_meta:meta])* $field:ident : $wire:literal $(| $old:literal)* = $type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(serde::Serialize)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(rename = $wire)] pub $field: $type,)*
        }

        impl $crate::wire::json::Readable for $name {
            fn read(value: $crate::wire::json::Json<'_>, odd: $crate::wire::odd::OddIn<'_>) -> Option<Self> {
                let members = value.object(odd)?;
                $(
                    const _: &str = stringify!($whole);
                    let own = $crate::wire::odd::Odd::default();
                    let outer = odd;
                    let odd = $crate::wire::odd::OddIn::new(&own, stringify!($name));
                )?
                let mut read = Self::default();
                for (name, value) in members {
                    $(if name.is($wire) $(|| name.is($old))* {
                        read.$field = value.field(odd.field($wire))?;
                        continue;
                    })*
                }
                $(
                    const _: &str = stringify!($whole);
                    if own.refused().is_some() {
                        return value.refuse(stringify!($name), outer);
                    }
                )?
                Some(read)
            }
        }
    )*};
}
pub(crate) use bodies;

#[cfg(test)]
mod tests;
