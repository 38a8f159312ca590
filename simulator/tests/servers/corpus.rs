//! What Apache's client 5.4.0 asked its servers, asked ours: the answers have to have the codes and the fields that
//! Apache's had.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::{self, Command};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_simulator::server::{BrokerConfig, Cluster, ClusterConfig, Peer, ServerId};

/// One captured frame.
struct Captured {
    index: Value,
    command: Command,
}

impl Captured {
    fn text(&self, name: &str) -> &str {
        self.index[name].as_str().expect("a text")
    }

    fn connection(&self) -> u64 {
        self.index["conn"].as_u64().expect("a number")
    }
}

/// A frame's connection and opaque.
type Exchange = (u64, i32);

fn read(folder: &str) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(folder);
    let bytes = Bytes::from(std::fs::read(folder.join("frames.bin")).expect("frames.bin"));
    let index = std::fs::read_to_string(folder.join("index.jsonl")).expect("index.jsonl");
    let captured = index.lines().map(|line| {
        let index: Value = serde_json::from_str(line).expect("a line of JSON");
        let number = |name: &str| index[name].as_u64().expect("a number") as usize;
        let start = number("off");
        let command = command::decode(bytes.slice(start + 4..start + number("len"))).expect("a frame");
        Captured { index, command }
    });
    captured.collect()
}

/// Gives every captured request to a cluster of ours at the time it was captured, and collects the answers.
fn replay(captured: &[Captured]) -> BTreeMap<Exchange, Command> {
    let links: Vec<&str> = captured.iter().map(|frame| frame.text("link")).collect();
    let address = |port: &str| (*links.iter().find(|link| link.ends_with(port)).expect("a server")).to_owned();
    let mut config = ClusterConfig::default();
    config.name_servers = vec![address("876")];
    config.brokers = vec![BrokerConfig::new("broker-a", address("911"))];
    let at = |milliseconds: u64| Now { mono: Instant::from_micros(milliseconds * 1000), unix_ms: milliseconds };
    let mut cluster = Cluster::new(at(0), config);

    let mut peers: BTreeMap<u64, Peer> = BTreeMap::new();
    let mut readers: BTreeMap<Peer, (u64, FrameReader)> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for frame in captured.iter().filter(|frame| frame.text("dir") == "c2s" && !frame.command.is_response()) {
        let now = at(frame.index["ms"].as_u64().expect("a number"));
        cluster.handle_timeout(now);
        let peer = *peers.entry(frame.connection()).or_insert_with(|| {
            let is_broker = frame.text("link").ends_with("911");
            let server = if is_broker { ServerId::Broker(0) } else { ServerId::NameServer(0) };
            let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
            let peer = cluster.connected(now, server, address).expect("a connection");
            readers.insert(peer, (frame.connection(), FrameReader::new(DEFAULT_MAX_FRAME_LENGTH)));
            peer
        });
        cluster.receive(now, peer, &frame.command);
        while let Some((peer, bytes)) = cluster.poll_output() {
            let (connection, reader) = readers.get_mut(&peer).expect("a reader");
            reader.extend(&bytes);
            while let Some(answer) = reader.next_command().expect("a frame") {
                answers.insert((*connection, answer.opaque), answer);
            }
        }
    }
    answers
}

/// What our servers do not do yet, or what a test asked of a broker that is configured otherwise.
fn is_comparable(request: &Command) -> bool {
    let code = Code(request.code);
    let ours = [
        Code::SEND_MESSAGE_V2,
        Code::SEND_BATCH_MESSAGE,
        Code::PULL_MESSAGE,
        Code::LITE_PULL_MESSAGE,
        Code::QUERY_CONSUMER_OFFSET,
        Code::UPDATE_AND_CREATE_TOPIC,
        Code::GET_TOPIC_STATS_INFO,
        Code::GET_TOPIC_CONFIG,
        Code::GET_BROKER_RUNTIME_INFO,
        Code::SEARCH_OFFSET_BY_TIMESTAMP,
        Code::GET_MAX_OFFSET,
        Code::GET_MIN_OFFSET,
        Code::GET_EARLIEST_MSG_STORETIME,
        Code::HEART_BEAT,
        Code::UNREGISTER_CLIENT,
        Code::GET_CONSUMER_LIST_BY_GROUP,
        Code::DELETE_TOPIC_IN_BROKER,
        Code::DELETE_TOPIC_IN_NAMESRV,
        Code::GET_ROUTEINFO_BY_TOPIC,
        Code::GET_BROKER_CLUSTER_INFO,
        Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        Code::PUT_KV_CONFIG,
        Code::GET_KV_CONFIG,
        Code::DELETE_KV_CONFIG,
        Code::GET_KVLIST_BY_NAMESPACE,
        Code::LOCK_BATCH_MQ,
        Code::UNLOCK_BATCH_MQ,
        Code::CONSUMER_SEND_MSG_BACK,
        Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        Code::GET_CONSUMER_CONNECTION_LIST,
        Code::GET_PRODUCER_CONNECTION_LIST,
        Code::GET_CONSUME_STATS,
        Code::QUERY_TOPIC_CONSUME_BY_WHO,
        Code::INVOKE_BROKER_TO_RESET_OFFSET,
        Code::QUERY_MESSAGE,
    ];
    ours.contains(&code)
}

/// Requests whose answers depend on messages and members of which the capture has only some (it keeps 25 exchanges of a
/// kind), or on how soon name servers hear of a topic. Their codes may differ; with the same code the fields may not.
const DEPENDENT: [Code; 10] = [
    Code::GET_ROUTEINFO_BY_TOPIC,
    Code::PULL_MESSAGE,
    Code::LITE_PULL_MESSAGE,
    Code::QUERY_CONSUMER_OFFSET,
    Code::GET_CONSUMER_LIST_BY_GROUP,
    Code::GET_CONSUMER_CONNECTION_LIST,
    Code::GET_PRODUCER_CONNECTION_LIST,
    Code::CONSUMER_SEND_MSG_BACK,
    Code::INVOKE_BROKER_TO_RESET_OFFSET,
    Code::QUERY_MESSAGE,
];

fn fields(answer: &Command) -> BTreeSet<String> {
    answer.fields.iter().map(|(name, _)| name.into_owned()).collect()
}

#[test]
fn answers_have_the_codes_and_fields_of_apaches() {
    for folder in ["json", "rocketmq"] {
        let captured = read(folder);
        let ours = replay(&captured);
        let is_request = |frame: &&Captured| frame.text("dir") == "c2s" && !frame.command.is_response();
        let requests: BTreeMap<Exchange, &Captured> = captured
            .iter()
            .filter(is_request)
            .map(|frame| ((frame.connection(), frame.command.opaque), frame))
            .collect();
        let mut same = 0;
        for theirs in captured.iter().filter(|frame| frame.text("dir") == "s2c" && frame.command.is_response()) {
            let exchange = (theirs.connection(), theirs.command.opaque);
            let Some(request) = requests.get(&exchange).filter(|request| is_comparable(&request.command)) else {
                continue;
            };
            let code = Code(request.command.code);
            let number = &theirs.index["n"];
            let Some(ours) = ours.get(&exchange) else {
                assert!(DEPENDENT.contains(&code), "{folder} {number}: {code} is not answered");
                continue;
            };
            if DEPENDENT.contains(&code) && ours.code != theirs.command.code {
                continue;
            }
            assert_eq!(ours.code, theirs.command.code, "{folder} {number}: {code}, {:?}", ours.remark);
            assert_eq!(fields(ours), fields(&theirs.command), "{folder} {number}: {code}");
            assert_eq!(ours.codec, theirs.command.codec);
            if !DEPENDENT.contains(&code) {
                assert_eq!(ours.remark, theirs.command.remark, "{folder} {number}: {code}");
            }
            same += 1;
        }
        assert!(same >= 250, "{folder}: {same} answers are the same");
    }
}
