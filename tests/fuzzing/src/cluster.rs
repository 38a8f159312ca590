//! A cluster whose clients ask what the input says, any request that it serves with any part of it replaced: it never panics, keeps to
//! its bounds, and what waits for a client who does not read is bounded, too.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::command::{self, Command, FLAG_ONEWAY, FLAG_RESPONSE, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::serving::Serving;
use stgclient_servers::{Cluster, ClusterConfig, Memory, Peer, ServerId};

use crate::commands::AnyFields;

/// How many steps an input may have: what more could show, fewer do.
const MOST_STEPS: usize = 200;
/// What the broker keeps of messages, in bytes, and how long a body may be.
const MESSAGE_BYTES: usize = 256 * 1024;
const BODY: usize = 16 * 1024;
/// What the cluster keeps besides messages, in bytes.
const STATE_BYTES: usize = 512 * 1024;
/// What may wait for a client that does not read: the room, and an answer.
const MOST_WAITING: usize = 5 * 1024 * 1024;

/// The codes that the cluster serves, and one that nobody does.
const CODES: [i32; 49] = [
    10, 310, 320, 11, 361, 12, 14, 15, 17, 21, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 41, 42, 43, 46, 100,
    101, 102, 105, 106, 200, 201, 202, 203, 204, 206, 207, 208, 215, 216, 219, 222, 223, 300, 307, 309, 319, 9999,
];

/// The fields of all requests, and what each is unless the input says otherwise.
const FIELDS: [(&str, &str); 63] = [
    ("a", "P"),
    ("b", "T"),
    ("c", "TBW102"),
    ("d", "4"),
    ("e", "0"),
    ("f", "0"),
    ("g", "1"),
    ("h", "0"),
    ("i", "TAGS\u{1}a\u{2}"),
    ("j", "0"),
    ("k", "false"),
    ("l", "16"),
    ("m", "false"),
    ("n", "broker-a"),
    ("producerGroup", "P"),
    ("topic", "T"),
    ("defaultTopic", "TBW102"),
    ("defaultTopicQueueNums", "4"),
    ("queueId", "0"),
    ("sysFlag", "6"),
    ("bornTimestamp", "1"),
    ("flag", "0"),
    ("properties", "KEYS\u{1}k\u{2}"),
    ("reconsumeTimes", "0"),
    ("maxReconsumeTimes", "16"),
    ("unitMode", "false"),
    ("batch", "false"),
    ("consumerGroup", "G"),
    ("queueOffset", "0"),
    ("maxMsgNums", "32"),
    ("commitOffset", "0"),
    ("suspendTimeoutMillis", "15000"),
    ("subscription", "*"),
    ("subVersion", "1"),
    ("expressionType", "TAG"),
    ("maxMsgBytes", "1000"),
    ("offset", "0"),
    ("timestamp", "-1"),
    ("isForce", "true"),
    ("group", "G"),
    ("groupName", "G"),
    ("delayLevel", "1"),
    ("originMsgId", "m"),
    ("originTopic", "T"),
    ("clientID", "c"),
    ("clientId", "c"),
    ("clientAddr", "c"),
    ("msgId", "7F00000100002A9F0000000000000000"),
    ("namespace", "ORDER_TOPIC_CONFIG"),
    ("key", "k"),
    ("value", "broker-a:4"),
    ("readQueueNums", "4"),
    ("writeQueueNums", "4"),
    ("perm", "6"),
    ("topicFilterType", "SINGLE_TAG"),
    ("topicSysFlag", "0"),
    ("order", "false"),
    ("maxNum", "32"),
    ("beginTimestamp", "0"),
    ("endTimestamp", "9223372036854775807"),
    ("setZeroIfNotFound", "false"),
    ("topicList", "T;U;"),
    ("cleanOffset", "true"),
];

/// What the input puts in their place.
const VALUES: [&str; 40] = [
    "",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "15",
    "64",
    "65535",
    "65536",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "x",
    "true",
    "T",
    "U",
    "%RETRY%G",
    "%DLQ%G",
    "SCHEDULE_TOPIC_XXXX",
    "TBW102",
    "broker-a",
    "DefaultCluster",
    "G",
    "H",
    "c",
    "d",
    "*",
    "a || b",
    "a > 1 AND b IS NOT NULL",
    "SQL92",
    "../../x",
    "\"",
    "\u{1}\u{2}",
    "TRAN_MSG\u{1}true\u{2}DELAY\u{1}3\u{2}",
    "{\"counter\":0}",
];

const BODIES: [&str; 9] = [
    "",
    "body",
    r#"{"clientID":"c","consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","subscriptionDataSet":[{"topic":"T","subString":"*","subVersion":1}]}],"producerDataSet":[{"groupName":"P"}]}"#,
    r#"{"clientID":"d","consumerDataSet":[{"groupName":"G","messageModel":"BROADCASTING","subscriptionDataSet":[{"topic":"T","subString":"a > 1","expressionType":"SQL92"},{"topic":"%RETRY%G","subString":"*"}]}],"heartbeatFingerprint":5,"withoutSub":true}"#,
    r#"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"T"},{"brokerName":"broker-a","queueId":2147483647,"topic":"T"}]}"#,
    r#"{"groupName":"G","retryQueueNums":2147483647,"retryMaxTimes":-1,"attributes":{"+a":"b"},"consumeEnable":false}"#,
    r#"{"clientId":"c","group":"G","subscriptionData":{"topic":"T","expressionType":"SQL92","subString":"((a))"}}"#,
    r#"{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:5}}"#,
    r#"{"consumeResult":"CR_SUCCESS","spentTimeMills":-1}"#,
];

/// Plays `script`, and then lets everything end.
pub fn play(script: &[u8]) {
    let mut script = Unstructured::new(script);
    let mut scene = Scene::new();
    for _ in 0..MOST_STEPS {
        if script.is_empty() || scene.step(&mut script).is_err() {
            break;
        }
        scene.check();
    }
    let peers: Vec<Peer> = scene.peers.keys().copied().collect();
    peers.into_iter().for_each(|peer| scene.serving.closed(scene.now, peer));
    scene.pass(Duration::from_secs(100_000));
}

struct Scene {
    serving: Serving,
    now: Now,
    /// Those who are connected, what each has taken and not read, and what it reads.
    peers: BTreeMap<Peer, (VecDeque<Bytes>, FrameReader)>,
    /// Questions of brokers that nobody has answered.
    asked: Vec<(Peer, i32)>,
}

impl Scene {
    fn new() -> Self {
        let now = Now { mono: Instant::from_micros(1), unix_ms: 1_700_000_000_000 };
        let mut config = ClusterConfig::default();
        config.max_connections = 8;
        config.state_bytes = STATE_BYTES;
        config.brokers[0].property_filter = true;
        config.brokers[0].max_body_length = BODY;
        config.brokers[0].limits.message_bytes = MESSAGE_BYTES;
        let mut cluster = Cluster::new(now, config);
        cluster.broker("broker-a").expect("a broker").create_topic("T", 4).expect("a topic");
        let mut scene = Self { serving: Serving::new(cluster), now, peers: BTreeMap::new(), asked: Vec::new() };
        scene.connect(ServerId::Broker(0));
        scene.connect(ServerId::NameServer(0));
        scene
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=15)? {
            0 => self.connect(if script.arbitrary()? { ServerId::Broker(0) } else { ServerId::NameServer(0) }),
            1 => {
                if let Some(peer) = self.peer(script)? {
                    self.peers.remove(&peer);
                    self.serving.closed(self.now, peer);
                }
            }
            2 | 3 => self.pass(Duration::from_millis(script.arbitrary::<u16>()?.into())),
            4 => self.pass(Duration::from_secs(script.arbitrary::<u8>()?.into())),
            5 | 6 => {
                if let Some(peer) = self.peer(script)? {
                    self.read(peer, script.int_in_range(0..=8)?);
                }
            }
            7 => self.answer(script)?,
            8 => {
                let server = if script.arbitrary()? { ServerId::Broker(0) } else { ServerId::NameServer(0) };
                self.serving.stop_server(self.now, server);
                let memory = if script.arbitrary()? { Memory::Kept } else { Memory::Lost };
                let now = self.now;
                self.serving.with(|cluster| cluster.start(now, server, memory));
            }
            _ => {
                if let Some(peer) = self.peer(script)? {
                    let mut commands = vec![request(script)?];
                    self.serving.received(self.now, peer, &mut commands);
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, server: ServerId) {
        let address = SocketAddr::from(([127, 0, 0, 1], 50_000 + self.peers.len() as u16));
        if let Ok(peer) = self.serving.connected(self.now, server, address) {
            self.peers.insert(peer, (VecDeque::new(), FrameReader::new(DEFAULT_MAX_FRAME_LENGTH)));
        }
    }

    fn peer(&self, script: &mut Unstructured<'_>) -> Result<Option<Peer>> {
        let peers: Vec<Peer> = self.peers.keys().copied().collect();
        if peers.is_empty() { Ok(None) } else { script.choose(&peers).copied().map(Some) }
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        while let Some(due) = self.serving.poll_timeout().filter(|due| *due <= end) {
            self.advance_to(due.max(self.now.mono));
            self.serving.handle_timeout(self.now);
            let due = self.serving.poll_timeout();
            assert!(due.is_none_or(|due| due > self.now.mono), "it would go on for ever at one moment");
        }
        self.advance_to(end);
    }

    fn advance_to(&mut self, mono: Instant) {
        self.now = Now { mono, unix_ms: 1_700_000_000_000 + mono.as_micros() / 1000 };
    }

    /// Lets a client read so many pieces.
    fn read(&mut self, peer: Peer, pieces: usize) {
        let Some((chunks, reader)) = self.peers.get_mut(&peer) else {
            return;
        };
        for _ in 0..pieces {
            if self.serving.take(peer, chunks).is_none() {
                self.peers.remove(&peer);
                return self.serving.closed(self.now, peer);
            }
            let Some(chunk) = chunks.pop_front() else {
                return;
            };
            self.serving.written(self.now, peer, chunk.len());
            reader.extend(&chunk);
            while let Some(command) = reader.next_command().expect("a server writes frames") {
                if !command.is_response() && !command.is_oneway() {
                    self.asked.push((peer, command.opaque));
                }
            }
        }
    }

    /// Has a client answer what a broker has asked.
    fn answer(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let Some((peer, opaque)) = self.asked.pop() else {
            return Ok(());
        };
        let body = script.choose(&BODIES)?;
        let code = *script.choose(&[0, 1, 206])?;
        let answer = encoded(code, opaque, FLAG_RESPONSE, HeaderCodec::Json, BTreeMap::new(), body.as_bytes());
        self.serving.received(self.now, peer, &mut vec![answer]);
        Ok(())
    }

    fn check(&mut self) {
        self.serving.with(|cluster| {
            let usage = cluster.broker("broker-a").expect("a broker").usage();
            assert!(usage.message_bytes <= MESSAGE_BYTES + 4 * BODY, "{usage:?}");
            assert!(cluster.state_bytes() <= STATE_BYTES, "{} bytes besides messages", cluster.state_bytes());
        });
        for (peer, (chunks, _)) in &mut self.peers {
            if self.serving.take(*peer, chunks).is_some() {
                let waiting: usize = chunks.iter().map(Bytes::len).sum();
                assert!(waiting <= MOST_WAITING, "{waiting} bytes wait");
            }
        }
    }
}

fn request(script: &mut Unstructured<'_>) -> Result<Command> {
    let code = *script.choose(&CODES)?;
    let mut fields: BTreeMap<String, String> =
        FIELDS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for _ in 0..script.int_in_range(0..=4)? {
        let (name, _) = script.choose(&FIELDS)?;
        match script.int_in_range(0..=4)? {
            0 => {
                fields.remove(*name);
            }
            1 => {
                fields.insert((*name).to_owned(), script.arbitrary::<i32>()?.to_string());
            }
            _ => {
                fields.insert((*name).to_owned(), (*script.choose(&VALUES)?).to_owned());
            }
        }
    }
    let mut body = script.choose(&BODIES)?.as_bytes().to_vec();
    if script.ratio(1, 4)? {
        let length = usize::from(script.arbitrary::<u8>()?).min(script.len());
        body = script.bytes(length)?.to_vec();
    }
    if script.ratio(1, 16)? {
        body.resize(usize::from(script.arbitrary::<u16>()?).min(2 * BODY), b'x');
    }
    let codec = if script.arbitrary()? { HeaderCodec::Json } else { HeaderCodec::Binary };
    let flag = if script.ratio(1, 8)? { FLAG_ONEWAY } else { 0 };
    Ok(encoded(code, 7, flag, codec, fields, &body))
}

fn encoded(
    code: i32,
    opaque: i32,
    flag: i32,
    codec: HeaderCodec,
    fields: BTreeMap<String, String>,
    body: &[u8],
) -> Command {
    let head = Head { code, language: Language::JAVA, version: 493, opaque, flag, remark: None };
    let mut frame = BytesMut::new();
    command::encode(&mut frame, codec, Dialect::Apache, &head, &AnyFields(fields), b"");
    frame.put_slice(body);
    command::decode(frame.freeze().slice(4..)).expect("what we wrote")
}
