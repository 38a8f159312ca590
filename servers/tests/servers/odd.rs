//! Odd requests, which are answered as by Apache's; most were found by comparing the two.

use stgclient_core::wire::body::{self, ProducerConnections};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::{Head, HeaderCodec};
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::request::PullMessage;
use stgclient_servers::ServerId;

use super::client::{Bench, DIALECT, code, encoded, properties, pull, remark};

#[test]
fn an_expression_of_blanks_selects_nothing_and_one_of_signs_is_none() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    bench.send(peer, "t", 0, &properties(&[("TAGS", "a")]), b"x");
    let codes = [" ", "|| ||", "||", "||||", "|| a"].map(|expression| bench.pull(peer, "t", 0, 0, expression).code());
    let nothing = Code::PULL_RETRY_IMMEDIATELY;
    assert_eq!(
        codes,
        [nothing, nothing, Code::SUBSCRIPTION_PARSE_FAILED, Code::SUBSCRIPTION_PARSE_FAILED, Code::SUCCESS]
    );
}

#[test]
fn a_subscription_without_an_expression_fails_once_there_is_a_message() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    bench.beat(peer, "c", "g", r#"{"topic":"t","subVersion":1}"#);
    let by_group = || PullMessage { consumer_group: "g".into(), sub_version: 1, ..pull("t", 0, 0) };
    assert_eq!(code(&bench.ask(peer, &by_group())), Code::PULL_NOT_FOUND);
    bench.send(peer, "t", 0, "", b"x");
    assert_eq!(code(&bench.ask(peer, &by_group())), Code::SYSTEM_ERROR);
}

#[test]
fn an_inner_batch_is_illegal_where_there_are_no_batch_queues() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    let sent = bench.send(peer, "t", 0, &properties(&[("INNER_NUM", "2")]), b"x");
    assert_eq!((code(&sent), bench.broker().offsets("t", 0)), (Code::MESSAGE_ILLEGAL, Some((0, 0))));
}

#[test]
fn a_delay_level_is_kept_as_it_was_written_unless_it_is_above_the_last() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    for level in ["+1", "20"] {
        bench.send(peer, "t", 0, &properties(&[("DELAY", level)]), b"x");
    }
    let kept = [0, 17].map(|queue_id| {
        let pulled = bench.pull(peer, "SCHEDULE_TOPIC_XXXX", queue_id, 0, "*");
        pulled.messages[0].properties().get("DELAY").map(str::to_owned)
    });
    assert_eq!(kept, [Some("+1".to_owned()), Some("18".to_owned())]);
}

#[test]
fn a_producer_stays_who_it_was_first() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    for client in ["one", "two"] {
        let body = format!(r#"{{"clientID":"{client}","producerDataSet":[{{"groupName":"p"}}]}}"#);
        bench.ask_fields(peer, RequestCode::HEART_BEAT, &[], &body);
    }
    let fields = [("producerGroup", "p")];
    let answer = bench.ask_fields(peer, RequestCode::GET_PRODUCER_CONNECTION_LIST, &fields, "");
    let producers: ProducerConnections = body::from_slice(&answer.body).expect("producers");
    let names: Vec<_> = producers.connection_set.iter().map(|producer| producer.client_id.as_str()).collect();
    assert_eq!(names, ["one"]);
}

#[test]
fn queues_to_unlock_are_looked_at_only_where_there_are_locks() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let unlock = |bench: &mut Bench, group: &str| {
        let body = format!(r#"{{"clientId":"c","consumerGroup":"{group}","mqSet":[null]}}"#);
        code(&bench.ask_fields(peer, RequestCode::UNLOCK_BATCH_MQ, &[], &body))
    };
    assert_eq!(unlock(&mut bench, "g"), Code::SUCCESS);
    let queue = r#"{"brokerName":"broker-a","queueId":0,"topic":"t"}"#;
    let body = format!(r#"{{"clientId":"c","consumerGroup":"g","mqSet":[{queue}]}}"#);
    bench.ask_fields(peer, RequestCode::LOCK_BATCH_MQ, &[], &body);
    let unlocked = ["g", "h"].map(|group| unlock(&mut bench, group));
    assert_eq!(unlocked, [Code::SYSTEM_ERROR, Code::SUCCESS]);
}

#[test]
fn a_group_is_told_as_java_would_have_read_it() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let mut update = |body: &str| {
        let answer = bench.ask_fields(peer, RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], body);
        (code(&answer), remark(&answer).to_owned())
    };
    let odd = r#"{"groupName":"g","groupRetryPolicy":{"type":"odd"},"subscriptionDataSet":[{"topic":"t"}]}"#;
    assert_eq!(update(odd).0, Code::SUCCESS);
    assert_eq!(update(r#"{"groupName":"g","attributes":{"+priority.factor":null}}"#).0, Code::SYSTEM_ERROR);
    let twice = r#"{"groupName":"g","attributes":{"+priority.factor":"1","-priority.factor":""}}"#;
    let duplicate = "RuntimeException: alter duplication key. key: priority.factor";
    assert_eq!(update(twice), (Code::SYSTEM_ERROR, duplicate.to_owned()));
    let answer = bench.ask_code(peer, RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG);
    let groups: serde_json::Value = serde_json::from_slice(&answer.body).expect("groups");
    let group = &groups["subscriptionGroupTable"]["g"];
    assert_eq!(group["groupRetryPolicy"], serde_json::json!({}));
    assert_eq!(group["subscriptionDataSet"], serde_json::json!([{ "topic": "t", "version": 0 }]));
}

#[test]
fn attributes_of_commas_are_none() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let mut create = |attributes| {
        let fields = [
            ("topic", "t"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "4"),
            ("writeQueueNums", "4"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("order", "false"),
            ("attributes", attributes),
        ];
        code(&bench.ask_fields(peer, RequestCode::UPDATE_AND_CREATE_TOPIC, &fields, ""))
    };
    assert_eq!([create(","), create(",,"), create(",+a=b")], [Code::SUCCESS, Code::SUCCESS, Code::SYSTEM_ERROR]);
}

#[test]
fn old_members_are_told_of_by_the_names_of_their_versions() {
    let (mut bench, administrator) = Bench::with_broker(|_| {});
    let member = bench.connect(ServerId::Broker(0));
    let names = [(0, "V3_0_0_SNAPSHOT"), (6, "V3_0_0_BETA5"), (14, "V3_0_0_BETA9"), (15, "V3_0_0_FINAL")];
    let more = [(16, "V3_0_1_SNAPSHOT"), (45, "V3_0_15"), (46, "V3_1_0_SNAPSHOT"), (61, "V3_1_7")];
    for (version, name) in names.into_iter().chain(more) {
        let mut head = Head::request(DIALECT, RequestCode::HEART_BEAT, 1_000_000 + version);
        head.version = version;
        let body = br#"{"clientID":"c","consumerDataSet":[{"groupName":"g"}]}"#;
        bench.give(member, &encoded(&head, HeaderCodec::Json, &NoFields, body));
        let fields = [("consumerGroup", "g"), ("clientId", "c")];
        let refused = bench.ask_fields(administrator, RequestCode::GET_CONSUMER_RUNNING_INFO, &fields, "");
        let expected =
            format!("The Consumer <c> Version <{name}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT");
        assert_eq!(remark(&refused), expected);
    }
}

#[test]
fn what_cannot_be_filtered_by_is_refused_before_a_consumer_starts() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.property_filter = true);
    let mut check = |subscription: &str| {
        let body = format!(r#"{{"subscriptionData":{subscription}}}"#);
        let answer = bench.ask_fields(peer, RequestCode::CHECK_CLIENT_CONFIG, &[], &body);
        (code(&answer), remark(&answer).to_owned())
    };
    let failed = Code::SUBSCRIPTION_PARSE_FAILED;
    assert_eq!(check("null").0, Code::SUCCESS);
    assert_eq!(check("[]").0, Code::SYSTEM_ERROR);
    assert_eq!(check(r#"{"expressionType":5}"#).0, failed);
    assert_eq!(check(r#"{"expressionType":"SQL92"}"#), (failed, String::new()));
    let (code, remark) = check(r#"{"expressionType":"SQL92","subString":""}"#);
    assert!(code == failed && remark.starts_with("MQFilterException: "), "{remark}");
}
