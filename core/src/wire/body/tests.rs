//! Bodies as other servers and clients write them, and as nobody should.

mod styles;

use crate::sorted::SortedMap;

use proptest::prelude::*;

use super::{
    BodyError, BrokerData, ClusterInfo, ConsumeFromWhere, ConsumeStats, ConsumeType, ConsumerConnections, ConsumerData,
    ConsumerList, ConsumerRunningInfo, ConsumerStatus, HeartbeatData, KeyValueTable, LockedQueues, MessageModel,
    ProducerData, QueueKey, QueueOffsets, ResetOffsets, SubscriptionData, SubscriptionError, SubscriptionGroupConfig,
    SubscriptionGroups, TopicList, TopicRouteData, TopicStatsTable, from_slice, read, to_vec,
};
use crate::wire::fields::FieldError;
use crate::wire::odd::Odd;

#[test]
fn what_servers_leave_out_reads_as_a_default() {
    assert_eq!(from_slice::<TopicRouteData>(b"{}"), Ok(TopicRouteData::default()));
    let nulls = br#"{"brokerDatas":null,"queueDatas":null,"filterServerTable":null,"orderTopicConf":null}"#;
    assert_eq!(from_slice::<TopicRouteData>(nulls), Ok(TopicRouteData::default()));
    assert_eq!(from_slice::<TopicStatsTable>(br#"{"offsetTable":null}"#), Ok(TopicStatsTable::default()));
    assert_eq!(from_slice::<HeartbeatData>(br#"{"consumerDataSet":null}"#), Ok(HeartbeatData::default()));
}

#[test]
fn what_we_do_not_know_is_passed_over() {
    let text = br#"{"brokerDatas":[{"brokerAddrs":{0:"a:1",},"zoneName":"z"}],"topicQueueMappingByBroker":{"b":{"currIdMap":{0:1}}}}"#;
    let broker = BrokerData { broker_addrs: SortedMap::from([(0, "a:1".to_owned())]), ..BrokerData::default() };
    let route = TopicRouteData { broker_datas: vec![broker], ..TopicRouteData::default() };
    assert_eq!(from_slice(text), Ok(route));
}

#[test]
fn queues_as_keys_are_written_as_fastjson_writes_them() {
    let queue = QueueKey { broker_name: "a\"\\b".to_owned(), queue_id: 1, topic: "T".to_owned() };
    let offsets = QueueOffsets { last_update_timestamp: 3, max_offset: 2, min_offset: 1 };
    let table = TopicStatsTable { offset_table: SortedMap::from([(queue, offsets)]), topic_put_tps: 0.5 };
    let text = r#"{"offsetTable":{{"brokerName":"a\"\\b","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":3,"maxOffset":2,"minOffset":1}},"topicPutTps":0.5}"#;
    assert_eq!(String::from_utf8(to_vec(&table)).as_deref(), Ok(text));
    assert_eq!(from_slice(text.as_bytes()), Ok(table));
}

#[test]
fn what_administrators_see_of_a_group_is_written_as_java_writes_it() {
    let same = |text: &str, body: Vec<u8>| assert_eq!(String::from_utf8(body).as_deref(), Ok(text));
    let text = r#"{"consumeTps":0.5,"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"brokerOffset":10,"consumerOffset":8,"lastTimestamp":3,"pullOffset":9}}}"#;
    let stats: ConsumeStats = from_slice(text.as_bytes()).expect("statistics");
    assert_eq!(stats.offset_table.values().map(|offsets| offsets.pull_offset).collect::<Vec<_>>(), [9]);
    same(text, to_vec(&stats));

    let text = r#"{"connectionSet":[{"clientAddr":"127.0.0.1:5","clientId":"c","language":"JAVA","version":493}],"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"T":{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"T"}}}"#;
    same(text, to_vec(&from_slice::<ConsumerConnections>(text.as_bytes()).expect("connections")));

    let text = r#"{"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"G","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}"#;
    let group = SubscriptionGroupConfig { group_name: "G".to_owned(), ..SubscriptionGroupConfig::default() };
    assert_eq!(from_slice(text.as_bytes()), Ok(group.clone()));
    assert_eq!(from_slice(br#"{"groupName":"G"}"#), Ok(group.clone()));
    same(text, to_vec(&group));
}

#[test]
fn other_keys_keep_their_quotes() {
    let table = KeyValueTable {
        table: SortedMap::from([("".to_owned(), "{}".to_owned()), ("\"{".to_owned(), "\t".to_owned())]),
    };
    let text = r#"{"table":{"":"{}","\"{":"\t"}}"#;
    assert_eq!(String::from_utf8(to_vec(&table)).as_deref(), Ok(text));
    assert_eq!(from_slice(text.as_bytes()), Ok(table));
}

#[test]
fn a_wrong_body_is_an_error() {
    for text in [&b"not found"[..], b"", b" ", b"{", b"{}{}", b"{\"a\"}", b"[}", &[b'['; 1000], &[b'{'; 1_000_000]] {
        assert!(matches!(from_slice::<TopicList>(text), Err(BodyError::Malformed { .. })));
    }
    for text in ["null", "\"\"", "\"x\"", "5", "[]", "[{}]"] {
        assert!(matches!(from_slice::<TopicList>(text.as_bytes()), Err(BodyError::Unexpected { .. })));
    }
}

#[test]
fn an_odd_entry_does_not_refuse_its_neighbours() {
    let text = br#"{"brokerAddrTable":{"a":{"brokerAddrs":{0:"a:1",-1:"b:1","x":"c:1",2:null},"brokerName":"a"},"b":null,"c":[1,{}],"d":"e"},
        "clusterAddrTable":{"C":["a","b"],"D":null}}"#;
    let info: ClusterInfo = from_slice(text).unwrap();
    assert_eq!(info.broker_addr_table.keys().collect::<Vec<_>>(), ["a"]);
    let addresses = [(-1, "b:1".to_owned()), (0, "a:1".to_owned())];
    assert_eq!(info.broker_addr_table.get("a").unwrap().broker_addrs, SortedMap::from(addresses));
    assert_eq!(info.cluster_addr_table.len(), 1);

    let text = br#"{"brokerDatas":["x",{"brokerName":"a"},7],"queueDatas":[{"brokerName":"a","readQueueNums":null},{"brokerName":"a","readQueueNums":2}]}"#;
    let route: TopicRouteData = from_slice(text).unwrap();
    assert_eq!((route.broker_datas.len(), route.queue_datas.len()), (1, 2));
    assert_eq!(from_slice::<TopicList>(br#"{"topicList":["T",null,"U"]}"#).unwrap().topic_list.len(), 2);
    assert_eq!(from_slice::<ConsumerList>(br#"{"consumerIdList":["c",1,null]}"#).unwrap().consumer_id_list, ["c", "1"]);
    let text = br#"{"offsetTable":{"no queue":{},{"brokerName":"a","queueId":1,"topic":"T"}:{"maxOffset":2}}}"#;
    assert_eq!(from_slice::<TopicStatsTable>(text).unwrap().offset_table.len(), 1);
}

#[test]
fn what_is_passed_over_is_counted_and_what_java_refuses_the_whole_for_is_known() {
    let text = br#"{"clientID":"c","consumerDataSet":[{"consumeType":"CONSUME_SOMEHOW","groupName":"g","subscriptionDataSet":[7]}],"heartbeatFingerprint":"x","withoutSub":null}"#;
    let odd = Odd::default();
    let heartbeat: HeartbeatData = read(text, &odd).unwrap();
    assert_eq!((heartbeat.heartbeat_fingerprint, &*heartbeat.consumer_data_set[0].group_name), (0, "g"));
    assert_eq!(heartbeat.consumer_data_set[0].subscription_data_set, []);
    let told = |error: Option<&FieldError>| error.map(ToString::to_string).unwrap_or_default();
    assert_eq!(odd.count(), 3);
    assert_eq!(told(odd.first()), "the field consumeType is no known name: \"CONSUME_SOMEHOW\"");
    assert_eq!(told(odd.refused()), "the field subscriptionDataSet is no object: \"7\"");
}

#[test]
fn what_means_another_thing_with_a_part_that_is_odd_is_passed_over_as_a_whole() {
    let odd_queue = r#"{"brokerName":"b","queueId":"x","topic":"T"}"#;
    let queue = r#"{"brokerName":"b","queueId":0,"topic":"T"}"#;
    let odd = Odd::default();
    let text = format!(r#"{{"offsetTable":{{{queue}:7,{odd_queue}:0}}}}"#);
    let reset: ResetOffsets = read(text.as_bytes(), &odd).unwrap();
    assert_eq!(reset.offset_table.into_values().collect::<Vec<_>>(), [7]);
    assert!(odd.refused().is_some());
    let locked: LockedQueues = from_slice(format!(r#"{{"lockOKMQSet":[{odd_queue}]}}"#).as_bytes()).unwrap();
    assert!(locked.lock_ok_mq_set.is_empty());
    let text = br#"{"queueDatas":[{"brokerName":"a","readQueueNums":"four"},{"brokerName":"b","readQueueNums":"4"}]}"#;
    let route: TopicRouteData = from_slice(text).unwrap();
    assert_eq!(
        route.queue_datas.iter().map(|queues| (&*queues.broker_name, queues.read_queue_nums)).collect::<Vec<_>>(),
        [("b", 4)]
    );
}

#[test]
fn of_a_list_no_more_is_read_than_there_can_be() {
    let text = format!(r#"{{"consumerDataSet":[{}{{}}]}}"#, "{},".repeat(300_000));
    let odd = Odd::default();
    let heartbeat: HeartbeatData = read(text.as_bytes(), &odd).unwrap();
    assert_eq!((heartbeat.consumer_data_set.len(), odd.count()), (262_144, 1));
}

#[test]
fn what_is_handed_on_keeps_numbers_that_strict_json_does_not_know() {
    let text = br#"{"groupRetryPolicy":{"exponentialRetryPolicy":{"max":+5,"min":05,"next":2.5,"x":"y"}}}"#;
    let group: SubscriptionGroupConfig = from_slice(text).unwrap();
    let expected = serde_json::json!({ "max": 5, "min": 5, "next": 2.5, "x": "y" });
    assert_eq!(group.group_retry_policy.exponential_retry_policy, expected);
}

#[test]
fn enumerations_have_the_names_of_java() {
    let group = ConsumerData {
        consume_from_where: Some(ConsumeFromWhere::Timestamp),
        consume_type: Some(ConsumeType::Actively),
        message_model: Some(MessageModel::Broadcasting),
        ..ConsumerData::default()
    };
    let text = r#"{"consumeFromWhere":"CONSUME_FROM_TIMESTAMP","consumeType":"CONSUME_ACTIVELY","groupName":"","messageModel":"BROADCASTING","subscriptionDataSet":[],"unitMode":false}"#;
    assert_eq!(String::from_utf8(to_vec(&group)).as_deref(), Ok(text));
    assert_eq!(from_slice(text.as_bytes()), Ok(group));
    let old = from_slice(br#""CONSUME_FROM_MAX_OFFSET""#);
    assert_eq!(old, Ok(ConsumeFromWhere::LastOffset));
}

#[test]
fn an_expression_needs_a_tag() {
    for expression in ["||", " ", "|| "] {
        let error = SubscriptionError::NoTag { expression: expression.to_owned() };
        assert_eq!(SubscriptionData::by_tags("T", expression), Err(error));
    }
    assert_eq!(SubscriptionData::by_sql("T", ""), Err(SubscriptionError::NoSql));
    let two = SubscriptionData::by_tags("T", "AaAa || b").expect("two tags");
    // The hashes of AaAa and BBBB are the same.
    assert_eq!([Some("AaAa"), Some("b"), Some("BBBB"), None].map(|tag| two.selects(tag)), [true, true, false, false]);
}

fn subscription() -> impl Strategy<Value = SubscriptionData> {
    let expression = prop_oneof![Just("*".to_owned()), "[a-z]{1,4}( \\|\\| [a-z]{1,4}){0,3}"];
    (any::<String>(), expression, any::<i64>()).prop_map(|(topic, expression, sub_version)| SubscriptionData {
        sub_version,
        ..SubscriptionData::by_tags(&topic, &expression).expect("tags")
    })
}

prop_compose! {
    fn heartbeat()(
        client_id in any::<String>(),
        producers in prop::collection::vec(any::<String>(), 0..3),
        consumers in prop::collection::vec((any::<String>(), prop::collection::vec(subscription(), 0..3)), 0..3),
        heartbeat_fingerprint in any::<i32>(),
        without_sub in any::<bool>(),
    ) -> HeartbeatData {
        let consumer_data_set = consumers.into_iter().map(|(group_name, subscription_data_set)| ConsumerData {
            group_name,
            subscription_data_set,
            ..ConsumerData::default()
        });
        HeartbeatData {
            client_id,
            consumer_data_set: consumer_data_set.collect(),
            heartbeat_fingerprint,
            producer_data_set: producers.into_iter().map(|group_name| ProducerData { group_name }).collect(),
            without_sub,
        }
    }
}

#[test]
fn smartgos_tables_have_texts_as_keys() {
    let queue = |topic: &str, broker_name: &str, queue_id| QueueKey {
        broker_name: broker_name.to_owned(),
        queue_id,
        topic: topic.to_owned(),
    };
    let offsets = r#"{"minOffset":1,"maxOffset":10,"lastUpdateTimestamp":5}"#;
    let text = format!(
        r#"{{"offsetTable":{{"T@broker-a@0":{offsets},"%RETRY%a@b@broker-a@12":{offsets},"T@x":{offsets},"T@a@b":{offsets}}}}}"#
    );
    let table: TopicStatsTable = from_slice(text.as_bytes()).expect("statistics");
    let expected = QueueOffsets { last_update_timestamp: 5, max_offset: 10, min_offset: 1 };
    let queues = [queue("%RETRY%a@b", "broker-a", 12), queue("T", "broker-a", 0)];
    assert_eq!(table.offset_table, queues.map(|queue| (queue, expected)).into());
    let consumed =
        r#"{"consumeTps":0,"offsetTable":{"T@broker-a@0":{"brokerOffset":2,"consumerOffset":1,"lastTimestamp":7}}}"#;
    let stats: ConsumeStats = from_slice(consumed.as_bytes()).expect("statistics");
    let offsets = *stats.offset_table.get(&queue("T", "broker-a", 0)).unwrap();
    assert_eq!((offsets.broker_offset, offsets.consumer_offset, offsets.last_timestamp), (2, 1, 7));
}

proptest! {
    #[test]
    fn heartbeats_come_back(heartbeat in heartbeat()) {
        prop_assert_eq!(from_slice(&to_vec(&heartbeat)), Ok(heartbeat));
    }

    #[test]
    fn statistics_come_back(table in prop::collection::btree_map((any::<String>(), any::<i32>(), any::<String>()), any::<(i64, i64, i64)>(), 0..4)) {
        let offset_table = table.into_iter().map(|((broker_name, queue_id, topic), (max_offset, min_offset, time))| (
            QueueKey { broker_name, queue_id, topic },
            QueueOffsets { last_update_timestamp: time, max_offset, min_offset },
        ));
        let table = TopicStatsTable { offset_table: offset_table.collect(), topic_put_tps: 0.5 };
        prop_assert_eq!(from_slice(&to_vec(&table)), Ok(table));
    }

    #[test]
    fn any_bytes_are_taken(
        bytes in any::<Vec<u8>>(),
        text in r#"\{"(offsetTable|brokerDatas|topicList|consumerDataSet|table)":[\[\]{}",:a0 -]{0,30}"#,
        heartbeat in heartbeat(),
        change in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut changed = to_vec(&heartbeat);
        let at = change.0.index(changed.len());
        changed[at] = change.1;
        for body in [&*bytes, text.as_bytes(), &*changed] {
            let _ = from_slice::<TopicRouteData>(body);
            let _ = from_slice::<ClusterInfo>(body);
            let _ = from_slice::<HeartbeatData>(body);
            let _ = from_slice::<TopicStatsTable>(body);
            let _ = from_slice::<TopicList>(body);
            let _ = from_slice::<ConsumerList>(body);
            let _ = from_slice::<KeyValueTable>(body);
            let _ = from_slice::<ConsumeStats>(body);
            let _ = from_slice::<ConsumerConnections>(body);
            let _ = from_slice::<ConsumerRunningInfo>(body);
            let _ = from_slice::<ConsumerStatus>(body);
            let _ = from_slice::<SubscriptionGroups>(body);
        }
    }
}
