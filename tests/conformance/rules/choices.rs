//! How a queue is chosen, seen from where the messages end up.

use std::collections::BTreeMap;
use std::sync::Arc;

use stgclient::{ErrorKind, Message, MessageQueue, QueueChoice, QueueSelector};

use super::bench;

#[tokio::test]
async fn without_a_choice_all_queues_take_turns() {
    let bench = bench(5).await;
    let mut chosen = Vec::new();
    for _ in 0..15 {
        chosen.push(bench.send(bench.message("turn")).await.queue.queue_id);
    }
    for pair in chosen.windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % 5, "{chosen:?}");
    }
}

#[tokio::test]
async fn a_key_falls_on_the_queue_that_java_chooses() {
    let bench = bench(7).await;
    // Java: Math.abs("...".hashCode() % 7); the hash of the last one is the smallest that there is.
    let hashes = [("42", 1662), ("hello", 99_162_322), ("größe", 98_762_257), ("polygenelubricants", i32::MIN)];
    for (key, hash) in hashes {
        for _ in 0..2 {
            let choice = QueueChoice::Hash(key.to_owned());
            let receipt = bench.producer.send_to(bench.message(key), choice).await.unwrap();
            assert_eq!(receipt.queue.queue_id, (hash % 7).unsigned_abs(), "{key}");
        }
    }
}

#[tokio::test]
async fn a_random_choice_reaches_every_queue() {
    let bench = bench(3).await;
    let mut counts = BTreeMap::new();
    // That one of three is never chosen has a chance below one in ten million.
    for _ in 0..42 {
        let receipt = bench.producer.send_to(bench.message("any"), QueueChoice::Random).await.unwrap();
        *counts.entry(receipt.queue.queue_id).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 3, "{counts:?}");
}

#[tokio::test]
async fn a_selector_of_ones_own_sees_all_queues_and_the_message() {
    let bench = bench(4).await;
    let by_length = |queues: &[MessageQueue], message: &Message| message.body().len() % queues.len();
    let selector: Arc<dyn QueueSelector> = Arc::new(by_length);
    for body in ["a", "bb", "ccc", "dddd", "eeeee"] {
        let choice = QueueChoice::Selector(Arc::clone(&selector));
        let receipt = bench.producer.send_to(bench.message(body), choice).await.unwrap();
        assert_eq!(receipt.queue.queue_id as usize, body.len() % 4);
    }
}

#[tokio::test]
async fn a_selector_that_chooses_no_queue_fails_its_message_only() {
    let bench = bench(2).await;
    let beyond = |queues: &[MessageQueue], _: &Message| queues.len();
    let choice = QueueChoice::Selector(Arc::new(beyond));
    let error = bench.producer.send_to(bench.message("body"), choice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("queue 2 of 2"), "{error}");
    bench.send(bench.message("next")).await;
    bench.pull_all(1).await;
}

#[tokio::test]
async fn oneway_messages_go_where_they_are_told_too() {
    let bench = bench(3).await;
    let queue = bench.queue(2).await;
    bench.producer.send_oneway_to(bench.message("oneway"), queue.clone()).await.unwrap();
    bench.producer.send_oneway_to(bench.message("oneway"), QueueChoice::Hash("42".into())).await.unwrap();
    let mut queues: Vec<_> = bench.pull_all(2).await.iter().map(|message| message.queue().queue_id).collect();
    queues.sort_unstable();
    assert_eq!(queues, [1662 % 3, 2]);
}
