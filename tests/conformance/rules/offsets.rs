//! Offsets: the first, the last, those at a moment, and those that groups commit.

use stgclient::Dialect;
use stgclient_tests::{Bench, eventually};
use tokio::task::JoinSet;

use super::bench;

#[tokio::test]
async fn the_first_and_the_last_offset_follow_the_messages() {
    let bench = bench(2).await;
    let queue = bench.queue(1).await;
    for count in 0..4 {
        bench.await_messages(&queue, count).await;
        assert_eq!(bench.consumer.min_offset(&queue).await.unwrap(), 0);
        assert_eq!(bench.consumer.max_offset(&queue).await.unwrap(), count);
        bench.send_to(&queue, bench.message(count.to_string())).await;
    }
    let other = bench.queue(0).await;
    assert_eq!(bench.consumer.max_offset(&other).await.unwrap(), 0);
}

#[tokio::test]
async fn the_offset_of_a_moment_is_that_of_the_first_message_since_or_of_the_one_before_from_smartgos() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    let times = stored_apart(&bench, 3).await;
    let at = async |moment: u64| bench.consumer.offset_at(&queue, moment).await.unwrap();
    // Smartgo's brokers look for the message that is nearest to a moment. None is left out.
    let early = u64::from(bench.cluster.dialect() == Dialect::Smartgo);
    let is = |found: u64, offset: u64| (offset.saturating_sub(early)..=offset).contains(&found);
    assert_eq!(at(0).await, 0);
    for (offset, &time) in (0..).zip(&times) {
        assert!(is(at(time).await, offset), "at {time} of {times:?}: {}", at(time).await);
        assert!(is(at(time + 1).await, offset + 1), "after {time} of {times:?}: {}", at(time + 1).await);
    }
    assert!(is(at(times[2] + 3_600_000).await, 3));
}

/// Sends messages that are stored at least 20 ms after each other, and gives when.
async fn stored_apart(bench: &Bench, count: usize) -> Vec<u64> {
    let mut times: Vec<u64> = Vec::new();
    let clock = bench.unique("clock");
    bench.admin().create_topic(&clock).queues(1).await.unwrap();
    while times.len() < count {
        if let Some(&last) = times.last() {
            // The broker's own clock, as messages of another topic tell it.
            eventually("the broker's clock goes on", async || {
                let receipt = bench.producer.send(stgclient::Message::new(clock.as_str(), "tick")).await.ok()?;
                let tick = bench.pull_sent(&receipt).await.store_timestamp();
                (tick.cast_unsigned() > last + 20).then_some(())
            })
            .await;
        }
        let message = bench.send_and_pull(bench.message("timed")).await;
        times.push(message.store_timestamp().cast_unsigned());
    }
    times
}

#[tokio::test]
async fn a_group_that_has_committed_nothing_has_no_offset() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    assert_eq!(bench.consumer.committed_offset(&queue).await.unwrap(), None);
    // Nor when there are messages: that a young queue would be read from 0 is the consumer's to decide.
    bench.send(bench.message("body")).await;
    bench.await_messages(&queue, 1).await;
    assert_eq!(bench.consumer.committed_offset(&queue).await.unwrap(), None);
}

#[tokio::test]
async fn a_committed_offset_is_read_by_whoever_asks_for_the_group() {
    let bench = bench(2).await;
    let queue = bench.queue(0).await;
    let other = bench.other_client().await;
    let same_group = other.pull_consumer(&bench.group).start().await.unwrap();
    for offset in [0, 7, i64::MAX as u64, 3] {
        bench.consumer.commit_offset(&queue, offset).await.unwrap();
        assert_eq!(same_group.committed_offset(&queue).await.unwrap(), Some(offset));
        assert_eq!(other.admin().group_offset(&bench.group, &queue).await.unwrap(), Some(offset));
    }
}

#[tokio::test]
async fn a_committed_offset_is_one_groups_and_one_queues() {
    let bench = bench(2).await;
    let (first, second) = (bench.queue(0).await, bench.queue(1).await);
    let other_group = bench.unique("other");
    // A broker knows the groups that it has heard of.
    let _member = bench.client.pull_consumer(&other_group).start().await.unwrap();
    bench.consumer.commit_offset(&first, 5).await.unwrap();
    bench.admin().commit_group_offset(&other_group, &second, 9).await.unwrap();
    assert_eq!(bench.admin().group_offset(&other_group, &first).await.unwrap(), None);
    assert_eq!(bench.admin().group_offset(&other_group, &second).await.unwrap(), Some(9));
    assert_eq!(bench.consumer.committed_offset(&first).await.unwrap(), Some(5));
    assert_eq!(bench.consumer.committed_offset(&second).await.unwrap(), None);
}

#[tokio::test]
async fn of_offsets_that_are_committed_at_once_none_is_lost() {
    let bench = bench(8).await;
    let queues = bench.queues().await;
    // Of two that are the first of a group real brokers are apt to lose one, although they acknowledge both.
    for _ in 0..20 {
        let consumer = bench.client.pull_consumer(&bench.unique("at-once")).start().await.unwrap();
        let mut commits = JoinSet::new();
        for queue in queues.clone() {
            let consumer = consumer.clone();
            commits.spawn(async move { consumer.commit_offset(&queue, 7).await });
        }
        commits.join_all().await.into_iter().for_each(|committed| committed.unwrap());
        for queue in &queues {
            assert_eq!(consumer.committed_offset(queue).await.unwrap(), Some(7), "{queue}");
        }
    }
}

#[tokio::test]
async fn reading_goes_on_where_it_was_committed() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    for number in 0..10 {
        bench.send(bench.message(number.to_string())).await;
    }
    bench.await_messages(&queue, 10).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let client = bench.other_client().await;
        let consumer = client.pull_consumer(&bench.group).start().await.unwrap();
        let offset = consumer.committed_offset(&queue).await.unwrap().unwrap_or(0);
        let batch = consumer.pull(&queue, "*", offset, 2).await.unwrap();
        seen.extend(batch.messages.iter().map(|message| message.queue_offset()));
        consumer.commit_offset(&queue, batch.next_offset).await.unwrap();
        client.close().await;
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}
