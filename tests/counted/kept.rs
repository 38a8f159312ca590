//! What a cluster in memory keeps besides messages stays below the stated limit, counted in bytes that are allocated: it is filled with
//! one kind of thing after the other, until it refuses more or has been asked often enough.

use std::alloc::System;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::{Cluster, ClusterConfig, Peer, ServerId};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is allowed, in bytes.
const STATE: usize = 8 * 1024 * 1024;
/// What is allowed of messages.
const MESSAGES: usize = 4 * 1024 * 1024;
/// What may be lost to allocations that are longer than what is in them, and to answers that were just read.
const SLACK: usize = 256 * 1024;
/// How often is asked if nothing is refused.
const MOST: usize = 40_000;

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

struct Named(Vec<(&'static str, String)>);

impl WriteHeader for Named {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.foreign(name, value));
    }
}

struct Bench {
    cluster: Cluster,
    peers: Vec<Peer>,
    name_server: Peer,
}

const NOW: Now = Now { mono: Instant::from_micros(1), unix_ms: 1_700_000_000_000 };

impl Bench {
    fn new() -> Self {
        let mut config = ClusterConfig::default();
        config.state_bytes = STATE;
        config.brokers[0].property_filter = true;
        config.brokers[0].limits.message_bytes = MESSAGES;
        let mut cluster = Cluster::new(NOW, config);
        let address = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let peers = (0..64).map(|_| cluster.connected(NOW, ServerId::Broker(0), address).expect("room")).collect();
        let name_server = cluster.connected(NOW, ServerId::NameServer(0), address).expect("room");
        Self { cluster, peers, name_server }
    }

    /// Asks, and gives the code of the answer, if there is one at once.
    fn ask(&mut self, peer: Peer, code: i32, fields: Vec<(&'static str, String)>, body: &str) -> Option<i32> {
        let head = Head { code, language: Language::JAVA, version: 493, opaque: 1, flag: 0, remark: None };
        let mut frame = BytesMut::new();
        command::encode(&mut frame, HeaderCodec::Json, Dialect::Apache, &head, &Named(fields), body.as_bytes());
        let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        reader.extend(&frame);
        let request: Command = reader.next_command().expect("a frame").expect("all of it");
        self.cluster.receive(NOW, peer, &request);
        let mut answer = None;
        while let Some((to, bytes)) = self.cluster.poll_output() {
            reader.extend(&bytes);
            while let Some(command) = reader.next_command().expect("frames") {
                if to == peer && command.is_response() {
                    answer = Some(command.code);
                }
            }
        }
        answer
    }
}

static ALONE: Mutex<()> = Mutex::new(());

/// Fills a cluster by one kind of request, and says how much it keeps then, as it is counted and as it is allocated.
fn fill(kind: &str, mut ask: impl FnMut(&mut Bench, usize) -> Option<i32>) {
    // The allocator counts what everybody allocates.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = allocated();
    let mut bench = Bench::new();
    let beginning = allocated() - before;
    let mut refused = 0;
    let mut asked = 0;
    while asked < MOST && refused < 100 {
        refused += usize::from(ask(&mut bench, asked) == Some(1));
        asked += 1;
    }
    let kept = allocated() - before - beginning;
    let counted = bench.cluster.state_bytes();
    let messages = bench.cluster.broker("broker-a").expect("the broker").usage().message_bytes;
    println!("{kind:24} asked {asked:6}, refused {refused:3}, counted {counted:9} + {messages:9}, allocated {kept:9}");
    assert!(counted <= STATE, "{kind}: {counted} bytes are counted");
    assert!(kept <= STATE + MESSAGES + SLACK, "{kind}: {kept} bytes are allocated");
    assert!(messages <= MESSAGES, "{kind}: {messages} bytes of messages are counted");
    let all = counted + messages;
    assert!(kept <= all + SLACK, "{kind}: {kept} bytes are allocated, and {all} counted");
    bench.peers.clone().into_iter().for_each(|peer| bench.cluster.closed(NOW, peer));
    drop(bench);
}

fn name(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:08}{}", "x".repeat(60))
}

fn topic(bench: &mut Bench, topic: String, queues: usize) -> Option<i32> {
    let fields = vec![
        ("topic", topic),
        ("defaultTopic", "TBW102".to_owned()),
        ("readQueueNums", queues.to_string()),
        ("writeQueueNums", queues.to_string()),
        ("perm", "6".to_owned()),
        ("topicFilterType", "SINGLE_TAG".to_owned()),
        ("topicSysFlag", "0".to_owned()),
        ("order", "false".to_owned()),
        ("attributes", String::new()),
    ];
    let peer = bench.peers[0];
    bench.ask(peer, 17, fields, "")
}

fn send(bench: &mut Bench, topic: &str, queue: usize) -> Option<i32> {
    let values = ["p", topic, "TBW102", "4", &queue.to_string(), "0", "1", "0", ""].map(str::to_owned);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let peer = bench.peers[0];
    bench.ask(peer, 310, names.into_iter().zip(values).collect(), "x")
}

fn pull(group: String, topic: &str, expression: String, kind: &str, flags: u8) -> Vec<(&'static str, String)> {
    vec![
        ("consumerGroup", group),
        ("topic", topic.to_owned()),
        ("queueId", "0".to_owned()),
        ("queueOffset", "0".to_owned()),
        ("maxMsgNums", "32".to_owned()),
        ("sysFlag", flags.to_string()),
        ("commitOffset", "0".to_owned()),
        ("suspendTimeoutMillis", "1000000".to_owned()),
        ("subscription", expression),
        ("subVersion", "1".to_owned()),
        ("expressionType", kind.to_owned()),
    ]
}

fn heartbeat(client: usize, group: &str, subscriptions: &str) -> String {
    format!(
        r#"{{"clientID":"client-{client}","consumerDataSet":[{{"groupName":"{group}","subscriptionDataSet":[{subscriptions}]}}]}}"#
    )
}

fn send_with(bench: &mut Bench, queue: usize, properties: &str, body: &str, is_batch: bool) -> Option<i32> {
    let (queue, is_batch) = (queue.to_string(), is_batch.to_string());
    let values = ["p", "t", "TBW102", "4", &queue, "0", "1", "0", properties, &is_batch].map(str::to_owned);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "m"];
    let peer = bench.peers[0];
    bench.ask(peer, 310, names.into_iter().zip(values).collect(), body)
}

/// A pull that waits, with a remark of its own and blanks among its fields. Without room it is answered.
fn pull_and_wait(bench: &mut Bench, number: usize, remark: &str, blanks: &str) -> Option<i32> {
    let fields = pull("g".to_owned(), "t", "*".to_owned(), "TAG", 6);
    let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let fields = fields.join(",");
    let header = format!(
        r#"{{"code":11,"version":493,"language":"JAVA","opaque":1,"flag":0,"remark":"{remark}","extFields":{{{blanks}{fields}}}}}"#
    );
    let mut frame = Vec::from((header.len() as u32).to_be_bytes());
    frame.extend_from_slice(header.as_bytes());
    let request = command::decode(frame.into()).expect("a frame");
    bench.cluster.receive(NOW, bench.peers[number % 64], &request);
    drop(request);
    std::iter::from_fn(|| bench.cluster.poll_output()).count().gt(&0).then_some(1)
}

/// What an adversary has found that was more than it was counted.
#[test]
fn whatever_is_kept_with_something_else_is_counted_too() {
    let create = |bench: &mut Bench, number, queues| _ = (number == 0).then(|| topic(bench, "t".to_owned(), queues));
    fill("messages of 33 KB", |bench, number| {
        create(bench, number, 1);
        (number >= 300).then_some(1).or_else(|| send_with(bench, 0, "", &"x".repeat(33 * 1024), false))
    });
    fill("messages of 3 KB", |bench, number| {
        create(bench, number, 1);
        send_with(bench, 0, "", &"x".repeat(3000), false).filter(|_| number < 4000).or(Some(1))
    });
    fill("messages of one byte", |bench, number| {
        create(bench, number, 1);
        send_with(bench, 0, "", "x", false)
    });
    fill("messages of many keys", |bench, number| {
        create(bench, number, 1);
        let keys: Vec<String> = (0..5000).map(|key| format!("{:x}", key * 200 + number)).collect();
        let keys = format!("KEYS\u{1}{}\u{2}", &keys.join(" ")[..28_000]);
        send_with(bench, 0, &keys, "x", false).filter(|_| number < 300).or(Some(1))
    });
    fill("queues that were full", |bench, number| {
        create(bench, number, 300);
        let mut record = Vec::from(23_i32.to_be_bytes());
        record.extend_from_slice(&[0; 12]);
        record.extend_from_slice(&1_i32.to_be_bytes());
        record.extend_from_slice(b"x\0\0");
        let records = String::from_utf8(record.repeat(1500)).expect("ASCII");
        send_with(bench, number % 300, "", &records, true).filter(|_| number < 400).or(Some(1))
    });
    fill("answers that were long", |bench, number| {
        create(bench, number, 16_384);
        let peer = bench.peers[number % 64];
        bench.ask(peer, 202, vec![("topic", "t".to_owned())], "").filter(|_| number < 128).or(Some(1))
    });
    fill("groups with objects", |bench, number| {
        let peer = bench.peers[0];
        let odd = r#"{"":0},"#.repeat(1000);
        bench.ask(
            peer,
            200,
            vec![],
            &format!(r#"{{"groupName":"{}","subscriptionDataSet":[{odd}0]}}"#, name("g", number)),
        )
    });
    let expression = vec!["a=1"; 3000].join(" OR ");
    fill("waiting pulls by SQL", |bench, number| {
        create(bench, number, 1);
        let peer = bench.peers[number % 64];
        bench.ask(peer, 11, pull("g".to_owned(), "t", expression.clone(), "SQL92", 6), "")
    });
    fill("waiting pulls by old SQL", |bench, number| {
        create(bench, number, 1);
        let subscription =
            format!(r#"{{"topic":"t","subString":"{expression}","expressionType":"SQL92","subVersion":{number}}}"#);
        let peer = bench.peers[0];
        let beat = bench.ask(peer, 34, vec![], &heartbeat(1, "g", &subscription));
        bench.ask(peer, 11, pull("g".to_owned(), "t", String::new(), "SQL92", 2), "");
        beat
    });
    fill("waiting pulls' remarks", |bench, number| {
        create(bench, number, 1);
        pull_and_wait(bench, number, &"r".repeat(100_000), "").filter(|_| number < 200).or((number >= 200).then_some(1))
    });
    fill("waiting pulls' blanks", |bench, number| {
        create(bench, number, 1);
        pull_and_wait(bench, number, "", &" ".repeat(100_000))
    });
}

#[test]
fn whatever_a_cluster_is_filled_with_it_keeps_to_its_bytes() {
    fill("topics", |bench, number| topic(bench, name("t", number), 4));
    fill("topics by sending", |bench, number| send(bench, &name("t", number), 0));
    fill("queues", |bench, number| {
        if number % 16_000 == 0 {
            topic(bench, name("t", number / 16_000), 16_384);
        }
        send(bench, &name("t", number / 16_000), 16_383 - number % 16_000)
    });
    fill("groups", |bench, number| {
        let peer = bench.peers[0];
        bench.ask(peer, 200, vec![], &format!(r#"{{"groupName":"{}"}}"#, name("g", number)))
    });
    fill("groups with odd JSON", |bench, number| {
        let peer = bench.peers[0];
        let odd = "[],".repeat(1000);
        let body = format!(
            r#"{{"groupName":"{}","subscriptionDataSet":[{odd}0],"groupRetryPolicy":{{"customizedRetryPolicy":{{"a":[{odd}0]}}}}}}"#,
            name("g", number)
        );
        bench.ask(peer, 200, vec![], &body)
    });
    fill("offsets", |bench, number| {
        if number == 0 {
            topic(bench, "t".to_owned(), 4);
        }
        let peer = bench.peers[0];
        let group = name("g", number / 100);
        if number % 100 == 0 {
            bench.ask(peer, 200, vec![], &format!(r#"{{"groupName":"{group}"}}"#));
        }
        let (queue, topic) = ((number % 100).to_string(), "t".to_owned());
        let fields = vec![("consumerGroup", group), ("topic", topic), ("queueId", queue), ("commitOffset", "1".into())];
        bench.ask(peer, 15, fields, "")
    });
    fill("members", |bench, number| {
        let peer = bench.peers[number % 64];
        bench.ask(peer, 34, vec![], &heartbeat(number, &name("g", number), ""))
    });
    fill("subscriptions by tags", |bench, number| {
        let peer = bench.peers[number % 64];
        let tags: Vec<String> = (0..20).map(|tag| format!(r#""tag{number}-{tag}""#)).collect();
        let codes: Vec<String> = (0..200).map(|code| (number * 200 + code).to_string()).collect();
        let subscription = format!(
            r#"{{"topic":"t{number}","subString":"{}","tagsSet":[{}],"codeSet":[{}],"subVersion":1}}"#,
            "y".repeat(500),
            tags.join(","),
            codes.join(",")
        );
        bench.ask(peer, 34, vec![], &heartbeat(number, &name("g", number % 100), &[&*subscription; 5].join(",")))
    });
    fill("subscriptions by SQL", |bench, number| {
        let peer = bench.peers[number % 64];
        let expression = vec!["a > 1"; 100].join(" AND ");
        let subscription =
            format!(r#"{{"topic":"t{number}","subString":"{expression}","expressionType":"SQL92","subVersion":1}}"#);
        bench.ask(peer, 34, vec![], &heartbeat(number, &name("g", number), &subscription))
    });
    fill("producers", |bench, number| {
        let peer = bench.peers[number % 64];
        bench.ask(
            peer,
            34,
            vec![],
            &format!(r#"{{"clientID":"c","producerDataSet":[{{"groupName":"{}"}}]}}"#, name("p", number)),
        )
    });
    fill("groups come and go", |bench, number| {
        let peer = bench.peers[0];
        bench.ask(peer, 34, vec![], &heartbeat(number, &name("g", number), r#"{"topic":"t","subString":"*"}"#));
        bench.ask(peer, 35, vec![("clientID", "c".to_owned()), ("consumerGroup", name("g", number))], "");
        bench.ask(peer, 207, vec![("groupName", name("g", number)), ("cleanOffset", "true".to_owned())], "");
        bench.ask(peer, 215, vec![("topic", format!("%RETRY%{}", name("g", number)))], "")
    });
    fill("locks", |bench, number| {
        let peer = bench.peers[0];
        let queue = |queue| format!(r#"{{"brokerName":"broker-a","queueId":{queue},"topic":"{}"}}"#, name("t", number));
        let queues: Vec<String> = (0..10).map(queue).collect();
        let body = format!(
            r#"{{"clientId":"client-{number}","consumerGroup":"{}","mqSet":[{}]}}"#,
            name("g", number),
            queues.join(",")
        );
        bench.ask(peer, 41, vec![], &body)
    });
    fill("pulls by expressions", |bench, number| {
        if number == 0 {
            topic(bench, "t".to_owned(), 1);
        }
        let peer = bench.peers[0];
        let expression = format!("a > {number} AND b = '{}'", "z".repeat(300));
        bench.ask(peer, 11, pull(name("g", number % 50), "t", expression, "SQL92", 4), "")
    });
    fill("pulls that wait", |bench, number| {
        if number == 0 {
            topic(bench, "t".to_owned(), 1);
        }
        let peer = bench.peers[number % 64];
        let tags: Vec<String> = (0..50).map(|tag| format!("tag{number}{tag}")).collect();
        let answered = bench.ask(peer, 11, pull("g".to_owned(), "t", tags.join("||"), "TAG", 6), "");
        // Without room it is answered.
        answered.map(|_| 1)
    });
    fill("values", |bench, number| {
        let peer = bench.name_server;
        let fields =
            vec![("namespace", name("n", number % 500)), ("key", name("k", number)), ("value", "v".repeat(100))];
        bench.ask(peer, 100, fields, "")
    });
    fill("questions to members", |bench, number| {
        let peer = bench.peers[0];
        if number == 0 {
            bench.ask(peer, 34, vec![], &heartbeat(1, "g", ""));
        }
        let group = || "g".to_owned();
        let fields = vec![
            ("consumerGroup", group()),
            ("group", group()),
            ("clientId", "client-1".to_owned()),
            ("topic", name("t", number)),
        ];
        bench.ask(peer, if number % 2 == 0 { 307 } else { 223 }, fields, "")
    });
}
