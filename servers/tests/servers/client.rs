//! The smallest client: it encodes typed requests, gives them to a cluster at a time of its own making, and reads what
//! comes back.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::message::{StoredMessage, StoredMessages};
use stgclient_core::wire::request::{
    CreateTopic, PULL_FLAG_SUBSCRIPTION, PullMessage, PullMessageAnswer, Request, SendMessage, TopicFilterType,
};
use stgclient_servers::{Broker, Cluster, ClusterConfig, NameServer, Peer, ServerId};

pub(crate) const DIALECT: Dialect = Dialect::Apache;
/// When tests begin, in milliseconds since 1970.
pub(crate) const BEGINNING: u64 = 1_700_000_000_000;

/// A cluster, a clock and some connections.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) now: Now,
    /// When the test began, in milliseconds since 1970.
    pub(crate) beginning: u64,
    dialect: Dialect,
    readers: BTreeMap<Peer, FrameReader>,
    answers: BTreeMap<Peer, Vec<Command>>,
    opaque: i32,
}

impl Bench {
    pub(crate) fn new(config: ClusterConfig) -> Self {
        let now = Now { mono: Instant::from_micros(1), unix_ms: BEGINNING };
        let dialect = config.dialect;
        let cluster = Cluster::new(now, config);
        Self {
            cluster,
            now,
            beginning: BEGINNING,
            dialect,
            readers: BTreeMap::new(),
            answers: BTreeMap::new(),
            opaque: 0,
        }
    }

    /// A cluster of one name server and one broker, whose settings `change` may change, and a connection to the broker.
    pub(crate) fn with_broker(change: impl FnOnce(&mut stgclient_servers::BrokerConfig)) -> (Self, Peer) {
        Self::with_config(|config| change(&mut config.brokers[0]))
    }

    /// The same of one whose settings as a whole `change` may change.
    pub(crate) fn with_config(change: impl FnOnce(&mut ClusterConfig)) -> (Self, Peer) {
        let mut config = ClusterConfig::default();
        change(&mut config);
        let mut bench = Self::new(config);
        let peer = bench.connect(ServerId::Broker(0));
        (bench, peer)
    }

    pub(crate) fn broker(&mut self) -> &mut Broker {
        self.cluster.broker("broker-a").expect("the broker")
    }

    pub(crate) fn name_server(&mut self) -> &mut NameServer {
        self.cluster.name_server(0).expect("the name server")
    }

    pub(crate) fn connect(&mut self, server: ServerId) -> Peer {
        let port = 50_000 + self.readers.len() as u16;
        let address = SocketAddr::from(([192, 0, 2, 7], port));
        let peer = self.cluster.connected(self.now, server, address).expect("a connection");
        self.readers.insert(peer, FrameReader::new(DEFAULT_MAX_FRAME_LENGTH));
        peer
    }

    pub(crate) fn close(&mut self, peer: Peer) {
        self.cluster.closed(self.now, peer);
        self.readers.remove(&peer);
        self.drain();
    }

    /// Gives a command to the cluster as it would come from a socket.
    pub(crate) fn give(&mut self, peer: Peer, command: &Command) {
        self.cluster.receive(self.now, peer, command);
        self.drain();
    }

    /// Sends a request and returns its opaque.
    pub(crate) fn request<'r, R: Request<'r>>(&mut self, peer: Peer, request: &R, body: &[u8]) -> i32 {
        self.request_as(peer, R::CODE, HeaderCodec::Json, request, body)
    }

    pub(crate) fn request_as(
        &mut self,
        peer: Peer,
        code: RequestCode,
        codec: HeaderCodec,
        request: &dyn WriteHeader,
        body: &[u8],
    ) -> i32 {
        self.opaque += 1;
        let head = Head::request(self.dialect, code, self.opaque);
        let command = encoded_in(self.dialect, &head, codec, request, body);
        self.give(peer, &command);
        self.opaque
    }

    /// Sends a request and returns its answer, which has to come at once.
    pub(crate) fn ask<'r, R: Request<'r>>(&mut self, peer: Peer, request: &R) -> Command {
        let opaque = self.request(peer, request, &[]);
        self.answer(peer, opaque).expect("an answer at once")
    }

    /// The same with a body.
    pub(crate) fn ask_with<'r, R: Request<'r>>(&mut self, peer: Peer, request: &R, body: &[u8]) -> Command {
        let opaque = self.request(peer, request, body);
        self.answer(peer, opaque).expect("an answer at once")
    }

    /// Sends a request by its code only, and returns its answer.
    pub(crate) fn ask_code(&mut self, peer: Peer, code: RequestCode) -> Command {
        let opaque = self.request_as(peer, code, HeaderCodec::Json, &stgclient_core::wire::fields::NoFields, &[]);
        self.answer(peer, opaque).expect("an answer at once")
    }

    /// Sends a request of these fields, which may be none that it has, and returns its answer.
    pub(crate) fn ask_fields(&mut self, peer: Peer, code: RequestCode, fields: &[(&str, &str)], body: &str) -> Command {
        let opaque = self.request_as(peer, code, HeaderCodec::Json, &Named(fields), body.as_bytes());
        self.answer(peer, opaque).expect("an answer at once")
    }

    /// The heartbeat of a member of one consumer group, its subscriptions as JSON.
    pub(crate) fn beat(&mut self, peer: Peer, client: &str, group: &str, subscriptions: &str) -> Command {
        let group = format!(r#"{{"groupName":"{group}","subscriptionDataSet":[{subscriptions}]}}"#);
        let body = format!(r#"{{"clientID":"{client}","consumerDataSet":[{group}]}}"#);
        self.ask_fields(peer, RequestCode::HEART_BEAT, &[], &body)
    }

    /// The answer to the request `opaque`, if it has come; it is given out once.
    pub(crate) fn answer(&mut self, peer: Peer, opaque: i32) -> Option<Command> {
        let answers = self.answers.entry(peer).or_default();
        let index = answers.iter().position(|answer| answer.is_response() && answer.opaque == opaque)?;
        Some(answers.remove(index))
    }

    /// Everything that has come for `peer` and was not asked for yet.
    pub(crate) fn answers(&mut self, peer: Peer) -> Vec<Command> {
        self.answers.remove(&peer).unwrap_or_default()
    }

    /// Lets time pass, and the cluster do what becomes due meanwhile when it becomes due.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        while let Some(due) = self.cluster.poll_timeout().filter(|due| *due <= end) {
            self.advance_to(due.max(self.now.mono));
            self.cluster.handle_timeout(self.now);
            self.drain();
        }
        self.advance_to(end);
    }

    fn advance_to(&mut self, mono: Instant) {
        self.now = Now { mono, unix_ms: self.beginning + mono.as_micros() / 1000 };
    }

    fn drain(&mut self) {
        while let Some((peer, bytes)) = self.cluster.poll_output() {
            let Some(reader) = self.readers.get_mut(&peer) else {
                continue;
            };
            reader.extend(&bytes);
            while let Some(command) = reader.next_command().expect("a frame") {
                self.answers.entry(peer).or_default().push(command);
            }
        }
    }

    // What many tests do.

    pub(crate) fn create_topic(&mut self, peer: Peer, topic: &str, queues: i32) {
        let answer = self.ask(peer, &create_topic(topic, queues));
        assert_eq!(code(&answer), ResponseCode::SUCCESS, "{:?}", answer.remark);
    }

    pub(crate) fn send(&mut self, peer: Peer, topic: &str, queue_id: i32, properties: &str, body: &[u8]) -> Command {
        self.ask_with(peer, &send(topic, queue_id, properties), body)
    }

    /// Pulls from `offset` on by a tag expression, without waiting.
    pub(crate) fn pull(&mut self, peer: Peer, topic: &str, queue_id: i32, offset: i64, expression: &str) -> Pulled {
        let request = PullMessage {
            subscription: Some(expression.into()),
            sys_flag: PULL_FLAG_SUBSCRIPTION,
            ..pull(topic, queue_id, offset)
        };
        Pulled::new(self.ask(peer, &request))
    }
}

/// Fields by name.
pub(crate) struct Named<'a>(pub(crate) &'a [(&'a str, &'a str)]);

impl WriteHeader for Named<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.foreign(name, value));
    }
}

/// The answer to a pull.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) command: Command,
    pub(crate) messages: Vec<StoredMessage>,
}

impl Pulled {
    pub(crate) fn new(command: Command) -> Self {
        let messages = StoredMessages::new(command.body.clone(), DIALECT).collect::<Result<_, _>>();
        Self { messages: messages.expect("stored messages"), command }
    }

    pub(crate) fn code(&self) -> ResponseCode {
        code(&self.command)
    }

    pub(crate) fn header(&self) -> PullMessageAnswer {
        self.command.header().expect("the header of a pull's answer")
    }

    pub(crate) fn next(&self) -> i64 {
        self.header().next_begin_offset
    }

    pub(crate) fn offsets(&self) -> Vec<i64> {
        self.messages.iter().map(|message| message.fields.queue_offset).collect()
    }
}

pub(crate) fn code(answer: &Command) -> ResponseCode {
    assert!(answer.is_response());
    ResponseCode(answer.code)
}

pub(crate) fn remark(answer: &Command) -> &str {
    answer.remark.as_deref().unwrap_or_default()
}

/// A command as it looks after a journey over the wire.
pub(crate) fn encoded(head: &Head<'_>, codec: HeaderCodec, header: &dyn WriteHeader, body: &[u8]) -> Command {
    encoded_in(DIALECT, head, codec, header, body)
}

pub(crate) fn encoded_in(
    dialect: Dialect,
    head: &Head<'_>,
    codec: HeaderCodec,
    header: &dyn WriteHeader,
    body: &[u8],
) -> Command {
    let mut out = BytesMut::new();
    command::encode(&mut out, codec, dialect, head, header, body);
    let frame: Bytes = out.freeze().slice(4..);
    command::decode(frame).expect("our own frame")
}

pub(crate) fn send<'a>(topic: &'a str, queue_id: i32, properties: &'a str) -> SendMessage<'a> {
    SendMessage {
        producer_group: "producers".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id,
        sys_flag: 0,
        born_timestamp: 1_600_000_000_000,
        flag: 7,
        properties: Some(properties.into()),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        batch: Some(false),
        broker_name: None,
    }
}

pub(crate) fn pull(topic: &str, queue_id: i32, offset: i64) -> PullMessage<'_> {
    PullMessage {
        consumer_group: "consumers".into(),
        topic: topic.into(),
        queue_id,
        queue_offset: offset,
        max_msg_nums: 32,
        sys_flag: 0,
        commit_offset: 0,
        suspend_timeout_millis: 15_000,
        subscription: None,
        sub_version: 0,
        expression_type: Some("TAG".into()),
        max_msg_bytes: None,
        broker_name: None,
    }
}

pub(crate) fn create_topic(topic: &str, queues: i32) -> CreateTopic<'_> {
    CreateTopic {
        topic: topic.into(),
        default_topic: Some("TBW102".into()),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: 6,
        topic_filter_type: TopicFilterType::SingleTag,
        topic_sys_flag: Some(0),
        order: false,
        attributes: None,
    }
}

/// Properties as they travel.
pub(crate) fn properties(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect()
}
