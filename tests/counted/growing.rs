//! What the start of a push consumer costs for each queue, each broker and each topic, with few of them and with many:
//! whatever looks at all of them for each would show. `tests/counted/check` holds the many against the few.

use std::collections::BTreeMap;

use stgclient_core::client::Event;
use stgclient_core::consumer::MessageSelector;
use stgclient_core::consumer::push::{ConsumeOrder, PushConfig, PushEvent};
use stgclient_core::wire::command::HeaderCodec;

use crate::meter::Meter;
use crate::sends::Driver;
use crate::servers::{NOW, Servers};

const STEPS: u32 = 2;

/// One operation: a queue of a new group, from the start of its consumer to its first pull.
pub(crate) fn queues(meter: &mut Meter, queues: u32) {
    start(meter, (1, queues, 1), ConsumeOrder::Concurrently);
}

/// One operation: a broker with a queue, its lock and its place in the route.
pub(crate) fn brokers(meter: &mut Meter, brokers: u32) {
    start(meter, (brokers, 1, 1), ConsumeOrder::Orderly);
}

/// One operation: a topic with a queue.
pub(crate) fn topics(meter: &mut Meter, topics: u32) {
    start(meter, (1, 1, topics), ConsumeOrder::Concurrently);
}

fn start(meter: &mut Meter, (brokers, queues, topics): (u32, u32, u32), order: ConsumeOrder) {
    meter.repeat(STEPS, |meter| {
        let (mut servers, name_server) = Servers::with_brokers(brokers);
        let topics: Vec<String> = (0..topics).map(|number| format!("everywhere-{number}")).collect();
        topics.iter().for_each(|topic| servers.create_topic(topic, queues));
        let count = brokers * queues * topics.len() as u32;
        let mut driver = Driver::at((servers, name_server), HeaderCodec::Json, 1, 1);
        let mut config = PushConfig::default();
        config.order = order;
        let subscriptions = topics.into_iter().map(|topic| (topic, MessageSelector::all())).collect();
        let client = &mut driver.client;
        let consumer = meter.measure(u64::from(count), || {
            client
                .start_push_consumer(NOW, "consumers", config, subscriptions, BTreeMap::new())
                .expect("a group's name")
        });
        let mut is_started = false;
        for _ in 0..100 {
            meter.measure(0, || driver.client.handle_timeout(NOW));
            driver.exchange(meter);
            let events: Vec<Event> = meter.measure(0, || std::iter::from_fn(|| driver.client.poll_event()).collect());
            is_started |= events.iter().any(|event| matches!(event, Event::Consumer { event: PushEvent::Started, .. }));
            events.iter().for_each(|event| driver.allocate(meter, event));
        }
        let status = driver.client.consumer_status(NOW, consumer).expect("it is there");
        let consuming =
            status.queues.iter().filter(|queue| queue.is_consuming && queue.queue.topic.starts_with("everywhere"));
        assert_eq!((is_started, consuming.count()), (true, count as usize));
    });
}
