//! A master that is killed under load and comes back: its queues go on where they were, for both kinds of listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::{ConsumeFrom, Message, MessageQueue, Producer, PushConsumerBuilder, ReceivedMessage};
use stgclient_tests::{Bench, CURRENT, within};

use super::{bench, create_topic};

const SENDERS: usize = 4;
/// How many messages each group has consumed of each broker before the next thing happens.
const ENOUGH: usize = 500;
/// A broker that was killed looks through its log before it starts.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a group was given: a queue, an offset in it, a body.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<(MessageQueue, u64, String)>>>);

impl Book {
    fn note(&self, message: &ReceivedMessage) {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        self.0.lock().unwrap().push((message.queue().clone(), message.queue_offset(), body));
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn bodies(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().iter().map(|(_, _, body)| body.clone()).collect()
    }

    /// Waits for enough messages of a broker, from those on that it has had.
    async fn await_enough(&self, broker: &str) {
        let from = self.len();
        within(PATIENCE, &format!("messages of {broker} are consumed"), async || {
            let book = self.0.lock().unwrap();
            (book[from..].iter().filter(|(queue, _, _)| &*queue.broker_name == broker).count() >= ENOUGH).then_some(())
        })
        .await;
    }

    /// Each queue's messages came one after the other; it went back where a commit was lost, but never on.
    fn assert_in_order(&self) {
        let mut next: BTreeMap<MessageQueue, u64> = BTreeMap::new();
        for (queue, offset, _) in &*self.0.lock().unwrap() {
            let next = next.entry(queue.clone()).or_default();
            assert!(*offset <= *next, "{queue} skipped from {next} to {offset}");
            *next = offset + 1;
        }
    }
}

fn consumer(bench: &Bench) -> PushConsumerBuilder {
    let consumer = bench.client.push_consumer(&bench.unique("killed")).subscribe(&bench.topic, "*");
    consumer.consume_from(ConsumeFrom::FirstOffset)
}

/// Sends until it is told to stop; gives the bodies that were acknowledged.
async fn send_on(producer: Producer, topic: String, sender: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let (mut acknowledged, mut pace) = (Vec::new(), tokio::time::interval(Duration::from_millis(2)));
    for number in 0.. {
        pace.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body = format!("{sender}:{number}");
        if producer.send(Message::new(topic.as_str(), body.clone())).await.is_ok() {
            acknowledged.push(body);
        }
    }
    acknowledged
}

async fn nothing_is_lost_or_skipped(version: &str) {
    let mut bench = bench(version, &[]).await;
    bench.cluster.order("start other brokerName=broker-b").await;
    create_topic(&bench, 3, 2).await;
    let (concurrent, orderly) = (Book::default(), Book::default());
    let (book, noted) = (concurrent.clone(), orderly.clone());
    let first = consumer(&bench).concurrently(move |message| {
        book.note(&message);
        async { Ok(()) }
    });
    let first = first.start().await.unwrap();
    let second = consumer(&bench).orderly(move |message| {
        noted.note(&message);
        async { Ok(()) }
    });
    let second = second.start().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send_on(bench.producer.clone(), bench.topic.clone(), sender, stop.clone())))
        .collect();

    let both = [&concurrent, &orderly];
    for book in both {
        book.await_enough("broker-a").await;
    }
    bench.cluster.order("stop broker").await;
    for book in both {
        book.await_enough("broker-b").await;
    }
    bench.cluster.order("start broker").await;
    for book in both {
        book.await_enough("broker-a").await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeSet::new();
    for sender in senders {
        acknowledged.extend(sender.await.unwrap());
    }
    for book in both {
        within(PATIENCE, "all that was acknowledged is consumed", async || {
            acknowledged.is_subset(&book.bodies()).then_some(())
        })
        .await;
    }
    orderly.assert_in_order();
    println!("{} acknowledged; delivered {} and {} times", acknowledged.len(), concurrent.len(), orderly.len());
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_lose_and_skip_nothing_when_a_master_is_killed_and_comes_back() {
    nothing_is_lost_or_skipped(CURRENT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_lose_and_skip_nothing_when_an_old_master_is_killed_and_comes_back() {
    nothing_is_lost_or_skipped("4.9.7").await;
}
