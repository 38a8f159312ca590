//! What smartgo's real servers answer beyond what was captured: asked of the ones built from their public history.

use serde_json::{Value, json};
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::{Command, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{StoredMessages, property};
use stgclient_servers::{ClusterConfig, Peer, ServerId};

use super::client::Bench;
use super::smartgo_probes::Texts;

struct Asker {
    bench: Bench,
    name_server: Peer,
    broker: Peer,
}

impl Asker {
    fn new() -> Self {
        let mut config = ClusterConfig::default();
        config.dialect = Dialect::Smartgo;
        let mut bench = Bench::new(config);
        let (name_server, broker) = (bench.connect(ServerId::NameServer(0)), bench.connect(ServerId::Broker(0)));
        bench.pass(Duration::ZERO);
        Self { bench, name_server, broker }
    }

    fn ask(&mut self, server: Peer, code: Code, fields: &[(&str, &str)], body: &[u8]) -> Command {
        let fields = Texts(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let opaque = self.bench.request_as(server, code, HeaderCodec::Json, &fields, body);
        self.bench.answer(server, opaque).expect("an answer at once")
    }

    fn ask_broker(&mut self, code: Code, fields: &[(&str, &str)], body: &[u8]) -> Command {
        self.ask(self.broker, code, fields, body)
    }

    fn create(&mut self, topic: &str, others: &[(&str, &str)]) -> (i32, String) {
        let kind = others.iter().find(|(name, _)| *name == "TopicFilterType").map_or("0", |(_, kind)| *kind);
        let fields = [
            ("Topic", topic),
            ("DefaultTopic", "MY_DEFAULT_TOPIC"),
            ("ReadQueueNums", "2"),
            ("WriteQueueNums", "2"),
            ("Perm", "6"),
            ("TopicFilterType", kind),
            ("TopicSysFlag", "0"),
            ("Order", "false"),
        ];
        let others = others.iter().filter(|(name, _)| *name != "TopicFilterType");
        let fields: Vec<_> = fields.iter().chain(others).copied().collect();
        said(&self.ask_broker(Code::UPDATE_AND_CREATE_TOPIC, &fields, &[]))
    }

    fn send(&mut self, topic: &str, reconsume_times: &str) -> Command {
        let now = self.bench.now.unix_ms.to_string();
        let fields = [
            ("A", "producers"),
            ("B", topic),
            ("C", "MY_DEFAULT_TOPIC"),
            ("D", "4"),
            ("E", "0"),
            ("F", "0"),
            ("G", &now),
            ("H", "0"),
            ("I", ""),
            ("J", reconsume_times),
            ("K", "false"),
        ];
        self.ask_broker(Code::SEND_MESSAGE_V2, &fields, b"body")
    }

    fn pull(&mut self, group: &str, topic: &str, sys_flag: &str) -> Command {
        let fields = [
            ("ConsumerGroup", group),
            ("Topic", topic),
            ("QueueId", "0"),
            ("QueueOffset", "0"),
            ("MaxMsgNums", "32"),
            ("SysFlag", sys_flag),
            ("CommitOffset", "0"),
            ("SuspendTimeoutMillis", "0"),
            ("Subscription", "*"),
            ("SubVersion", "0"),
        ];
        self.ask_broker(Code::PULL_MESSAGE, &fields, &[])
    }
}

fn said(answer: &Command) -> (i32, String) {
    (answer.code, answer.remark.as_deref().unwrap_or_default().to_owned())
}

fn refused(remark: &str) -> (i32, String) {
    (1, remark.to_owned())
}

fn heartbeat(topic: &str) -> Vec<u8> {
    let subscription = json!({
        "classFilterMode": false, "topic": topic, "subString": "*", "tagsSet": [], "codeSet": [], "subVersion": 1,
    });
    let consumer = json!({
        "groupName": "group", "consumeType": 1, "messageModel": 1, "consumeFromWhere": 4, "unitMode": false,
        "subscriptionDataSet": [subscription],
    });
    json!({ "clientID": "10.0.0.1@1", "producerDataSet": [], "consumerDataSet": [consumer] }).to_string().into_bytes()
}

#[test]
fn fields_are_looked_at_as_go_does() {
    let mut asker = Asker::new();
    assert_eq!(asker.create("t", &[("TopicFilterType", "7")]), (0, String::new()));
    let wrong = refused("strconv.ParseInt: parsing \"SINGLE_TAG\": invalid syntax");
    assert_eq!(asker.create("t", &[("TopicFilterType", "SINGLE_TAG")]), wrong);
    let unknown = refused("No such field: Abc in obj");
    assert_eq!(asker.create("t", &[("abc", "1")]), unknown);
    let name_server = asker.name_server;
    let route = Code::GET_ROUTEINFO_BY_TOPIC;
    assert_eq!(said(&asker.ask(name_server, route, &[("Topic", "t"), ("abc", "1")], &[])), unknown);
    let empty = refused("GetRouteInfoRequestHeader.Topic is empty");
    assert_eq!(said(&asker.ask(name_server, route, &[("Topic", "")], &[])), empty);
    assert_eq!(said(&asker.ask(name_server, route, &[], &[])), empty);
    let delete = asker.ask(name_server, Code::DELETE_TOPIC_IN_NAMESRV, &[("Topic", "")], &[]);
    assert_eq!(said(&delete), refused("DeleteTopicInNamesrvRequestHeader.Topic is empty"));
}

#[test]
fn bodies_that_cannot_be_read_are_taken_as_if_they_said_nothing() {
    let mut asker = Asker::new();
    for code in [Code::HEART_BEAT, Code::LOCK_BATCH_MQ, Code::UNLOCK_BATCH_MQ] {
        assert_eq!(said(&asker.ask_broker(code, &[], b"no body")).0, 0, "{code:?}");
    }
}

#[test]
fn who_is_not_known_may_not_pull_by_its_group_and_hears_no_more_than_that() {
    let mut asker = Asker::new();
    asker.create("t", &[]);
    assert_eq!(said(&asker.pull("group", "t", "0")), (24, "the consumer's group info not exist".to_owned()));
    asker.create("other", &[]);
    asker.ask_broker(Code::HEART_BEAT, &[], &heartbeat("t"));
    assert_eq!(said(&asker.pull("group", "other", "0")), (24, "the consumer's subscription not exist".to_owned()));
}

#[test]
fn connections_of_a_group_are_told_with_numbers() {
    let mut asker = Asker::new();
    asker.ask_broker(Code::HEART_BEAT, &[], &heartbeat("t"));
    let answer = asker.ask_broker(Code::GET_CONSUMER_CONNECTION_LIST, &[("ConsumerGroup", "group")], &[]);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&body["consumeType"], &body["messageModel"], &body["consumeFromWhere"]),
        (&json!(1), &json!(1), &json!(4))
    );
    let subscription = json!({
        "classFilterMode": false, "topic": "t", "subString": "*", "tagsSet": [], "codeSet": [], "subVersion": 1,
    });
    assert_eq!(body["subscriptionTable"], json!({ "t": subscription }));
}

#[test]
fn a_deleted_topic_says_where_it_ended_and_any_time_may_be_asked_for() {
    let mut asker = Asker::new();
    asker.create("t", &[]);
    (0..3).for_each(|_| _ = asker.send("t", "0"));
    let search = |asker: &mut Asker| {
        let time = i64::MIN.to_string();
        let fields = [("Topic", "t"), ("QueueId", "0"), ("Timestamp", &*time)];
        asker.ask_broker(Code::SEARCH_OFFSET_BY_TIMESTAMP, &fields, &[])
    };
    let offset = |answer: &Command| answer.fields.get("Offset").unwrap_or_default().into_owned();
    assert_eq!(offset(&search(&mut asker)), "0");
    asker.ask_broker(Code::DELETE_TOPIC_IN_BROKER, &[("Topic", "t")], &[]);
    let place = [("Topic", "t"), ("QueueId", "0")];
    assert_eq!(offset(&asker.ask_broker(Code::GET_MAX_OFFSET, &place, &[])), "3");
    assert_eq!(offset(&asker.ask_broker(Code::GET_MIN_OFFSET, &place, &[])), "0");
    assert_eq!(offset(&search(&mut asker)), "0");
}

#[test]
fn what_comes_back_has_no_first_id_and_what_is_sent_to_a_retry_topic_stays_there() {
    let mut asker = Asker::new();
    asker.create("t", &[]);
    asker.ask_broker(Code::HEART_BEAT, &[], &heartbeat("t"));
    let sent = asker.send("t", "0");
    let id = sent.fields.get("MsgId").expect("an id").into_owned();
    let offset = u64::from_str_radix(&id[16..], 16).unwrap().to_string();
    let back =
        [("Offset", &*offset), ("Group", "group"), ("DelayLevel", "0"), ("OriginMsgId", &*id), ("OriginTopic", "t")];
    assert_eq!(said(&asker.ask_broker(Code::CONSUMER_SEND_MSG_BACK, &back, &[])).0, 0);
    assert_eq!(asker.send("%RETRY%group", "99").code, 0);
    // By a subscription of the pull itself.
    let answer = asker.pull("group", "%RETRY%group", "4");
    let came: Vec<_> = StoredMessages::new(answer.body, Dialect::Smartgo).collect::<Result<_, _>>().unwrap();
    assert_eq!(came.len(), 2);
    assert_eq!(came[0].properties().get(property::ORIGIN_MESSAGE_ID), None);
    assert_eq!(came[0].properties().get(property::RETRY_TOPIC), Some("t"));
}
