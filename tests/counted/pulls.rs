//! Pulls: the broker's answer through the core, and its messages as an application gets them.

use std::hint::black_box;

use bytes::Bytes;
use stgclient_core::client::{Event, Value};
use stgclient_core::consumer::{MessageSelector, PullOptions, Pulled};
use stgclient_core::producer::{Message, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::dialect::Dialect;

use crate::meter::Meter;
use crate::sends::Driver;
use crate::servers::NOW;

const STEPS: u32 = 100;
/// How many messages a pull brings.
const EACH: u32 = 32;
const TOPIC: &str = "topic-0";

/// One operation: a pull that brings 32 messages, from the call to the event.
pub(crate) fn of_32(meter: &mut Meter) {
    let mut puller = Puller::new();
    meter.repeat(STEPS, |meter| {
        let pulled = puller.pull(meter, 1);
        assert!(pulled.body.len() > 32 * 128);
    });
}

/// One operation: a message of 128 B, from the event that a pull gives to its tag and body.
pub(crate) fn messages(meter: &mut Meter) {
    let mut puller = Puller::new();
    meter.repeat(STEPS, |meter| {
        let pulled = puller.pull(&mut Meter::default(), 0);
        let batch = meter.measure(u64::from(EACH), || {
            let batch = pulled.into_batch(Dialect::Apache, 4 << 20);
            for message in &batch.messages {
                black_box((message.tag(), message.body()));
            }
            batch
        });
        assert_eq!(batch.messages.len(), EACH as usize);
    });
}

struct Puller {
    driver: Driver,
    consumer: stgclient_core::client::PullConsumerId,
    queue: MessageQueue,
}

impl Puller {
    /// A consumer, and a queue with messages.
    fn new() -> Self {
        let mut driver = Driver::new(HeaderCodec::Json, 1, 1);
        let consumer = driver.client.start_pull_consumer(NOW, "consumers").expect("a group's name");
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        for _ in 0..EACH {
            let message = Message::new(TOPIC, Bytes::from_static(&[b'x'; 128])).tag("paid");
            let sent = driver.client.send(NOW, driver.producer, message, SendOptions::from(queue.clone()));
            driver.settle(&mut Meter::default(), sent.expect("there is room"));
        }
        Self { driver, consumer, queue }
    }

    fn pull(&mut self, meter: &mut Meter, operations: u64) -> Pulled {
        let Self { driver, consumer, queue } = self;
        let (queue, expression) = (queue.clone(), MessageSelector::all());
        // The queue's first message is the driver's own.
        let operation = meter
            .measure(operations, || driver.client.pull(NOW, *consumer, queue, expression, 1, PullOptions::default()));
        driver.exchange(meter);
        let client = &mut driver.client;
        match meter.measure(0, || client.poll_event()) {
            Some(Event::Completed { operation: over, outcome: Ok(Value::Pulled(pulled)) })
                if over == operation.id() =>
            {
                pulled
            }
            other => panic!("{other:?}"),
        }
    }
}
