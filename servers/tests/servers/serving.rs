//! Who is served when: output that waits pushes back on input, nobody who reads is closed, and who says nothing is.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::request::{
    GetMaxOffset, Heartbeat, PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage, QueryMessage, Request,
};
use stgclient_servers::serving::{MOST_IDLE, ROOM, Serving};
use stgclient_servers::{Cluster, ClusterConfig, Peer, ServerId};

use super::client::{DIALECT, Named, code, encoded, pull, send};

/// The longest body that a broker takes, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

/// A cluster that is served, and a client that reads when it is told to.
struct Stage {
    serving: Serving,
    now: Now,
    opaque: i32,
    chunks: VecDeque<Bytes>,
}

impl Stage {
    fn new() -> Self {
        let now = Now { mono: Instant::from_micros(1), unix_ms: 1_700_000_000_000 };
        let mut cluster = Cluster::new(now, ClusterConfig::default());
        cluster.broker("broker-a").unwrap().create_topic("T", 20).unwrap();
        Self { serving: Serving::new(cluster), now, opaque: 0, chunks: VecDeque::new() }
    }

    fn connect(&mut self) -> Peer {
        let address = SocketAddr::from(([192, 0, 2, 7], 50_000));
        self.serving.connected(self.now, ServerId::Broker(0), address).unwrap()
    }

    fn request<'r, R: Request<'r>>(&mut self, request: &R, body: &[u8]) -> Command {
        self.opaque += 1;
        encoded(&Head::request(DIALECT, R::CODE, self.opaque), HeaderCodec::Json, request, body)
    }

    /// Stores a message of the longest body in each of so many queues.
    fn store(&mut self, queues: i32) {
        let producer = self.connect();
        for queue_id in 0..queues {
            let sent = self.request(&send("T", queue_id, ""), &vec![b'x'; LONGEST]);
            self.serving.received(self.now, producer, &mut vec![sent]);
            assert_eq!(self.read(producer, usize::MAX).iter().map(code).collect::<Vec<_>>(), [ResponseCode::SUCCESS]);
        }
        self.serving.closed(self.now, producer);
    }

    /// Pulls of all messages of so many queues.
    fn pulls(&mut self, queues: i32, flags: i32) -> Vec<Command> {
        let pull_of = |queue_id| PullMessage {
            sys_flag: flags | PULL_FLAG_SUBSCRIPTION,
            subscription: Some("*".into()),
            ..pull("T", queue_id, 0)
        };
        (0..queues).map(|queue_id| self.request(&pull_of(queue_id), b"")).collect()
    }

    /// Takes what waits for a client, and writes it in steps, as long as there are any.
    fn read(&mut self, peer: Peer, steps: usize) -> Vec<Command> {
        let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        let mut answers = Vec::new();
        for _ in 0..steps {
            self.serving.take(peer, &mut self.chunks).expect("the connection stays open");
            let Some(chunk) = self.chunks.pop_front() else {
                break;
            };
            reader.extend(&chunk);
            self.serving.written(self.now, peer, chunk.len());
            while let Some(answer) = reader.next_command().unwrap() {
                answers.push(answer);
            }
        }
        answers
    }

    /// How many bytes wait for a client that has not read any.
    fn waiting(&mut self, peer: Peer) -> usize {
        self.serving.take(peer, &mut self.chunks).expect("the connection stays open");
        self.chunks.iter().map(Bytes::len).sum()
    }
}

#[test]
fn of_a_client_that_does_not_read_nothing_more_is_carried_out_and_it_gets_all_once_it_does() {
    let mut stage = Stage::new();
    stage.store(20);
    let peer = stage.connect();
    let mut pulls = stage.pulls(20, 0);
    stage.serving.received(stage.now, peer, &mut pulls);
    assert!(stage.waiting(peer) < ROOM + LONGEST + 10_000);
    assert!(!stage.serving.wants_input(peer));
    let answers = stage.read(peer, usize::MAX);
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|answer| answer.body.len() > LONGEST));
    assert!(stage.serving.wants_input(peer));
}

#[test]
fn pulls_that_wait_no_longer_are_answered_once_there_is_room() {
    let mut stage = Stage::new();
    let peer = stage.connect();
    let mut pulls = stage.pulls(20, PULL_FLAG_SUSPEND);
    stage.serving.received(stage.now, peer, &mut pulls);
    assert_eq!(stage.waiting(peer), 0);
    stage.store(20);
    assert!(stage.waiting(peer) < ROOM + LONGEST + 10_000);
    // Others are served meanwhile.
    let other = stage.connect();
    let asked = stage.request(&GetMaxOffset { topic: "T".into(), queue_id: 3, broker_name: None }, b"");
    let waiting = std::mem::take(&mut stage.chunks);
    stage.serving.received(stage.now, other, &mut vec![asked]);
    assert_eq!(stage.read(other, usize::MAX).len(), 1);
    stage.chunks = waiting;
    assert_eq!(stage.read(peer, usize::MAX).len(), 20);
}

#[test]
fn a_client_without_room_costs_others_nothing_however_many_pulls_of_its_wait_no_longer() {
    let mut stage = Stage::new();
    let peer = stage.connect();
    for _ in 0..500 {
        let mut pulls = stage.pulls(1, PULL_FLAG_SUSPEND);
        stage.serving.received(stage.now, peer, &mut pulls);
    }
    assert_eq!(stage.waiting(peer), 0);
    let mut cluster = stage.serving.into_cluster();
    let address = SocketAddr::from(([192, 0, 2, 8], 50_000));
    let producer = cluster.connected(stage.now, ServerId::Broker(0), address).unwrap();
    let head = Head::request(DIALECT, RequestCode::SEND_MESSAGE_V2, 1);
    cluster.receive(stage.now, producer, &encoded(&head, HeaderCodec::Json, &send("T", 0, ""), b"body"));
    cluster.set_room(peer, false);
    assert_eq!(std::iter::from_fn(|| cluster.poll_output()).map(|(to, _)| to).collect::<Vec<_>>(), [producer]);
    cluster.set_room(peer, true);
    assert_eq!(std::iter::from_fn(|| cluster.poll_output()).map(|(to, _)| to).collect::<Vec<_>>(), [peer; 500]);
}

#[test]
fn of_a_query_no_more_is_answered_than_a_client_can_read_at_once() {
    let mut stage = Stage::new();
    let (producer, peer) = (stage.connect(), stage.connect());
    for queue_id in 0..17 {
        let sent = stage.request(&send("T", queue_id, "KEYS\u{1}k\u{2}"), &vec![b'x'; LONGEST]);
        stage.serving.received(stage.now, producer, &mut vec![sent]);
        stage.read(producer, usize::MAX);
    }
    let query = QueryMessage {
        topic: "T".into(),
        key: "k".into(),
        max_num: 64,
        begin_timestamp: 0,
        end_timestamp: i64::MAX,
        index_type: None,
        last_key: None,
        is_unique_key: None,
    };
    let asked = stage.request(&query, b"");
    stage.serving.received(stage.now, peer, &mut vec![asked]);
    let answers = stage.read(peer, usize::MAX);
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), [ResponseCode::SUCCESS]);
    assert!((LONGEST..=8 << 20).contains(&answers[0].body.len()));
}

#[test]
fn a_connection_on_which_nothing_comes_and_goes_is_closed() {
    let mut stage = Stage::new();
    let (quiet, busy) = (stage.connect(), stage.connect());
    let end = stage.now.mono + MOST_IDLE;
    for _ in 0..4 {
        stage.now.mono = stage.now.mono + Duration::from_secs(30);
        // Half of a frame counts, too.
        stage.serving.received(stage.now, busy, &mut Vec::new());
    }
    assert_eq!(stage.serving.poll_timeout().filter(|due| *due > stage.now.mono), None, "it is due now");
    stage.serving.handle_timeout(stage.now);
    assert_eq!(stage.now.mono, end);
    assert_eq!(stage.serving.poll_news(), Some(quiet));
    assert!(stage.serving.take(quiet, &mut stage.chunks).is_none());
    assert!(stage.serving.take(busy, &mut stage.chunks).is_some());
    stage.serving.closed(stage.now, quiet);
    // The other one is looked at when it may be idle itself.
    stage.now.mono = stage.now.mono + MOST_IDLE;
    stage.serving.handle_timeout(stage.now);
    assert!(stage.serving.take(busy, &mut stage.chunks).is_none());
}

#[test]
fn a_place_that_is_used_again_belongs_to_the_later_client() {
    let mut stage = Stage::new();
    let first = stage.connect();
    let mut pulls = stage.pulls(1, PULL_FLAG_SUSPEND);
    stage.serving.received(stage.now, first, &mut pulls);
    stage.serving.closed(stage.now, first);
    let second = stage.connect();
    assert_eq!(first.slot(), second.slot());
    stage.store(1);
    assert_eq!(stage.waiting(second), 0);
    assert!(stage.serving.take(first, &mut stage.chunks).is_none());
    stage.serving.closed(stage.now, first);
    assert!(stage.serving.take(second, &mut stage.chunks).is_some());
    let unknown = Head::request(DIALECT, RequestCode(9999), 1);
    let unknown = encoded(&unknown, HeaderCodec::Json, &stgclient_core::wire::fields::NoFields, b"");
    stage.serving.received(stage.now, second, &mut vec![unknown]);
    assert_eq!(stage.read(second, usize::MAX).len(), 1);
}

#[test]
fn a_pull_that_waits_keeps_its_header_only_and_not_what_it_came_in() {
    let mut stage = Stage::new();
    let peer = stage.connect();
    let mut out = BytesMut::new();
    let head = Head::request(DIALECT, RequestCode::PULL_MESSAGE, 1);
    let request = PullMessage {
        sys_flag: PULL_FLAG_SUSPEND | PULL_FLAG_SUBSCRIPTION,
        subscription: Some("*".into()),
        ..pull("T", 0, 0)
    };
    command::encode(&mut out, HeaderCodec::Json, DIALECT, &head, &request, &vec![b'x'; LONGEST]);
    let frame = out.freeze();
    let command = command::decode(frame.slice(4..)).unwrap();
    stage.serving.received(stage.now, peer, &mut vec![command]);
    assert_eq!(stage.waiting(peer), 0);
    assert!(frame.is_unique(), "somebody has the frame");
    stage.store(1);
    assert_eq!(stage.read(peer, usize::MAX).len(), 1);
}

#[test]
fn nobody_is_closed_by_what_another_asks_of_it() {
    let mut stage = Stage::new();
    let [member, administrator] = [stage.connect(), stage.connect()];
    let beat = br#"{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[]}]}"#;
    let beat = stage.request(&Heartbeat {}, beat);
    stage.serving.received(stage.now, member, &mut vec![beat]);
    stage.read(member, usize::MAX);
    let sent = stage.request(&send("T", 0, ""), &vec![b'x'; LONGEST]);
    stage.serving.received(stage.now, administrator, &mut vec![sent]);
    let sent = stage.read(administrator, usize::MAX);
    let id = sent[0].fields.get("msgId").unwrap();
    let fields = [("consumerGroup", "g"), ("clientId", "c"), ("msgId", &*id)];
    let mut asked = Vec::new();
    for opaque in 0..20 {
        let head = Head::request(DIALECT, RequestCode::CONSUME_MESSAGE_DIRECTLY, opaque);
        asked.push(encoded(&head, HeaderCodec::Json, &Named(&fields), b""));
    }
    stage.serving.received(stage.now, administrator, &mut asked);
    let told = stage.read(member, usize::MAX);
    assert!((1..3).contains(&told.len()), "{}", told.len());
    // What has not reached it is given up, as of a member that does not answer.
    stage.now = Now { mono: stage.now.mono + Duration::from_secs(11), ..stage.now };
    stage.serving.handle_timeout(stage.now);
    let late = stage.read(administrator, usize::MAX);
    assert_eq!(late.iter().map(code).collect::<Vec<_>>(), [ResponseCode::CONSUME_MSG_TIMEOUT; 20]);
}
