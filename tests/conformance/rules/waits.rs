//! Long polling: a pull that waits at the broker for messages.

// How long a pull has waited is what these tests are about.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use stgclient::{MessageQueue, PullBatch, PullOptions, PullStatus};
use stgclient_tests::{Bench, PATIENCE};
use tokio::task::JoinHandle;

use super::bench;

/// Begins a pull that waits, in a task of its own.
fn waiting(bench: &Bench, queue: &MessageQueue, expression: &'static str, wait: Duration) -> JoinHandle<PullBatch> {
    let (consumer, queue) = (bench.consumer.clone(), queue.clone());
    tokio::spawn(async move {
        let options = PullOptions::new().wait(wait).timeout(PATIENCE);
        consumer.pull_with(&queue, expression, 0, options).await.expect("the broker answers")
    })
}

#[tokio::test]
async fn a_waiting_pull_ends_as_soon_as_a_message_comes() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    let wait = Duration::from_secs(15);
    let started = Instant::now();
    let pull = waiting(&bench, &queue, "*", wait);
    // Until the broker has the pull nothing can be seen of it; a message that is too early would only prove less.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!pull.is_finished(), "the pull does not wait");
    bench.send(bench.message("awaited")).await;
    let batch = pull.await.unwrap();
    assert_eq!((batch.status, batch.messages.len()), (PullStatus::Found, 1));
    assert!(started.elapsed() < wait, "the message was found only when the time was up");
}

#[tokio::test]
async fn a_waiting_pull_ends_with_nothing_when_its_time_is_up() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    let wait = Duration::from_secs(1);
    let started = Instant::now();
    let batch = waiting(&bench, &queue, "*", wait).await.unwrap();
    assert_eq!((batch.status, batch.next_offset), (PullStatus::NoNewMessage, 0));
    assert!(started.elapsed() >= wait, "it has waited {:?}", started.elapsed());
}

#[tokio::test]
async fn a_waiting_pull_lets_messages_of_other_tags_pass() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    let pull = waiting(&bench, &queue, "wanted", PATIENCE);
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.send(bench.message("other").tag("other")).await;
    bench.await_messages(&queue, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Brokers look after waiting pulls every five seconds, and then may say that nothing matches.
    let is_waiting = !pull.is_finished();
    bench.send(bench.message("wanted").tag("wanted")).await;
    let batch = pull.await.unwrap();
    assert!(is_waiting || batch.status == PullStatus::NoMatchedMessage, "{batch:?}");
    assert!(batch.messages.iter().all(|message| message.tag() == Some("wanted")));
}

#[tokio::test]
async fn others_are_served_while_a_pull_waits() {
    let bench = bench(2).await;
    let (first, second) = (bench.queue(0).await, bench.queue(1).await);
    let pull = waiting(&bench, &first, "*", PATIENCE);
    for number in 0..10 {
        bench.send_to(&second, bench.message(number.to_string())).await;
    }
    bench.await_messages(&second, 10).await;
    assert_eq!(bench.pull(&second, "*", 0).await.messages.len(), 10);
    assert!(!pull.is_finished(), "the pull does not wait");
    bench.send_to(&first, bench.message("awaited")).await;
    assert_eq!(pull.await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn a_waiting_pull_that_is_dropped_harms_nobody() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    let pull = waiting(&bench, &queue, "*", PATIENCE);
    tokio::time::sleep(Duration::from_millis(100)).await;
    pull.abort();
    assert!(pull.await.unwrap_err().is_cancelled());
    bench.send(bench.message("later")).await;
    bench.await_messages(&queue, 1).await;
    assert_eq!(bench.pull(&queue, "*", 0).await.messages.len(), 1);
}
