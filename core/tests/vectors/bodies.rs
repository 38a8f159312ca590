//! `bodies.jsonl`: JSON bodies. Each has to become strict JSON and fastjson's text again; those that have a type, by
//! that type.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use line::{Line, same};
use serde_json::Value;
use stgclient_core::wire::body::{
    ClusterInfo, ConsumerList, ConsumerRunningInfo, ConsumerStatus, DirectConsumption, DirectResult, HeartbeatData,
    QueueKey, QueueLockRequest, ResetOffsets, TopicList, TopicRouteData, from_slice, to_vec,
};

/// Reads the line's text as a `$type` and writes it again, which has to give the same text. Evaluates to the value.
///
/// A macro, since serde's own traits cannot be named everywhere this module runs.
macro_rules! round_trip {
    ($type:ty, $text:expr) => {{
        let body: $type = from_slice($text.as_bytes()).map_err(|error| error.to_string())?;
        let again = String::from_utf8(to_vec(&body)).map_err(|error| error.to_string())?;
        same(stringify!($type), &*again, &*with_quoted_numbers($text))?;
        body
    }};
}

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    let mut heartbeat = HeartbeatData::default();
    line::check(text, &[], |line| {
        if line.kind() == "HeartbeatFingerprint" {
            return fingerprint(line, &heartbeat);
        }
        let text = line.text("text")?;
        round_trip!(Value, text);
        match line.kind() {
            "TopicRouteData" => route(&round_trip!(TopicRouteData, text)),
            "ClusterInfo" => cluster(&round_trip!(ClusterInfo, text)),
            "HeartbeatData" => {
                heartbeat = round_trip!(HeartbeatData, text);
                Ok(())
            }
            "GetConsumerListByGroupResponseBody" => {
                same("clients", round_trip!(ConsumerList, text).consumer_id_list.len(), 2)
            }
            "TopicList" => same("topics", round_trip!(TopicList, text).topic_list.len(), 1),
            "LockBatchRequestBody" | "UnlockBatchRequestBody" => {
                let request = round_trip!(QueueLockRequest, text);
                same("queues", request.mq_set.into_iter().collect(), vec![queue()])
            }
            "ResetOffsetBody" => {
                same("offset", round_trip!(ResetOffsets, text).offset_table.get(&queue()).copied(), Some(12))
            }
            "GetConsumerStatusBody" => {
                same("offset", round_trip!(ConsumerStatus, text).message_queue_table.get(&queue()).copied(), Some(12))
            }
            "ConsumerRunningInfo" => {
                let info = round_trip!(ConsumerRunningInfo, text);
                same("committed", info.mq_table.get(&queue()).map(|queue| queue.commit_offset), Some(5))?;
                same("rate", info.status_table.get("T").map(|topic| topic.consume_ok_tps), Some(1.5))
            }
            "ConsumeMessageDirectlyResult" => {
                same("result", round_trip!(DirectConsumption, text).consume_result, Some(DirectResult::Success))
            }
            // A body whose type comes with the part that sends it.
            "QueryAssignmentRequestBody" => Ok(()),
            other => Err(format!("the kind {other} is new")),
        }
    })
}

fn queue() -> QueueKey {
    QueueKey { broker_name: "broker-a".to_owned(), queue_id: 0, topic: "T".to_owned() }
}

/// Number keys are the one thing that we write in another way than fastjson: with quotes, which Java reads as well.
fn with_quoted_numbers(text: &str) -> String {
    text.replace("{0:", "{\"0\":").replace(",1:", ",\"1\":")
}

fn route(route: &TopicRouteData) -> Result<(), String> {
    let [broker] = &*route.broker_datas else { return Err("not one broker".to_owned()) };
    let [queues] = &*route.queue_datas else { return Err("not one broker with queues".to_owned()) };
    same("order", route.order_topic_conf.as_deref(), Some("broker-a:4"))?;
    same("master", broker.broker_addrs.get(&0).map(String::as_str), Some("127.0.0.1:10911"))?;
    same("slave", broker.broker_addrs.get(&1).map(String::as_str), Some("127.0.0.1:10921"))?;
    same("queues", (&*queues.broker_name, queues.read_queue_nums, queues.write_queue_nums), ("broker-a", 4, 4))?;
    same("permission", &*queues.perm.to_string(), "RW-")
}

fn cluster(cluster: &ClusterInfo) -> Result<(), String> {
    same("brokers", cluster.broker_addr_table.keys().map(String::as_str).collect(), vec!["broker-a"])?;
    same("clusters", cluster.cluster_addr_table.keys().map(String::as_str).collect(), vec!["DefaultCluster"])
}

/// The fingerprint is the hash of the heartbeat's text without what may change (`computeHeartbeatFingerprint`), so it
/// proves the order of all fields.
fn fingerprint(line: &Line, heartbeat: &HeartbeatData) -> Result<(), String> {
    same("fingerprint", i64::from(heartbeat.fingerprint()), line.integer("value")?)
}
