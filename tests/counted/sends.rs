//! Sends through the core: from `send` over the bytes of the request and of its answer to the receipt.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use stgclient_core::address::Address;
use stgclient_core::admin::{Placement, TopicSettings};
use stgclient_core::client::{Action, Client, ClientConfig, ConnectionId, Event, Given, Pending, ProducerId, Value};
use stgclient_core::connection::Outbox;
use stgclient_core::consumer::allocation::{Allocation, Average};
use stgclient_core::consumer::push::PushEvent;
use stgclient_core::producer::{Message, ProducerConfig, SendOptions};
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};

use crate::meter::Meter;
use crate::servers::{Connection, NOW, Servers};

const STEPS: u32 = 100;
/// How many sends are in flight at once.
pub(crate) const EACH: usize = 64;

pub(crate) fn json(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Json, 1, 8);
}

pub(crate) fn binary(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Binary, 1, 8);
}

pub(crate) fn thousand_topics(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Json, 1000, 8);
}

pub(crate) fn ten_thousand_queues(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Json, 1, 10_000);
}

/// One operation: an awaited send of 128 B, `EACH` of them in flight.
fn awaited(meter: &mut Meter, codec: HeaderCodec, topics: usize, queues: u32) {
    let mut driver = Driver::new(codec, topics, queues);
    meter.repeat(STEPS, |meter| {
        let messages = driver.messages();
        let Driver { client, producer, .. } = &mut driver;
        meter.measure(EACH as u64, || {
            for message in messages {
                client.send(NOW, *producer, message, SendOptions::default()).expect("there is room");
            }
        });
        driver.exchange(meter);
        let client = &mut driver.client;
        let receipts = meter.measure(0, || {
            let events = std::iter::from_fn(|| client.poll_event());
            events.filter(|event| matches!(event, Event::Completed { outcome: Ok(Value::Sent(_)), .. })).count()
        });
        assert_eq!(receipts, EACH);
    });
}

/// One operation: a oneway send of 128 B, written.
pub(crate) fn oneway(meter: &mut Meter) {
    let mut driver = Driver::new(HeaderCodec::Json, 1, 8);
    meter.repeat(STEPS, |meter| {
        let messages = driver.messages();
        let Driver { client, producer, .. } = &mut driver;
        meter.measure(EACH as u64, || {
            for message in messages {
                client.send_oneway(NOW, *producer, message, SendOptions::default()).expect("there is room");
            }
        });
        driver.exchange(meter);
        let client = &mut driver.client;
        let written = meter.measure(0, || {
            let events = std::iter::from_fn(|| client.poll_event());
            events.filter(|event| matches!(event, Event::Completed { .. })).count()
        });
        assert_eq!(written, EACH);
    });
}

/// A client, and the host that the tests are for it.
pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) producer: ProducerId,
    topics: Vec<Arc<str>>,
    sent: usize,
    pub(crate) servers: Servers,
    links: Vec<Link>,
}

struct Link {
    id: ConnectionId,
    connection: Connection,
    reader: FrameReader,
    outbox: Outbox,
}

impl Driver {
    /// A client that knows `topics` topics of `queues` queues.
    pub(crate) fn new(codec: HeaderCodec, topics: usize, queues: u32) -> Self {
        Self::at(Servers::new(), codec, topics, queues)
    }

    /// The same at these servers.
    pub(crate) fn at(
        (servers, name_server): (Servers, Address),
        codec: HeaderCodec,
        topics: usize,
        queues: u32,
    ) -> Self {
        let mut config = ClientConfig::new(vec![name_server]);
        config.connection.codec = codec;
        // Nothing is refused, since no time passes in which it could be tried again.
        (config.max_operations, config.connection.max_in_flight) = (1 << 16, 1 << 16);
        let mut client = Client::new(config, 42, NOW);
        let producer = client.start_producer(NOW, "producers", ProducerConfig::default()).expect("a group's name");
        let topics = (0..topics).map(|number| Arc::from(format!("topic-{number}"))).collect();
        let mut driver = Self { client, producer, topics, sent: 0, servers, links: Vec::new() };
        let mut meter = Meter::default();
        for topic in driver.topics.clone() {
            let created = driver.client.create_topic(
                NOW,
                &topic,
                TopicSettings { queues, ..TopicSettings::default() },
                Placement::Broker("broker-a".to_owned()),
            );
            driver.settle(&mut meter, created);
            let message = Message::new(topic, "first");
            let sent =
                driver.client.send(NOW, driver.producer, message, SendOptions::default()).expect("there is room");
            driver.settle(&mut meter, sent);
        }
        driver
    }

    /// The messages of one step, each to the next topic in turn.
    pub(crate) fn messages(&mut self) -> Vec<Message> {
        let next = |_| {
            self.sent += 1;
            Message::new(self.topics[self.sent % self.topics.len()].clone(), Bytes::from_static(&[b'x'; 128]))
        };
        (0..EACH).map(next).collect()
    }

    /// Exchanges bytes until `operation` is over.
    pub(crate) fn settle<T: Given>(&mut self, meter: &mut Meter, operation: Pending<T>) -> T {
        loop {
            self.exchange(meter);
            while let Some(event) = self.client.poll_event() {
                self.allocate(&mut Meter::default(), &event);
                if let Event::Completed { operation: over, outcome } = event
                    && over == operation.id()
                {
                    return operation.read(outcome).expect("it succeeds");
                }
            }
        }
    }

    /// Shares a consumer's queues, if that is asked.
    pub(crate) fn allocate(&mut self, meter: &mut Meter, event: &Event) {
        if let Event::Consumer { consumer, event: PushEvent::Allocate(question) } = event {
            let ours = Average.allocate(&question.request());
            meter.measure(0, || self.client.allocated(NOW, *consumer, question, Ok(ours)));
        }
    }

    /// Does what the client wants done until there is nothing: the client's side of it is measured.
    pub(crate) fn exchange(&mut self, meter: &mut Meter) {
        while let Some(action) = meter.measure(0, || self.client.poll_action()) {
            match action {
                Action::Connect { connection, address } => {
                    let end = self.servers.connect(&address);
                    let reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
                    self.links.push(Link { id: connection, connection: end, reader, outbox: Outbox::default() });
                    self.client.handle_connected(NOW, connection);
                }
                Action::Flush { connection } => self.flush(meter, connection),
                _ => {}
            }
        }
        let _ = meter.measure(0, || self.client.poll_timeout());
    }

    fn flush(&mut self, meter: &mut Meter, connection: ConnectionId) {
        let Self { client, servers, links, .. } = self;
        let link = links.iter_mut().find(|link| link.id == connection).expect("a connection");
        loop {
            meter.measure(0, || client.take_outbox(NOW, connection, &mut link.outbox));
            if !link.outbox.has_remaining() {
                break;
            }
            let requests = link.outbox.copy_to_bytes(link.outbox.remaining());
            for answer in servers.answer(&mut link.connection, &requests) {
                let room = meter.measure(0, || link.reader.read_buffer());
                room.extend_from_slice(&answer);
            }
            meter.measure(0, || {
                let commands = std::iter::from_fn(|| link.reader.next_command().expect("whole frames"));
                client.handle_commands(NOW, connection, commands);
            });
        }
    }
}
