//! What was asked of smartgo's real servers, one exchange at a time, asked of ours: the answers have to be the same.
//!
//! Not the same are: when messages are stored, ports, and where the log has come to, since other things were asked in between.
//! Bodies of requests were not kept, but their lengths.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, ConsumerData, HeartbeatData, QueueKey, QueueLockRequest};
use stgclient_core::wire::code::{RequestCode as Code, ResponseCode};
use stgclient_core::wire::command::{Command, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::message::{StoredMessage, StoredMessages};
use stgclient_core::wire::request::SendMessage;
use stgclient_servers::{BrokerConfig, ClusterConfig, Memory, Peer, ServerId};

use super::client::Bench;

/// What the group's member calls itself.
const CLIENT: &str = "127.0.0.1@1#1#1";
/// The group of all exchanges.
const GROUP: &str = "probe";

/// Exchanges of one series, which began with an empty log or went on with one that others had written to.
struct Series {
    lines: std::ops::Range<usize>,
    /// Where the first message is stored.
    log_begins_at: u64,
    /// When the first message that is looked for by time is stored, milliseconds since 1970.
    begins_at: u64,
}

/// The broker was started anew between them.
const SERIES: [Series; 2] = [
    Series { lines: 0..48, log_begins_at: 0, begins_at: 1_795_898_509_258 },
    Series { lines: 48..90, log_begins_at: 0xC_772B, begins_at: 1_795_898_467_569 },
];

/// The capture of these ends in the middle of the body.
const CUT: [usize; 2] = [21, 22];
/// What all groups have committed, among them those of other programs.
const ALL_OFFSETS: usize = 82;
/// These pulls waited, and 1 s later a message came.
const WOKEN: [usize; 2] = [31, 33];
/// Between a message and the next: nine of these are the 282 ms of the series in which messages are looked for by time.
const PAUSE: Duration = Duration::from_micros(31_334);
/// It had no answer, within 5 s.
const UNANSWERED: usize = 47;

#[test]
fn each_probe_of_smartgos_real_servers_is_answered_as_they_did() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/smartgo/probes.jsonl");
    let lines = std::fs::read_to_string(path).expect("probes.jsonl");
    let exchanges: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut same = 0;
    for series in SERIES {
        let mut asker = Asker::new(&series);
        for line in series.lines {
            asker.exchange(line, &exchanges[line]);
            same += 1;
        }
    }
    assert_eq!(same, exchanges.len());
}

/// A member of the group, and how far it has come.
struct Asker {
    bench: Bench,
    name_server: Peer,
    broker: Peer,
    log_begins_at: u64,
    /// The topic that the last messages went to, and how many.
    sent: (String, u64),
}

impl Asker {
    fn new(series: &Series) -> Self {
        let mut config = ClusterConfig::default();
        config.dialect = Dialect::Smartgo;
        config.name_servers = vec!["127.0.0.1:19976".to_owned()];
        config.brokers = vec![BrokerConfig::new("broker-a", "127.0.0.1:19911")];
        let mut bench = Bench::new(config);
        let (name_server, broker) = (bench.connect(ServerId::NameServer(0)), bench.connect(ServerId::Broker(0)));
        bench.beginning = series.begins_at;
        bench.pass(Duration::ZERO);
        Self { bench, name_server, broker, log_begins_at: series.log_begins_at, sent: (String::new(), 0) }
    }

    fn exchange(&mut self, line: usize, exchange: &Value) {
        if line == UNANSWERED {
            let topic = self.sent.0.clone();
            let opaque = self.send(&topic);
            self.bench.pass(Duration::from_secs(5));
            assert!(self.bench.answer(self.broker, opaque).is_none(), "the broker takes nothing any more");
            return self.start_anew(&topic);
        }
        let opaque = self.ask(exchange);
        let server = self.server_of(exchange);
        if exchange["seconds"].as_f64().is_some_and(|seconds| seconds > 0.5) {
            assert!(self.bench.answer(server, opaque).is_none(), "{line}: it waits");
            self.bench.pass(Duration::from_secs(1));
            if WOKEN.contains(&line) {
                let topic = self.sent.0.clone();
                self.send_body(&topic, b"late");
            } else {
                self.bench.pass(Duration::from_secs(3));
            }
        }
        let ours = self.bench.answer(server, opaque).unwrap_or_else(|| panic!("{line} is not answered: {exchange}"));
        self.compare(line, &ours, exchange);
    }

    /// Only a broker that is started anew takes messages again.
    fn start_anew(&mut self, topic: &str) {
        let now = self.bench.now;
        for peer in self.bench.cluster.stop(now, ServerId::Broker(0)) {
            self.bench.close(peer);
        }
        self.bench.cluster.start(now, ServerId::Broker(0), Memory::Kept);
        self.broker = self.bench.connect(ServerId::Broker(0));
        let opaque = self.send(topic);
        let answer = self.bench.answer(self.broker, opaque).expect("it takes messages again");
        assert_eq!(answer.code, ResponseCode::SUCCESS.0);
    }

    fn server_of(&self, exchange: &Value) -> Peer {
        match code(exchange) {
            Code::GET_ROUTEINFO_BY_TOPIC | Code::DELETE_TOPIC_IN_NAMESRV => self.name_server,
            _ => self.broker,
        }
    }

    /// Asks what was asked, and returns the number of the question.
    fn ask(&mut self, exchange: &Value) -> i32 {
        let fields = exchange["request"]["extFields"].as_object().expect("fields");
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect();
        let body = match code(exchange) {
            Code::SEND_MESSAGE_V2 => {
                let topic = exchange["request"]["extFields"]["B"].as_str().expect("a topic");
                self.next_body(topic, exchange["request"]["bodyLength"].as_u64().expect("a number") as usize)
            }
            Code::HEART_BEAT => member(),
            Code::LOCK_BATCH_MQ | Code::UNLOCK_BATCH_MQ => queues(&self.sent.0),
            _ => Vec::new(),
        };
        let server = self.server_of(exchange);
        let opaque = self.bench.request_as(server, code(exchange), HeaderCodec::Json, &Texts(fields), &body);
        if code(exchange) == Code::SEND_MESSAGE_V2 {
            self.bench.pass(PAUSE);
        }
        opaque
    }

    /// `msg000` and so on in each topic, or just long.
    fn next_body(&mut self, topic: &str, length: usize) -> Vec<u8> {
        if self.sent.0 != topic {
            self.sent = (topic.to_owned(), 0);
        }
        let number = self.sent.1;
        self.sent.1 += 1;
        if length == 6 { format!("msg{number:03}").into_bytes() } else { vec![b'x'; length] }
    }

    fn send(&mut self, topic: &str) -> i32 {
        self.send_body(topic, b"msg000")
    }

    fn send_body(&mut self, topic: &str, body: &[u8]) -> i32 {
        let message = SendMessage {
            producer_group: GROUP.into(),
            topic: topic.into(),
            default_topic: "MY_DEFAULT_TOPIC".into(),
            default_topic_queue_nums: 4,
            queue_id: 0,
            sys_flag: 0,
            born_timestamp: 0,
            flag: 0,
            properties: Some("TAGS\u{1}tagA\u{2}".into()),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: None,
            broker_name: None,
        };
        self.bench.request_as(self.broker, Code::SEND_MESSAGE_V2, HeaderCodec::Json, &message, body)
    }

    fn compare(&self, line: usize, ours: &Command, exchange: &Value) {
        let theirs = &exchange["answer"];
        let number = |name: &str| theirs[name].as_i64().expect("a number");
        let text = |name: &str| theirs[name].as_str().expect("a text");
        assert_eq!(i64::from(ours.code), number("code"), "{line}: {ours:?} {exchange}");
        assert_eq!(ours.remark.as_deref().unwrap_or_default(), text("remark"), "{line}");
        assert_eq!(ours.language.name(), text("language"), "{line}");
        assert_eq!(
            (i64::from(ours.version), i64::from(ours.flag)),
            (number("version"), number("flag")),
            "{line}: {exchange}"
        );
        let fields = ours.fields.iter().map(|(name, value)| self.moved(&name, &value));
        let their_fields = theirs["extFields"].as_object().into_iter().flatten();
        let their_fields = their_fields.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        assert_eq!(fields.collect::<BTreeMap<_, _>>(), their_fields.collect::<BTreeMap<_, _>>(), "{line}: {exchange}");
        let body = exchange["body"].as_str().expect("a text");
        if line == ALL_OFFSETS {
            let ours: Value = serde_json::from_slice(&ours.body).expect("JSON");
            return assert!(ours["offsets"].is_object() && ours.as_object().is_some_and(|table| table.len() == 1));
        }
        assert_eq!(describe(&ours.body, CUT.contains(&line)), describe(&bytes_of(body), false), "{line}: {exchange}");
    }

    /// A field of ours, as if the log had begun where theirs did.
    fn moved(&self, name: &str, value: &str) -> (String, String) {
        let value = match name {
            "MsgId" if value.len() == 32 => {
                let (host, offset) = value.split_at(16);
                let offset = u64::from_str_radix(offset, 16).expect("an offset") + self.log_begins_at;
                format!("{host}{offset:016X}")
            }
            _ => value.to_owned(),
        };
        (name.to_owned(), value)
    }
}

fn code(exchange: &Value) -> Code {
    Code(exchange["request"]["code"].as_i64().expect("a code") as i32)
}

/// What a body says: JSON, or as many messages as the capture has.
fn describe(body: &Bytes, is_cut: bool) -> Vec<String> {
    if body.is_empty() {
        return Vec::new();
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return vec![value.to_string()];
    }
    let kept = if is_cut { body.slice(..350) } else { body.clone() };
    let messages = StoredMessages::new(kept, Dialect::Smartgo);
    messages.map_while(Result::ok).map(describe_message).collect()
}

fn describe_message(mut message: StoredMessage) -> String {
    (message.fields.born_timestamp, message.fields.store_timestamp) = (0, 0);
    message.fields.born_host.set_port(0);
    message.fields.born_host.set_ip([127, 0, 0, 1].into());
    let (topic, properties, body) = (message.topic(), message.properties().encoded(), message.body());
    format!("{:?} {topic} {properties:?} {body:?}", message.fields)
}

/// A body as the capture has it: JSON as it is, messages in hexadecimal digits.
fn bytes_of(text: &str) -> Bytes {
    if text.starts_with('{') {
        return Bytes::copy_from_slice(text.as_bytes());
    }
    let digits = text.as_bytes().chunks_exact(2);
    let bytes = digits.map(|digits| u8::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("hex"));
    bytes.collect::<BytesMut>().freeze()
}

fn member() -> Vec<u8> {
    let consumer = ConsumerData { group_name: GROUP.to_owned(), ..ConsumerData::default() };
    let heartbeat =
        HeartbeatData { client_id: CLIENT.to_owned(), consumer_data_set: vec![consumer], ..Default::default() };
    heartbeat.encode(Dialect::Smartgo)
}

fn queues(topic: &str) -> Vec<u8> {
    let queue = QueueKey { broker_name: "broker-a".to_owned(), queue_id: 0, topic: topic.to_owned() };
    body::to_vec(&QueueLockRequest {
        client_id: CLIENT.to_owned(),
        consumer_group: GROUP.to_owned(),
        mq_set: [queue].into(),
        only_this_broker: false,
    })
}

/// Fields as the capture has them.
pub(super) struct Texts(pub(super) Vec<(String, String)>);

impl WriteHeader for Texts {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.text(name, value));
    }
}
