//! What comes of a pull: its four outcomes, its bounds, and where to go on.

use std::time::Duration;

use stgclient::{Dialect, ErrorKind, MessageQueue, PullOptions, PullStatus};
use stgclient_tests::{Bench, noise};

use super::bench;

/// A queue with this many messages, numbered.
async fn filled(count: u64) -> (Bench, MessageQueue) {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    for number in 0..count {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        bench.send(bench.message(number.to_string()).tag(tag)).await;
    }
    bench.await_messages(&queue, count).await;
    (bench, queue)
}

#[tokio::test]
async fn found_messages_come_in_their_order_with_the_queues_bounds() {
    let (bench, queue) = filled(5).await;
    let batch = bench.pull(&queue, "*", 1).await;
    assert_eq!((batch.status, batch.next_offset), (PullStatus::Found, 5));
    assert_eq!((batch.min_offset, batch.max_offset), (0, 5));
    let offsets: Vec<_> = batch.messages.iter().map(|message| message.queue_offset()).collect();
    assert_eq!(offsets, [1, 2, 3, 4]);
    assert!(batch.messages.iter().all(|message| *message.queue() == queue && message.topic() == bench.topic));
}

#[tokio::test]
async fn at_the_end_there_is_no_new_message_and_the_offset_stays() {
    let (bench, queue) = filled(3).await;
    let batch = bench.pull(&queue, "*", 3).await;
    assert_eq!((batch.status, batch.next_offset, batch.messages.len()), (PullStatus::NoNewMessage, 3, 0));
    assert_eq!((batch.min_offset, batch.max_offset), (0, 3));
}

#[tokio::test]
async fn a_queue_that_never_had_a_message_has_no_new_one_at_0() {
    let (bench, queue) = filled(0).await;
    let batch = bench.pull(&queue, "*", 0).await;
    assert_eq!((batch.status, batch.next_offset), (PullStatus::NoNewMessage, 0));
}

#[tokio::test]
async fn messages_of_other_tags_are_no_match_and_passed_over() {
    let (bench, queue) = filled(4).await;
    let batch = bench.pull(&queue, "neither", 1).await;
    assert_eq!((batch.status, batch.next_offset, batch.messages.len()), (PullStatus::NoMatchedMessage, 4, 0));
}

#[tokio::test]
async fn beyond_the_end_the_offset_is_illegal_and_the_next_one_is_the_end() {
    let (bench, queue) = filled(3).await;
    // Smartgo's brokers begin anew, as long as the queue has lost nothing.
    let next = if bench.cluster.dialect() == Dialect::Smartgo { 0 } else { 3 };
    for offset in [4, 1000, u64::from(u32::MAX), i64::MAX as u64] {
        let batch = bench.pull(&queue, "*", offset).await;
        assert_eq!((batch.status, batch.next_offset), (PullStatus::OffsetIllegal, next), "{offset}");
    }
    let batch = bench.pull(&queue, "*", 3).await;
    assert_eq!(batch.status, PullStatus::NoNewMessage, "the next offset is a legal one");
}

#[tokio::test]
async fn in_a_queue_that_never_had_a_message_every_other_offset_is_illegal() {
    let (bench, queue) = filled(0).await;
    let batch = bench.pull(&queue, "*", 5).await;
    assert_eq!((batch.status, batch.next_offset), (PullStatus::OffsetIllegal, 0));
}

#[tokio::test]
async fn following_the_next_offset_visits_each_message_once() {
    let (bench, queue) = filled(50).await;
    for (expression, wanted) in
        [("*", (0..50).collect::<Vec<u64>>()), ("odd", (0..50).filter(|n| n % 2 == 1).collect())]
    {
        let (mut offset, mut seen) = (0, Vec::new());
        while offset < 50 {
            let batch = bench.consumer.pull(&queue, expression, offset, 7).await.unwrap();
            assert!(batch.messages.len() <= 7 && batch.next_offset > offset, "{batch:?}");
            seen.extend(batch.messages.iter().map(|message| message.queue_offset()));
            offset = batch.next_offset;
        }
        assert_eq!(seen, wanted, "{expression}");
    }
}

#[tokio::test]
async fn no_more_messages_come_than_were_asked_for_nor_than_a_broker_gives() {
    let (bench, queue) = filled(40).await;
    for (count, came) in [(1, 1), (10, 10), (32, 32), (1000, 32)] {
        let batch = bench.consumer.pull(&queue, "*", 0, count).await.unwrap();
        assert_eq!((batch.messages.len(), batch.next_offset), (came, came as u64));
    }
}

#[tokio::test]
async fn large_messages_come_in_several_pulls_each_at_least_one() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    // One is longer than all that a pull brings.
    let (lengths, most) = match bench.cluster.dialect() {
        Dialect::Apache => ([100_000, 100_001, 1_000_000, 100_002], "256 KiB"),
        Dialect::Smartgo => ([10_000, 10_001, 100_000, 10_002], "25 KiB"),
    };
    for length in lengths {
        bench.send(bench.message(noise(length))).await;
    }
    bench.await_messages(&queue, 4).await;
    let (mut offset, mut batches) = (0, Vec::new());
    while offset < 4 {
        let batch = bench.pull(&queue, "*", offset).await;
        batches.push(batch.messages.iter().map(|message| message.body().len()).collect::<Vec<_>>());
        offset = batch.next_offset;
    }
    assert_eq!(batches.concat(), lengths);
    assert!(batches.len() >= 3, "a pull brings at most {most} unless one message is larger: {batches:?}");
}

#[tokio::test]
async fn a_pull_that_asks_for_nothing_or_too_much_is_refused_before_anybody_is_asked() {
    let (bench, queue) = filled(0).await;
    for (count, bytes) in [(0, 1), (1025, 1), (1, 0)] {
        let options = PullOptions::new().max_messages(count).max_bytes(bytes);
        let error = bench.consumer.pull_with(&queue, "*", 0, options).await.unwrap_err();
        assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
    }
}

#[tokio::test]
async fn a_queue_number_that_the_broker_does_not_have_is_refused_with_its_words() {
    let (bench, mut queue) = filled(0).await;
    queue.queue_id = 77;
    let error = bench.consumer.pull(&queue, "*", 0, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.remark().unwrap().contains("77"), "{error}");
    assert_eq!(error.broker_name(), Some("broker-a"), "{error}");
}

#[tokio::test]
async fn several_pulls_of_one_queue_at_once_each_get_their_own_answer() {
    let (bench, queue) = filled(20).await;
    let pulls = (0..20).map(|offset| {
        let (consumer, queue) = (bench.consumer.clone(), queue.clone());
        tokio::spawn(async move { (offset, consumer.pull(&queue, "*", offset, 1).await.unwrap()) })
    });
    for pull in pulls.collect::<Vec<_>>() {
        let (offset, batch) = pull.await.unwrap();
        assert_eq!(batch.messages[0].body(), &offset.to_string());
    }
}

#[tokio::test]
async fn a_closed_consumer_pulls_no_more() {
    let (bench, queue) = filled(1).await;
    bench.consumer.close().await;
    let options = PullOptions::new().wait(Duration::ZERO);
    let error = bench.consumer.pull_with(&queue, "*", 0, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}
