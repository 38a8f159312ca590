//! Topics on request.

use serde_json::{Value, json};
use stgclient_core::wire::body::{self, KeyValueTable, QueueKey, TopicStatsTable};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::request::{CreateTopic, DeleteTopicInBroker, GetTopicConfig, GetTopicStats, TopicFilterType};

use super::client::{BEGINNING, Bench, code, create_topic, remark};

#[test]
fn a_topic_is_created_as_it_is_asked_for() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let request = CreateTopic {
        read_queue_nums: 3,
        attributes: Some("+message.type=NORMAL".into()),
        topic_filter_type: TopicFilterType::MultiTag,
        topic_sys_flag: Some(2),
        ..create_topic("t", 5)
    };
    let answered = bench.ask(peer, &request);
    assert_eq!((code(&answered), remark(&answered)), (Code::SUCCESS, "not set any response code"));
    let answered = bench.ask(peer, &GetTopicConfig { topic: "t".into() });
    assert_eq!(
        body::from_slice::<Value>(&answered.body).unwrap(),
        json!({
            "attributes": { "message.type": "NORMAL" }, "order": false, "perm": 6, "readQueueNums": 3,
            "topicFilterType": "MULTI_TAG", "topicName": "t", "topicSysFlag": 2, "writeQueueNums": 5,
        })
    );
    let answered = bench.ask(peer, &GetTopicConfig { topic: "none".into() });
    assert_eq!((code(&answered), remark(&answered)), (Code::TOPIC_NOT_EXIST, "No topic in this broker. topic: none"));
}

#[test]
fn a_topic_that_is_changed_keeps_its_messages() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 4);
    bench.send(peer, "t", 3, "", b"x");
    bench.create_topic(peer, "t", 2);
    assert_eq!(code(&bench.send(peer, "t", 3, "", b"x")), Code::INVALID_PARAMETER);
    bench.create_topic(peer, "t", 8);
    assert_eq!(bench.pull(peer, "t", 3, 0, "*").offsets(), [0]);
}

#[test]
fn names_that_are_none_and_system_topics_are_refused() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    for topic in ["", "a b", "TBW102", "BenchmarkTest", "DefaultCluster", "broker-a", "rmq_sys_x"] {
        assert_eq!(code(&bench.ask(peer, &create_topic(topic, 1))), Code::INVALID_PARAMETER, "{topic}");
    }
    let request = CreateTopic { topic_filter_type: TopicFilterType::Unknown("NO_TAG".into()), ..create_topic("t", 1) };
    assert_eq!(code(&bench.ask(peer, &request)), Code::SYSTEM_ERROR);
    assert_eq!(code(&bench.ask(peer, &create_topic("t", -1))), Code::INVALID_PARAMETER);
    for topic in ["", "TBW102", "DefaultCluster"] {
        let answered = bench.ask(peer, &DeleteTopicInBroker { topic: topic.into() });
        assert_eq!(code(&answered), Code::INVALID_PARAMETER, "{topic}");
    }
}

#[test]
fn a_deleted_topic_begins_again_at_0() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    bench.send(peer, "t", 0, "", b"x");
    for _ in 0..2 {
        // Deleting what is not there is no error.
        assert_eq!(code(&bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() })), Code::SUCCESS);
    }
    assert_eq!(bench.broker().offsets("t", 0), None);
    bench.create_topic(peer, "t", 1);
    bench.send(peer, "t", 0, "", b"y");
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!((pulled.offsets(), pulled.messages[0].body()), (vec![0], &b"y"[..]));
}

#[test]
fn statistics_name_every_queue() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    bench.send(peer, "t", 1, "", b"x");
    let answered = bench.ask(peer, &GetTopicStats { topic: "t".into() });
    let text = String::from_utf8(answered.body.to_vec()).unwrap();
    assert!(
        text.contains(r#"{{"brokerName":"broker-a","queueId":0,"topic":"t"}:{"#),
        "a map with queues as keys: {text}"
    );
    let stats: TopicStatsTable = body::from_slice(&answered.body).unwrap();
    let key = |queue_id| QueueKey { broker_name: "broker-a".into(), queue_id, topic: "t".into() };
    let offsets = |queue_id| {
        let offsets = *stats.offset_table.get(&key(queue_id)).expect("it is there");
        (offsets.min_offset, offsets.max_offset, offsets.last_update_timestamp)
    };
    assert_eq!((offsets(0), offsets(1), stats.offset_table.len()), ((0, 0, 0), (0, 1, BEGINNING as i64), 2));
    assert_eq!(code(&bench.ask(peer, &GetTopicStats { topic: "none".into() })), Code::TOPIC_NOT_EXIST);
}

#[test]
fn a_broker_describes_itself_to_cluster_list() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.send(peer, "t", 0, "", b"x");
    let answered = bench.ask_code(peer, RequestCode::GET_BROKER_RUNTIME_INFO);
    let info: KeyValueTable = body::from_slice(&answered.body).unwrap();
    // What ClusterListSubCommand reads, as numbers where it parses numbers.
    for name in ["putTps", "getTransferredTps", "commitLogDiskRatio", "timerEnqueueTps", "timerDequeueTps"] {
        assert!(info.table.get(name).expect("it is there").parse::<f64>().is_ok(), "{name}");
    }
    for name in ["earliestMessageTimeStamp", "timerReadBehind", "timerOffsetBehind", "timerCongestNum"] {
        assert!(info.table.get(name).expect("it is there").parse::<i64>().is_ok(), "{name}");
    }
    for pool in ["send", "pull", "ack"] {
        assert_eq!(*info.table.get(&format!("{pool}ThreadPoolQueueSize")).expect("it is there"), "0");
        assert_eq!(*info.table.get(&format!("{pool}ThreadPoolQueueHeadWaitTimeMills")).expect("it is there"), "0");
    }
    assert_eq!(
        (
            info.table.get("brokerActive").expect("it is there").as_str(),
            info.table.get("brokerVersionDesc").expect("it is there").as_str()
        ),
        ("true", "V5_4_0")
    );
    assert_eq!(
        (
            info.table.get("msgPutTotalTodayNow").expect("it is there").as_str(),
            info.table.get("pageCacheLockTimeMills").expect("it is there").as_str()
        ),
        ("1", "0")
    );
}

#[test]
fn all_settings_come_in_one_table() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    let answered = bench.ask_code(peer, RequestCode::GET_ALL_TOPIC_CONFIG);
    let table: Value = body::from_slice(&answered.body).unwrap();
    assert_eq!(table["topicConfigTable"]["t"]["writeQueueNums"], 2);
    assert_eq!(table["topicConfigTable"]["TBW102"]["perm"], 7);
}
