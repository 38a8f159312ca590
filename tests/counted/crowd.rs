//! What a send, a received message and an unlock cost, alone and in a crowd: with a thousand brokers, push consumers,
//! producer groups or topics in the same client. `tests/counted/check` holds each against the one that is alone.

use std::collections::BTreeMap;

use stgclient_core::client::{Event, PushConsumerId, Value};
use stgclient_core::consumer::MessageSelector;
use stgclient_core::consumer::push::{ConsumeFrom, ConsumeOutcome, PushConfig, PushEvent};
use stgclient_core::producer::{Message, ProducerConfig, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::command::HeaderCodec;

use crate::meter::Meter;
use crate::sends::{Driver, EACH};
use crate::servers::{NOW, Servers};

const STEPS: u32 = 40;
const MANY: u32 = 1000;
const TOPIC: &str = "topic-0";

/// What there is a thousand of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Many {
    Nothing,
    Brokers,
    Consumers,
    Groups,
    Topics,
}

impl Many {
    const fn of(self, what: Self) -> u32 {
        if self as u8 == what as u8 { MANY } else { 1 }
    }
}

/// A client with all of it, and a push consumer of the topic that is sent to.
struct Crowd {
    driver: Driver,
    consumer: PushConsumerId,
}

impl Crowd {
    fn new(many: Many) -> Self {
        let (mut servers, name_server) = Servers::with_brokers(many.of(Many::Brokers));
        servers.create_topic("everywhere", 1);
        let mut driver = Driver::at((servers, name_server), HeaderCodec::Json, 1, 8);
        for number in 1..many.of(Many::Topics) {
            let topic = format!("other-{number}");
            driver.servers.create_topic(&topic, 1);
            driver.send_one(&topic);
        }
        for number in 1..many.of(Many::Groups) {
            let group = format!("group-{number}");
            driver.client.start_producer(NOW, &group, ProducerConfig::default()).expect("a group's name");
        }
        let mut config = PushConfig::default();
        config.consume_from = ConsumeFrom::FirstOffset;
        for number in 1..many.of(Many::Consumers) {
            let group = format!("consumers-{number}");
            let consumer = driver.client.start_push_consumer(NOW, &group, config.clone(), Vec::new(), BTreeMap::new());
            let consumer = consumer.expect("a group's name");
            driver.client.subscribe(NOW, consumer, "everywhere", MessageSelector::all()).expect("a topic");
        }
        // Its route names every broker there is.
        driver.send_one("everywhere");
        let consumer = driver.client.start_push_consumer(NOW, "consumers", config, Vec::new(), BTreeMap::new());
        let consumer = consumer.expect("a group's name");
        driver.client.subscribe(NOW, consumer, TOPIC, MessageSelector::all()).expect("a topic");
        driver.calm();
        let mut crowd = Self { driver, consumer };
        crowd.consume(&mut Meter::default(), 0);
        let status = crowd.driver.client.consumer_status(NOW, consumer).expect("it is there");
        assert_eq!(
            status.queues.iter().filter(|queue| queue.is_consuming && &*queue.queue.topic == TOPIC).count(),
            8,
            "{status:?}"
        );
        crowd
    }

    /// Takes all that there is and is done with it.
    fn consume(&mut self, meter: &mut Meter, operations: u64) -> usize {
        let Self { driver, consumer } = self;
        let mut consumed = 0;
        meter.measure(operations, || {
            while let Some(delivery) = driver.client.next_delivery(NOW, *consumer, 32) {
                consumed += delivery.messages.len();
                driver.client.settle(NOW, *consumer, delivery.settlement, ConsumeOutcome::Success);
            }
        });
        driver.calm();
        consumed
    }
}

impl Driver {
    fn send_one(&mut self, topic: &str) {
        let sent = self.client.send(NOW, self.producer, Message::new(topic, "x"), SendOptions::default());
        self.settle(&mut Meter::default(), sent.expect("there is room"));
    }

    /// Lets everything happen that wants to, unmeasured.
    fn calm(&mut self) {
        for _ in 0..1000 {
            self.client.handle_timeout(NOW);
            self.exchange(&mut Meter::default());
            let events: Vec<Event> = std::iter::from_fn(|| self.client.poll_event()).collect();
            let is_over = events.is_empty();
            events.iter().for_each(|event| self.allocate(&mut Meter::default(), event));
            if is_over {
                return;
            }
        }
        panic!("it never comes to rest");
    }
}

/// One operation: an awaited send of 128 B, `EACH` of them in flight.
pub(crate) fn send(meter: &mut Meter, many: Many) {
    let mut crowd = Crowd::new(many);
    meter.repeat(STEPS, |meter| {
        let driver = &mut crowd.driver;
        let messages = driver.messages();
        // A queue of its own for each, so that the consumer's pulls, which they answer, are the same in every crowd.
        meter.measure(EACH as u64, || {
            for message in messages {
                driver.client.send(NOW, driver.producer, message, SendOptions::default()).expect("there is room");
            }
        });
        driver.exchange(meter);
        let client = &mut driver.client;
        let receipts = meter.measure(0, || {
            let events = std::iter::from_fn(|| client.poll_event());
            events.filter(|event| matches!(event, Event::Completed { outcome: Ok(Value::Sent(_)), .. })).count()
        });
        assert_eq!(receipts, EACH);
        driver.calm();
        crowd.consume(&mut Meter::default(), 0);
    });
}

/// One operation: a message that a push consumer gets, from the broker's answer to its settlement.
pub(crate) fn received(meter: &mut Meter, many: Many) {
    let mut crowd = Crowd::new(many);
    let queue = MessageQueue::new(TOPIC, "broker-a", 0);
    meter.repeat(STEPS, |meter| {
        let driver = &mut crowd.driver;
        for message in driver.messages() {
            let sent = driver.client.send(NOW, driver.producer, message, SendOptions::from(queue.clone()));
            sent.expect("there is room");
        }
        // The answers to the sends are among it, the same in every crowd.
        driver.exchange(meter);
        let events: Vec<Event> = std::iter::from_fn(|| driver.client.poll_event()).collect();
        assert!(events.iter().any(|event| matches!(event, Event::Consumer { event: PushEvent::Readable, .. })));
        assert_eq!(crowd.consume(meter, EACH as u64), EACH);
    });
}

/// One operation: what is looked at before the lock is released, when nothing has happened.
pub(crate) fn unlock(meter: &mut Meter, many: Many) {
    let mut crowd = Crowd::new(many);
    let client = &mut crowd.driver.client;
    meter.repeat(STEPS, |meter| {
        meter.measure(1, || {
            assert!(client.poll_event().is_none() && client.poll_action().is_none());
            std::hint::black_box(client.poll_timeout())
        });
    });
}
