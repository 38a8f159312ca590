//! A client whose servers and user do what the input says: it never panics, tells every operation's end once, and when
//! all servers are gone everything ends by itself.
//!
//! The input is a row of steps, each a number and what belongs to it. A server's answer is the right one for the
//! request, with any part of it replaced by what the input has.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use stgclient_core::address::parse_list;
use stgclient_core::admin::{Placement, TopicSettings};
use stgclient_core::client::{
    Action, Client, ClientConfig, ConnectionId, Event, Given, Identity, OperationId, Outcome as Ended, Pending,
    ProducerId, PullConsumerId, PushConsumerId, Value,
};
use stgclient_core::connection::Outbox;
use stgclient_core::consumer::allocation::{Allocation, Average};
use stgclient_core::consumer::push::{
    ConsumeFrom, ConsumeOrder, ConsumeOutcome, PushConfig, PushEvent, RetryDelay, Settlement,
};
use stgclient_core::consumer::{MessageSelector, PullOptions};
use stgclient_core::producer::{Message, ProducerConfig, QueueChoice, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::body::{self, BrokerData, ClusterInfo, ConsumerList, Permission, QueueData, TopicRouteData};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{Command, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::FrameReader;

use crate::BODY_LIMIT;
use crate::commands::{AnyFields, answer, request};

/// How many steps an input may have: what more could show, fewer do.
const MOST_STEPS: usize = 200;
/// How much there may be to do at one moment.
const MOST_TURNS: usize = 10_000;
const FRAME_LIMIT: usize = 64 * 1024;

/// Plays `script`, and then lets everything end.
pub fn play(script: &[u8]) {
    let mut script = Unstructured::new(script);
    let Ok(mut scene) = Scene::new(&mut script) else { return };
    for _ in 0..MOST_STEPS {
        if script.is_empty() || scene.step(&mut script).is_err() {
            break;
        }
        scene.settle();
    }
    scene.end();
}

struct Scene {
    client: Client,
    now: Now,
    producer: ProducerId,
    consumer: PullConsumerId,
    push: PushConsumerId,
    /// What the push consumer has given, to be settled.
    deliveries: Vec<Settlement>,
    /// Connections, and whether they stand yet.
    links: BTreeMap<ConnectionId, Link>,
    /// Requests that nobody has answered.
    asked: Vec<(ConnectionId, Command)>,
    /// What is under way, and whether an outcome is one of its kind.
    under_way: BTreeMap<OperationId, Reads>,
    is_closed: bool,
}

/// Whether an outcome is a failure, or what was wanted.
type Reads = fn(&Ended) -> bool;

/// An operation under way, and what its outcome may be.
struct Awaited {
    operation: OperationId,
    reads: Reads,
}

impl<T: Given> From<Pending<T>> for Awaited {
    fn from(pending: Pending<T>) -> Self {
        Self { operation: pending.id(), reads: |outcome| outcome.is_err() || T::read(outcome.clone()).is_ok() }
    }
}

/// A connection, and how far each side has read.
struct Link {
    stands: bool,
    at_server: FrameReader,
    at_client: FrameReader,
}

impl Scene {
    fn new(script: &mut Unstructured<'_>) -> Result<Self> {
        let mut config = ClientConfig::new(parse_list("ns:1;ns:2").expect("addresses"));
        if script.arbitrary()? {
            config.connection.codec = HeaderCodec::Binary;
        }
        let now = Now { mono: Instant::from_micros(1), unix_ms: 1_700_000_000_000 };
        let mut client = Client::new(config, script.arbitrary::<u8>()?.into(), now);
        let mut push = PushConfig::default();
        push.consume_from = ConsumeFrom::FirstOffset;
        if script.arbitrary()? {
            push.order = ConsumeOrder::Orderly;
            push.max_reconsume_times = Some(1);
        }
        let push = client.start_push_consumer(now, "G", push, Vec::new(), BTreeMap::new()).expect("a push consumer");
        client.subscribe(now, push, "T", "*".parse().expect("tags")).expect("it is open");
        Ok(Self {
            push,
            deliveries: Vec::new(),
            producer: client.start_producer(now, "P", ProducerConfig::default()).expect("a producer"),
            consumer: client.start_pull_consumer(now, "C").expect("a consumer"),
            client,
            now,
            links: BTreeMap::new(),
            asked: Vec::new(),
            under_way: BTreeMap::new(),
            is_closed: false,
        })
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=17_u8)? {
            0..=4 => self.begin(script),
            16 => self.settle_delivery(script),
            17 => self.ask_the_client(script),
            5..=8 => self.answer(script),
            9 => self.receive(script),
            10 => self.open(script),
            11 => self.cut(script),
            12 | 13 => self.pass_time(script),
            14 => self.change_mind(script),
            _ => {
                let list = parse_list(if script.arbitrary()? { "ns:3" } else { "ns:2,ns:4" }).expect("addresses");
                self.client.handle_name_servers(self.now, list);
                Ok(())
            }
        }
    }

    /// The user wants something.
    fn begin(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let (client, now) = (&mut self.client, self.now);
        let topic = *script.choose(&["T", "U", "%RETRY%C"])?;
        let queue = MessageQueue::new(topic, *script.choose(&["a", "b"])?, script.int_in_range(0..=3)?);
        let Awaited { operation, reads } = match script.int_in_range(0..=14_u8)? {
            kind @ 0..=3 => {
                let message = Message::new(topic, script.choose(&["", "hello"])?.as_bytes().to_vec()).tag("t");
                let choice = match script.int_in_range(0..=3_u8)? {
                    0 => QueueChoice::Queue(queue),
                    1 => QueueChoice::Hash("k".to_owned()),
                    _ => QueueChoice::RoundRobin,
                };
                let options = SendOptions::from(choice);
                let sent = if kind == 0 {
                    client.send_oneway(now, self.producer, message, options).map(Awaited::from)
                } else {
                    client.send(now, self.producer, message, options).map(Awaited::from)
                };
                match sent {
                    Ok(awaited) => awaited,
                    Err(_) => return Ok(()),
                }
            }
            4..=6 => {
                let wait = Duration::from_secs(script.int_in_range(0..=20)?);
                let options = PullOptions::new().wait(wait);
                let expression: MessageSelector = script.choose(&["*", "t", "t||u"])?.parse().expect("tags");
                client.pull(now, self.consumer, queue, expression, script.arbitrary()?, options).into()
            }
            7 => client.max_offset(now, queue).into(),
            8 => client.offset_at(now, queue, script.arbitrary()?).into(),
            9 => client.group_offset(now, "C", queue).into(),
            10 => client.commit_group_offset(now, "C", queue, script.arbitrary()?).into(),
            11 => match script.int_in_range(0..=3_u8)? {
                0 => client.topic_list(now).into(),
                1 => client.cluster_info(now).into(),
                2 => client.topic_route(now, topic).into(),
                _ => client.queues(now, topic).into(),
            },
            12 => client.create_topic(now, topic, TopicSettings::default(), placement(script)?).into(),
            13 => client.delete_topic(now, topic, placement(script)?).into(),
            _ => match script.arbitrary()? {
                true => client.topic_statistics(now, topic).into(),
                false => client.connect(now).into(),
            },
        };
        assert!(self.under_way.insert(operation, reads).is_none(), "an operation's id is its own");
        Ok(())
    }

    /// The user is done with messages.
    fn settle_delivery(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        if self.deliveries.is_empty() {
            return Ok(());
        }
        let settlement = self.deliveries.swap_remove(script.choose_index(self.deliveries.len())?);
        let outcome = match script.int_in_range(0..=4_u8)? {
            0 | 1 => ConsumeOutcome::Success,
            2 => ConsumeOutcome::ReconsumeLater(RetryDelay::Broker),
            3 => ConsumeOutcome::SuspendCurrentQueue(None),
            _ => ConsumeOutcome::Rollback,
        };
        self.client.settle(self.now, self.push, settlement, outcome);
        Ok(())
    }

    /// A server asks something of the client, or tells it something.
    fn ask_the_client(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let Some(connection) = self.link(script, true)? else { return Ok(()) };
        let mut fields = AnyFields::default();
        for name in ["consumerGroup", "group"] {
            fields.0.insert(name.to_owned(), (*script.choose(&["G", "C"])?).to_owned());
        }
        for (name, value) in [("topic", "T"), ("timestamp", "0"), ("isForce", "true"), ("clientId", "c")] {
            fields.0.insert(name.to_owned(), value.to_owned());
        }
        let code = *script.choose(&[
            RequestCode::NOTIFY_CONSUMER_IDS_CHANGED,
            RequestCode::RESET_CONSUMER_CLIENT_OFFSET,
            RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT,
            RequestCode::GET_CONSUMER_RUNNING_INFO,
            RequestCode::CONSUME_MESSAGE_DIRECTLY,
        ])?;
        let body = match code {
            RequestCode::RESET_CONSUMER_CLIENT_OFFSET => {
                let offset: i8 = script.arbitrary()?;
                format!(r#"{{"offsetTable":{{{{"brokerName":"a","queueId":0,"topic":"T"}}:{offset}}}}}"#).into_bytes()
            }
            _ => stored_message(script)?,
        };
        self.arrive(connection, &request(code, &fields, &body));
        Ok(())
    }

    /// A server answers a request.
    fn answer(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let (connection, request) = self.asked.remove(script.choose_index(self.asked.len())?);
        let mut fields = AnyFields::default();
        for name in FIELDS {
            let right = match name {
                "msgId" => "7F00000100002A9F0000000000000000",
                "queueId" => "1",
                _ => "7",
            };
            fields.0.insert(name.to_owned(), right.to_owned());
        }
        let wrong = script.arbitrary::<u8>()?;
        if wrong & 1 != 0 {
            let name = *script.choose(&FIELDS)?;
            match script.arbitrary()? {
                true => fields.0.insert(name.to_owned(), script.arbitrary::<i64>()?.to_string()),
                false => fields.0.remove(name),
            };
        }
        let code = match wrong & 6 {
            2 => *script.choose(&CODES)?,
            4 => script.arbitrary()?,
            _ => 0,
        };
        let body = if wrong & 8 != 0 { any_bytes(script)? } else { right_body(RequestCode(request.code), script)? };
        let remark = (wrong & 16 != 0).then_some("a remark");
        let frame = answer(&request, code, remark, &fields, &body);
        self.arrive(connection, &frame);
        Ok(())
    }

    /// Bytes come on a connection.
    fn receive(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let Some(connection) = self.link(script, true)? else { return Ok(()) };
        let bytes = any_bytes(script)?;
        self.arrive(connection, &bytes);
        Ok(())
    }

    fn arrive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.at_client.extend(bytes);
        let mut commands = Vec::new();
        let ended = loop {
            match link.at_client.next_command() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.client.handle_commands(self.now, connection, commands);
        if let Some(error) = ended {
            self.links.remove(&connection);
            self.client.handle_closed(self.now, connection, error.to_string().as_str());
        }
    }

    /// Connections are taken.
    fn open(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        if let Some(connection) = self.link(script, false)? {
            self.links.entry(connection).and_modify(|link| link.stands = true);
            self.client.handle_connected(self.now, connection);
        }
        Ok(())
    }

    /// A connection ends, or is refused.
    fn cut(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let stands = script.arbitrary()?;
        if let Some(connection) = self.link(script, stands)? {
            self.lose(connection);
        }
        Ok(())
    }

    fn lose(&mut self, connection: ConnectionId) {
        self.links.remove(&connection);
        self.asked.retain(|(known, _)| *known != connection);
        self.client.handle_closed(self.now, connection, "cut");
    }

    fn link(&self, script: &mut Unstructured<'_>, stands: bool) -> Result<Option<ConnectionId>> {
        let links: Vec<_> = self.links.iter().filter(|(_, link)| link.stands == stands).map(|(id, _)| *id).collect();
        if links.is_empty() { Ok(None) } else { script.choose(&links).copied().map(Some) }
    }

    fn pass_time(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let micros = *script.choose(&[1, 100_000, 1_000_000, 3_000_000, 30_000_000, 130_000_000])?;
        self.advance(self.now.mono + Duration::from_micros(micros));
        Ok(())
    }

    fn advance(&mut self, to: Instant) {
        self.now.unix_ms += to.since(self.now.mono).as_millis() as u64;
        self.now.mono = to;
        // A host that is late may see a request written whose time is over already; the next turn drops it.
        self.client.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
        let next = self.client.poll_timeout();
        assert!(next.is_none_or(|next| next.at > self.now.mono), "{next:?} is due and stays due");
    }

    /// The user gives up an operation, a group, or the client.
    fn change_mind(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=7_u8)? {
            0 => self.client.close_producer(self.now, self.producer),
            1 => self.client.close_pull_consumer(self.now, self.consumer),
            2 => self.client.close(self.now, Duration::from_secs(script.int_in_range(0..=5)?)),
            _ => {
                let known: Vec<_> = self.under_way.keys().copied().collect();
                if !known.is_empty() {
                    let operation = *script.choose(&known)?;
                    self.under_way.remove(&operation);
                    self.client.cancel(self.now, operation);
                }
            }
        }
        Ok(())
    }

    /// Does what the client wants done.
    fn settle(&mut self) {
        for _ in 0..MOST_TURNS {
            if let Some(action) = self.client.poll_action() {
                self.carry_out(action);
            } else if let Some(event) = self.client.poll_event() {
                self.note(event);
            } else {
                return;
            }
        }
        panic!("the client is never done");
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect { connection, .. } => {
                let reader = || FrameReader::new(FRAME_LIMIT);
                let link = Link { stands: false, at_server: reader(), at_client: reader() };
                assert!(self.links.insert(connection, link).is_none(), "{connection:?} is opened twice");
            }
            Action::Close { connection } => {
                self.links.remove(&connection);
                self.asked.retain(|(known, _)| *known != connection);
            }
            Action::Flush { connection } => self.flush(connection),
            action => panic!("{action:?} is new"),
        }
    }

    fn flush(&mut self, connection: ConnectionId) {
        let mut outbox = Outbox::default();
        loop {
            self.client.take_outbox(self.now, connection, &mut outbox);
            let bytes: Bytes = outbox.copy_to_bytes(outbox.remaining());
            let Some(link) = self.links.get_mut(&connection).filter(|_| !bytes.is_empty()) else { return };
            assert!(link.stands, "bytes for a connection that does not stand");
            link.at_server.extend(&bytes);
            while let Some(request) = link.at_server.next_command().expect("frames of ours") {
                if !request.is_oneway() && !request.is_response() {
                    self.asked.push((connection, request));
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Completed { operation, outcome } => {
                let reads = self.under_way.remove(&operation);
                let reads = reads.unwrap_or_else(|| panic!("{operation:?} ends that is not under way"));
                assert!(reads(&outcome), "{operation:?} gives {outcome:?}");
                if let Ok(Value::Pulled(pulled)) = outcome {
                    let batch = pulled.into_batch(Dialect::Apache, BODY_LIMIT);
                    assert!(batch.messages.iter().all(|message| message.body().len() <= BODY_LIMIT));
                }
            }
            Event::Consumer { consumer, event: PushEvent::Readable } => {
                while let Some(delivery) = self.client.next_delivery(self.now, consumer, 3) {
                    assert!(!delivery.messages.is_empty(), "a delivery of nothing");
                    self.deliveries.push(delivery.settlement);
                }
            }
            Event::Consumer { consumer, event: PushEvent::Allocate(question) } => {
                let ours = Average.allocate(&question.request());
                self.client.allocated(self.now, consumer, &question, Ok(ours));
            }
            Event::Consumer { consumer, event: PushEvent::Open(unopened) } => {
                self.client.opened(self.now, consumer, unopened.open());
            }
            Event::ConsumeDirectly { consumer, question, .. } => {
                self.client.consumed_directly(self.now, consumer, question, &body::DirectConsumption::default());
            }
            Event::Closed => {
                assert!(!self.is_closed && self.under_way.is_empty(), "closed with {:?}", self.under_way);
                self.is_closed = true;
            }
            _ => {}
        }
    }

    /// All servers are gone: every operation ends by its own time, and the client closes.
    fn end(&mut self) {
        self.settle();
        self.run_down(|scene| scene.under_way.is_empty());
        self.client.close(self.now, Duration::from_secs(1));
        self.settle();
        self.run_down(|scene| scene.is_closed);
        assert!(self.client.poll_timeout().is_none(), "a closed client waits for {:?}", self.client.poll_timeout());
        assert!(self.links.is_empty(), "a closed client leaves connections");
    }

    fn run_down(&mut self, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..MOST_TURNS {
            while let Some(&connection) = self.links.keys().next() {
                self.lose(connection);
                self.settle();
            }
            if is_done(self) {
                return;
            }
            let next = self.client.poll_timeout();
            let next = next.unwrap_or_else(|| panic!("{:?} would never end", self.under_way));
            self.advance(next.at);
            self.settle();
        }
        panic!("{:?} do not end, closed: {}", self.under_way, self.is_closed);
    }
}

/// The fields that some answer needs.
const FIELDS: [&str; 8] =
    ["msgId", "queueId", "queueOffset", "nextBeginOffset", "minOffset", "maxOffset", "suggestWhichBrokerId", "offset"];

/// Codes of answers that mean something to a client.
const CODES: [i32; 15] = [1, 2, 3, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22, 215];

fn placement(script: &mut Unstructured<'_>) -> Result<Placement> {
    Ok(match script.int_in_range(0..=2_u8)? {
        0 => Placement::Everywhere,
        1 => Placement::Cluster("c".to_owned()),
        _ => Placement::Broker("a".to_owned()),
    })
}

/// A piece of what is left of the input.
fn any_bytes(script: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = usize::from(script.arbitrary::<u8>()?).min(script.len());
    script.bytes(length).map(<[u8]>::to_vec)
}

/// The body of an answer as a server would give it; the input says how many brokers and queues there are.
fn right_body(code: RequestCode, script: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(match code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => {
            let brokers = brokers(script)?;
            let queues = i32::from(script.arbitrary::<u8>()? & 7);
            let perm = Permission(i32::from(script.arbitrary::<u8>()? & 7));
            let queues = |broker: &BrokerData| QueueData {
                broker_name: broker.broker_name.clone(),
                perm,
                read_queue_nums: queues,
                write_queue_nums: queues,
                ..QueueData::default()
            };
            body::to_vec(&TopicRouteData {
                queue_datas: brokers.iter().map(queues).collect(),
                broker_datas: brokers,
                ..TopicRouteData::default()
            })
        }
        RequestCode::GET_BROKER_CLUSTER_INFO => {
            let mut info = ClusterInfo::default();
            for broker in brokers(script)? {
                info.cluster_addr_table.get_or_default("c".to_owned()).insert(broker.broker_name.clone());
                info.broker_addr_table.insert(broker.broker_name.clone(), broker);
            }
            body::to_vec(&info)
        }
        RequestCode::PULL_MESSAGE => stored_message(script)?,
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
            let ours = Identity::default().client_id();
            let others = usize::from(script.arbitrary::<u8>()? & 1);
            let consumer_id_list = [vec![ours], vec!["other".to_owned(); others]].concat();
            body::to_vec(&ConsumerList { consumer_id_list })
        }
        RequestCode::LOCK_BATCH_MQ => {
            let granted = script.arbitrary::<u8>()?;
            let queue = |queue_id| body::QueueKey { broker_name: "a".to_owned(), queue_id, topic: "T".to_owned() };
            let lock_ok_mq_set = (0..8).filter(|id| granted & (1 << id) != 0).map(queue).collect();
            body::to_vec(&body::LockedQueues { lock_ok_mq_set })
        }
        _ => Vec::new(),
    })
}

fn brokers(script: &mut Unstructured<'_>) -> Result<Vec<BrokerData>> {
    let members = script.arbitrary::<u8>()?;
    let broker = |name: &str, members: u8| BrokerData {
        broker_name: name.to_owned(),
        broker_addrs: (0..2_i64)
            .filter(|id| members & (1 << id) != 0)
            .map(|id| (id, format!("{name}:{}", id + 1)))
            .collect(),
        ..BrokerData::default()
    };
    Ok(vec![broker("a", members), broker("b", members >> 2)])
}

fn stored_message(script: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let host = core::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let fields = stgclient_core::wire::message::StoredFields {
        body_crc: 0,
        queue_id: 0,
        flag: 0,
        queue_offset: script.arbitrary()?,
        physical_offset: 0,
        sys_flag: script.arbitrary()?,
        born_timestamp: 0,
        born_host: host,
        store_timestamp: 0,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let mut out = BytesMut::new();
    let properties = *script.choose(&["", "TAGS\u{1}t\u{2}", "TAGS\u{1}u\u{2}KEYS\u{1}k"])?;
    fields.encode(&mut out, Dialect::Apache, "T", properties, &any_bytes(script)?).expect("a small message");
    Ok(out.to_vec())
}
