//! Which messages an expression lets through.

use stgclient::{ErrorKind, MessageQueue, PullStatus};
use stgclient_tests::Bench;

use super::bench;

/// A queue with one message of each of these tags, `None` being a message without.
async fn tagged(tags: &[Option<&str>]) -> (Bench, MessageQueue) {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    for tag in tags {
        let message = bench.message(tag.unwrap_or("none").to_owned());
        bench.send(tag.iter().fold(message, |message, tag| message.tag(tag))).await;
    }
    bench.await_messages(&queue, tags.len() as u64).await;
    (bench, queue)
}

/// Pulls with `expression` until the end of the queue, and gives the bodies.
async fn pulled(bench: &Bench, queue: &MessageQueue, expression: &str) -> Vec<String> {
    let end = bench.consumer.max_offset(queue).await.unwrap();
    let (mut offset, mut bodies) = (0, Vec::new());
    while offset < end {
        let batch = bench.pull(queue, expression, offset).await;
        bodies.extend(batch.messages.iter().map(|message| String::from_utf8(message.body().to_vec()).unwrap()));
        assert!(batch.next_offset > offset, "{batch:?}");
        offset = batch.next_offset;
    }
    bodies
}

#[tokio::test]
async fn an_expression_lets_through_what_it_names() {
    let (bench, queue) = tagged(&[Some("a"), Some("b"), None, Some("c"), Some("a"), Some("订单")]).await;
    for (expression, wanted) in [
        ("*", &["a", "b", "none", "c", "a", "订单"][..]),
        ("", &["a", "b", "none", "c", "a", "订单"]),
        ("a", &["a", "a"]),
        ("a || c", &["a", "c", "a"]),
        ("c||b", &["b", "c"]),
        ("  b  ||  nothing  ", &["b"]),
        ("订单", &["订单"]),
        ("nothing", &[]),
    ] {
        assert_eq!(pulled(&bench, &queue, expression).await, wanted, "{expression:?}");
    }
}

#[tokio::test]
async fn two_tags_of_one_hash_are_told_apart() {
    let (bench, queue) = tagged(&[Some("BBBB"), Some("AaAa"), Some("BBBB"), Some("AaBB"), Some("BBAa")]).await;
    assert_eq!(pulled(&bench, &queue, "AaAa").await, ["AaAa"]);
    assert_eq!(pulled(&bench, &queue, "AaBB || BBBB").await, ["BBBB", "BBBB", "AaBB"]);
}

#[tokio::test]
async fn when_only_the_hash_fits_nothing_matches_and_the_next_offset_moves_on() {
    let (bench, queue) = tagged(&[Some("BBBB"), Some("BBBB")]).await;
    let batch = bench.pull(&queue, "AaAa", 0).await;
    assert_eq!((batch.status, batch.messages.len(), batch.next_offset), (PullStatus::NoMatchedMessage, 0, 2));
}

#[tokio::test]
async fn an_expression_that_is_none_is_refused_before_anybody_is_asked() {
    let (bench, queue) = tagged(&[]).await;
    for expression in ["||", " || ", "|| ||"] {
        let error = bench.consumer.pull(&queue, expression, 0, 1).await.unwrap_err();
        assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{expression:?}: {error}");
    }
}

#[tokio::test]
async fn a_long_tail_of_other_tags_is_passed_over_step_by_step() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    // Brokers look at 800 messages in one pull.
    let sends: Vec<_> = (0..2000).map(|_| bench.producer.send(bench.message("other").tag("other"))).collect();
    for send in sends {
        send.await.unwrap();
    }
    bench.send(bench.message("wanted").tag("wanted")).await;
    bench.await_messages(&queue, 2001).await;
    let first = bench.pull(&queue, "wanted", 0).await;
    assert_eq!(first.status, PullStatus::NoMatchedMessage);
    assert!((1..2001).contains(&first.next_offset), "{}", first.next_offset);
    assert_eq!(pulled(&bench, &queue, "wanted").await, ["wanted"]);
}
