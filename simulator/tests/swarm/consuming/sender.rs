//! Who sends: in every form, at the pace of the plan, and looks at what becomes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stgclient::simulator::Clients as _;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::{Message, QueueChoice, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_simulator::Machine;

use super::ledger::Body;
use super::options::{Kind, Pace};
use super::scene::{Scene, Sender, between};
use super::{SECOND, SECOND_TOPIC, TOPIC, drawn_panic};

/// How much later than its time a send may end.
const SLACK: Duration = Duration::from_millis(50);

/// Connects, as often as it takes, and starts a producer.
pub(super) async fn start(scene: &Scene, machine: &Arc<Machine>) -> Sender {
    loop {
        let builder = machine.client(scene.name_servers()).dialect(scene.options.dialect);
        if let Ok(client) = builder.connect().await {
            let producer = client.producer("shop").send_timeout(scene.options.send_timeout).start().await;
            let producer = producer.expect("a producer");
            return Sender { machine: Arc::clone(machine), client, producer };
        }
        machine.sleep(SECOND).await;
    }
}

/// Sends until the trouble is over.
pub(super) async fn run(scene: Arc<Scene>, mut random: Random) {
    let Some(sender) = scene.sender() else {
        return;
    };
    let mut number = 1000;
    loop {
        let (from, to, count) = match scene.options.pace {
            Pace::Dense => (Duration::ZERO, SECOND / 3, 1),
            Pace::Sparse => (SECOND, 60 * SECOND, 1),
            Pace::Bursts => (5 * SECOND, 20 * SECOND, 1 + random.below(60)),
        };
        let mut under_way = Vec::new();
        for _ in 0..count {
            number += 1;
            under_way.push(send(&scene, &sender, number, &mut random));
        }
        for sending in under_way {
            sending.await;
        }
        if !scene.pause(&mut random, from, to).await {
            return;
        }
    }
}

/// Begins one send, in one form. The future ends when it has.
fn send(scene: &Arc<Scene>, sender: &Sender, number: u32, random: &mut Random) -> impl Future<Output = ()> + use<> {
    let body = number.to_string();
    let topic = if scene.second_exists() && random.below(3) == 0 { SECOND_TOPIC } else { TOPIC };
    let calls_back = scene.options.has(Kind::Callbacks) && random.below(2) == 0;
    let form = if calls_back { 2 } else { random.below(8) };
    let choice = match form {
        0 => QueueChoice::Hash(format!("key {}", random.below(5))),
        1 if scene.options.has(Kind::Selectors) => {
            let selector = |_: &[MessageQueue], _: &Message| -> usize { drawn_panic() };
            QueueChoice::Selector(Arc::new(selector))
        }
        _ => QueueChoice::RoundRobin,
    };
    let panics = matches!(choice, QueueChoice::Selector(_));
    let message = message(scene, &body, topic);
    let begin = scene.now();
    let mut sending = None;
    if form == 2 && !panics {
        let (told, its_body) = (Arc::clone(scene), body.clone());
        let is_panicking = scene.options.has(Kind::Callbacks) && random.below(2) == 0;
        let callback = move |result: Result<_, Error>| {
            told.ledger.lock().callbacks.remove(&its_body);
            match result {
                Ok(receipt) => told.ledger.acknowledged(&its_body, &receipt, told.now()),
                Err(error) => failed(&told, &its_body, begin, &error),
            }
            if is_panicking {
                drawn_panic();
            }
        };
        scene.ledger.lock().callbacks.insert(body.clone());
        if sender.producer.send_with(message, choice, callback).is_err() {
            scene.ledger.lock().callbacks.remove(&body);
        }
    } else {
        sending = catch_unwind(AssertUnwindSafe(|| sender.producer.send_to(message, choice))).ok();
        if sending.is_none() {
            scene.ledger.found("a-panic-of-users-code-is-its-operations-error", format!("{body}: the call panics"));
        }
    }
    let scene = Arc::clone(scene);
    async move {
        let Some(sending) = sending else {
            return;
        };
        match sending.await {
            Ok(receipt) => scene.ledger.acknowledged(&body, &receipt, scene.now()),
            // It is that operation's error.
            Err(_) if panics => {}
            Err(error) => failed(&scene, &body, begin, &error),
        }
        let took = scene.now().since(begin);
        if took > scene.options.send_timeout + SLACK {
            scene.ledger.found("a-send-ends-in-its-time", format!("{body} took {took:?}"));
        }
    }
}

pub(super) fn message(scene: &Scene, body: &Body, topic: &'static str) -> Message {
    let tag = if body.len().is_multiple_of(2) == body.ends_with(['0', '2', '4', '6', '8']) { "a" } else { "b" };
    scene.ledger.sends(body, topic, tag, scene.now());
    Message::new(topic, body.clone()).tag(tag)
}

/// A send failed: that is said in true words.
fn failed(scene: &Scene, body: &Body, begin: Instant, error: &Error) {
    let words = error.to_string();
    let mut entries = scene.ledger.lock();
    let has_sent = entries.sent.values().any(|sent| sent.topic == TOPIC && sent.receipt.is_some());
    let is_of_topic = entries.sent.get(body).is_some_and(|sent| sent.topic == TOPIC);
    // What was answered cannot be read: whether it is stored nobody knows, and nobody may send it twice unasked.
    if is_of_topic && !matches!(error.kind(), ErrorKind::MalformedAnswer) {
        entries.failed.push((body.clone(), begin, format!("{error:?}")));
    }
    drop(entries);
    if is_of_topic && error.kind() == ErrorKind::TopicNotFound && has_sent {
        scene.ledger.found("what-is-said-is-true", format!("{body}: the topic is there: {words}"));
    }
    if words.contains("TLS") {
        scene.ledger.found("what-is-said-is-true", format!("{body}: no server demands TLS: {words}"));
    }
}

/// A message to one queue, whose send has to succeed within `limit`.
pub(super) async fn probe(scene: &Scene, sender: &Sender, body: Body, queue: MessageQueue, limit: Duration) -> bool {
    let topic = if &*queue.topic == TOPIC { TOPIC } else { SECOND_TOPIC };
    let message = message(scene, &body, topic);
    let options = SendOptions::from(queue).timeout(limit);
    match sender.producer.send_to(message, options).await {
        Ok(receipt) => {
            scene.ledger.acknowledged(&body, &receipt, scene.now());
            true
        }
        Err(error) => {
            scene.ledger.found("a-send-to-a-known-queue-succeeds", format!("{body} within {limit:?}: {error:?}"));
            false
        }
    }
}

/// A producer with little room sends much to a broker that hangs; that of somebody else of the same client has its own line.
pub(super) async fn slow_and_quick(scene: Arc<Scene>, mut random: Random) {
    let Some(sender) = scene.sender() else {
        return;
    };
    let slow = sender.client.producer("slow").configure(|config| {
        config.max_waiting_messages = 10;
        config.send_timeout = 30 * SECOND;
    });
    let slow = slow.start().await.expect("a producer");
    let quick = sender.client.producer("quick").start().await.expect("a producer");
    scene.sleep(between(&mut random, SECOND, 20 * SECOND)).await;
    let to = |broker| SendOptions::from(MessageQueue::new(TOPIC, Scene::broker_name(broker).as_str(), 0));
    let hung = scene.cluster.brokers()[1].clone();
    scene.network.stall(&hung, stgclient_simulator::Direction::ToServer, true);
    let trouble = scene.ledger.trouble_begins(scene.now());
    let mut waiting = Vec::new();
    for number in 0..100 {
        let body = format!("slow {number}");
        waiting.push((body.clone(), slow.send_to(message(&scene, &body, TOPIC), to(1))));
    }
    let body = "quick".to_owned();
    let begin = scene.now();
    let sent = quick.send_to(message(&scene, &body, TOPIC), to(0)).await;
    let took = scene.now().since(begin);
    if took > 3 * SECOND + SLACK {
        scene.ledger.found("a-send-ends-in-its-time", format!("{took:?} beside a producer that waits"));
    }
    if let Ok(receipt) = sent {
        scene.ledger.acknowledged(&body, &receipt, scene.now());
    }
    scene.sleep(20 * SECOND).await;
    scene.network.stall(&hung, stgclient_simulator::Direction::ToServer, false);
    scene.ledger.trouble_ends(trouble, scene.now());
    for (body, sending) in waiting {
        if let Ok(receipt) = sending.await {
            scene.ledger.acknowledged(&body, &receipt, scene.now());
        }
    }
}
