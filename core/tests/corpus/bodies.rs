//! The bodies: those that we have a type for, other JSON, and messages.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value;
use stgclient_core::wire::body::{
    ClusterInfo, ConsumeStats, ConsumerConnections, ConsumerList, ConsumerRunningInfo, DirectConsumption, GroupList,
    HeartbeatData, KeyValueTable, LockedQueues, ProducerConnections, QueueLockRequest, ResetOffsets,
    SubscriptionGroupConfig, TopicList, TopicRouteData, TopicStatsTable, from_slice, to_vec,
};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::java;
use stgclient_core::wire::json::Readable;
use stgclient_core::wire::message::{BatchRecords, StoredMessages, batch};

use crate::capture::{self, Captured};
use crate::rewrite::dialect_of;

/// How many bodies there were of each kind, and what was in them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Frames without a body.
    pub(crate) none: usize,
    /// JSON that we have a type for.
    pub(crate) typed: usize,
    /// Other JSON.
    pub(crate) untyped: usize,
    /// Bodies of one message or several.
    pub(crate) stored: usize,
    /// The messages in them.
    pub(crate) messages: usize,
    /// Batches.
    pub(crate) batches: usize,
    /// The records in them.
    pub(crate) records: usize,
    /// Bodies that are what a user sent, or a text.
    pub(crate) opaque: usize,
}

/// Reads and writes the bodies of a folder.
pub(crate) fn read(folder: &str) -> Seen {
    let mut seen = Seen::default();
    for frame in capture::read(folder) {
        look_at(&frame, &mut seen);
    }
    seen
}

fn look_at(frame: &Captured, seen: &mut Seen) {
    let body = &frame.command.body;
    if body.is_empty() {
        seen.none += 1;
        return;
    }
    let is_answer = frame.command.is_response();
    if is_answer {
        assert_eq!(frame.command.code, ResponseCode::SUCCESS.0, "{}", frame.index);
    }
    match (is_answer, RequestCode(i32::try_from(frame.request_code()).expect("32 bits"))) {
        (false, RequestCode::HEART_BEAT) => {
            typed::<HeartbeatData>(body, seen);
            if dialect_of(&frame.command) == Dialect::Smartgo {
                written_alike(body);
            }
        }
        (true, RequestCode::GET_ROUTEINFO_BY_TOPIC) => typed::<TopicRouteData>(body, seen),
        (true, RequestCode::GET_BROKER_CLUSTER_INFO) => typed::<ClusterInfo>(body, seen),
        (true, RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER) => typed::<TopicList>(body, seen),
        (true, RequestCode::GET_TOPIC_STATS_INFO) => typed::<TopicStatsTable>(body, seen),
        (false, RequestCode::LOCK_BATCH_MQ | RequestCode::UNLOCK_BATCH_MQ) => typed::<QueueLockRequest>(body, seen),
        (true, RequestCode::LOCK_BATCH_MQ) => typed::<LockedQueues>(body, seen),
        (true, RequestCode::GET_CONSUMER_CONNECTION_LIST) => typed::<ConsumerConnections>(body, seen),
        (true, RequestCode::GET_PRODUCER_CONNECTION_LIST) => typed::<ProducerConnections>(body, seen),
        (true, RequestCode::GET_CONSUME_STATS) => typed::<ConsumeStats>(body, seen),
        (true, RequestCode::GET_CONSUMER_RUNNING_INFO) => typed::<ConsumerRunningInfo>(body, seen),
        (true, RequestCode::CONSUME_MESSAGE_DIRECTLY) => typed::<DirectConsumption>(body, seen),
        (true, RequestCode::INVOKE_BROKER_TO_RESET_OFFSET) => typed::<ResetOffsets>(body, seen),
        (true, RequestCode::QUERY_TOPIC_CONSUME_BY_WHO) => typed::<GroupList>(body, seen),
        (false, RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP) => typed::<SubscriptionGroupConfig>(body, seen),
        (true, RequestCode::GET_CONSUMER_LIST_BY_GROUP) => typed::<ConsumerList>(body, seen),
        (true, RequestCode::GET_BROKER_RUNTIME_INFO | RequestCode::GET_KVLIST_BY_NAMESPACE) => {
            typed::<KeyValueTable>(body, seen);
        }
        (
            true,
            RequestCode::PULL_MESSAGE
            | RequestCode::LITE_PULL_MESSAGE
            | RequestCode::QUERY_MESSAGE
            | RequestCode::VIEW_MESSAGE_BY_ID
            | RequestCode::POP_MESSAGE,
        )
        | (false, RequestCode::CHECK_TRANSACTION_STATE) => messages(frame, seen),
        (false, RequestCode::CONSUME_MESSAGE_DIRECTLY) => messages(frame, seen),
        (false, RequestCode::SEND_BATCH_MESSAGE) => records(body, seen),
        (
            false,
            RequestCode::SEND_MESSAGE_V2
            | RequestCode::SEND_REPLY_MESSAGE_V2
            | RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT,
        )
        | (true, RequestCode::GET_BROKER_CONFIG) => seen.opaque += 1,
        _ => untyped(body, seen),
    }
}

/// We write a heartbeat of smartgo's client as it does, but for the order of what is in it.
fn written_alike(body: &Bytes) {
    let read: HeartbeatData = from_slice(body).expect("a heartbeat");
    let json = |bytes: &[u8]| {
        let mut value: Value = serde_json::from_slice(bytes).expect("JSON");
        for group in value["consumerDataSet"].as_array_mut().into_iter().flatten() {
            let subscriptions = group["subscriptionDataSet"].as_array_mut().expect("subscriptions");
            subscriptions.sort_by_key(|subscription| subscription["topic"].to_string());
        }
        value
    };
    assert_eq!(json(&read.encode(Dialect::Smartgo)), json(body));
}

/// What was read, written and read again has to be the same.
fn typed<T: Readable + Serialize + Debug + PartialEq + Default>(body: &Bytes, seen: &mut Seen) {
    let read: T = from_slice(body).expect("a body of its type");
    let again: T = from_slice(&to_vec(&read)).expect("a body of ours");
    assert_eq!(again, read);
    assert_ne!(read, T::default(), "nothing was read of {body:?}");
    seen.typed += 1;
}

fn untyped(body: &Bytes, seen: &mut Seen) {
    let read: Value = from_slice(body).expect("JSON");
    assert_eq!(from_slice::<Value>(&to_vec(&read)).expect("JSON of ours"), read);
    seen.untyped += 1;
}

/// Messages have to be written byte for byte as they were read, and their bodies' checksums to be right.
fn messages(frame: &Captured, seen: &mut Seen) {
    let (body, dialect) = (&frame.command.body, dialect_of(&frame.command));
    let mut again = BytesMut::new();
    for message in StoredMessages::new(body.clone(), dialect) {
        let message = message.expect("a message of a broker");
        // Go keeps the top bit.
        assert_eq!(java::body_crc(message.body()), message.fields.body_crc & i32::MAX as u32);
        message
            .fields
            .encode(&mut again, dialect, message.topic(), message.properties().encoded(), message.body())
            .expect("a message that fits");
        seen.messages += 1;
    }
    assert_eq!(again, body);
    seen.stored += 1;
}

fn records(body: &Bytes, seen: &mut Seen) {
    let mut again = BytesMut::new();
    for record in BatchRecords::new(body.clone()) {
        let record = record.expect("a record of a client");
        let properties = record.properties();
        batch::encode(&mut again, record.flag, properties.encoded(), record.body()).expect("a record that fits");
        seen.records += 1;
    }
    assert_eq!(again, body);
    seen.batches += 1;
}
