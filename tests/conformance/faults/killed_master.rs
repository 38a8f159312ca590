//! A master that is killed under load: sends go on to the other, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use stgclient::{Message, MessageQueue, Producer, Receipt};
use stgclient_tests::{Bench, CURRENT, eventually};

use super::{bench, create_topic};

/// How many messages are under way at once.
const SENDERS: usize = 16;
/// How many are acknowledged before, and then again without, the master that is killed.
const ENOUGH: usize = 2000;

/// A message that was acknowledged, and when.
struct Acknowledged {
    body: String,
    receipt: Receipt,
    at: Instant,
}

/// Sends one message after the other until told to stop.
async fn send_on(producer: Producer, topic: String, sender: usize, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let body = format!("{sender}:{}", acknowledged.len());
        let sent = producer.send(Message::new(topic.as_str(), body.clone())).await;
        let receipt = sent.unwrap_or_else(|error| panic!("{body}: there is another master: {error}"));
        acknowledged.push(Acknowledged { body, receipt, at: Instant::now() });
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_is_lost_with_a_master_killed_under_load() {
    let mut bench = bench(CURRENT, &[]).await;
    bench.cluster.order("start other brokerName=broker-b").await;
    let queues = create_topic(&bench, 4, 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send_on(bench.producer.clone(), bench.topic.clone(), sender, stop.clone())))
        .collect();

    stored(&bench, &queues, "broker-a", ENOUGH).await;
    stored(&bench, &queues, "broker-b", ENOUGH).await;
    let killed = Instant::now();
    bench.cluster.order("stop broker").await;
    let before = end(&bench, &queues, "broker-b").await;
    stored(&bench, &queues, "broker-b", before + ENOUGH).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.append(&mut sender.await.expect("no send fails"));
    }

    bench.cluster.order("start broker").await;
    let found = pull_everything(&bench, &queues, &acknowledged).await;
    for message in &acknowledged {
        let place = (message.receipt.queue.clone(), message.receipt.queue_offset);
        assert_eq!(found.get(&place), Some(&message.body), "{place:?} was acknowledged and is lost");
    }
    report(&mut acknowledged, found.len(), killed);
}

/// How many messages a broker has of the topic.
async fn end(bench: &Bench, queues: &[MessageQueue], broker: &str) -> usize {
    let mut sum = 0;
    for queue in queues.iter().filter(|queue| &*queue.broker_name == broker) {
        sum += bench.consumer.max_offset(queue).await.expect("the broker answers");
    }
    usize::try_from(sum).expect("a small number")
}

async fn stored(bench: &Bench, queues: &[MessageQueue], broker: &str, count: usize) {
    eventually("enough is sent", async || (end(bench, queues, broker).await >= count).then_some(())).await;
}

/// The bodies by queue and offset, all that was acknowledged and what more there is.
async fn pull_everything(
    bench: &Bench,
    queues: &[MessageQueue],
    acknowledged: &[Acknowledged],
) -> BTreeMap<(MessageQueue, u64), String> {
    let mut found = BTreeMap::new();
    for queue in queues {
        let ends = acknowledged.iter().filter(|message| message.receipt.queue == *queue);
        let end = ends.map(|message| message.receipt.queue_offset + 1).max().unwrap_or(0);
        let mut offset = 0;
        while offset < end {
            // The broker that was killed may be back in the route only later.
            let batch = eventually("what was acknowledged is there", async || {
                bench.consumer.pull(queue, "*", offset, 32).await.ok().filter(|batch| !batch.messages.is_empty())
            })
            .await;
            for message in &batch.messages {
                let body = String::from_utf8(message.body().to_vec()).expect("a text of ours");
                found.insert((queue.clone(), message.queue_offset()), body);
            }
            offset = batch.next_offset;
        }
    }
    found
}

fn report(acknowledged: &mut [Acknowledged], found: usize, killed: Instant) {
    acknowledged.sort_by_key(|message| message.at);
    let after = acknowledged.iter().position(|message| message.at > killed).expect("sends went on");
    let pauses = acknowledged[after - 1..].windows(2).map(|pair| pair[1].at - pair[0].at);
    println!(
        "{} acknowledged, {found} found; killed after {after}; the longest pause between two acknowledgements was {:?}",
        acknowledged.len(),
        pauses.max().unwrap_or_default()
    );
}
