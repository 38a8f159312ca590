//! What administrators ask about groups and messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient::{ConsumeFrom, Dialect, ErrorKind, PushConsumer, ReconsumeLater};
use stgclient_tests::{Bench, eventually};

use super::bench;

/// A member of a group that consumes all from the first message on, counts it, and fails with those that say so.
async fn member(bench: &Bench, group: &str) -> (PushConsumer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let consumer =
        bench.client.push_consumer(group).subscribe(&bench.topic, "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.concurrently(move |message| {
        let fails = message.body().starts_with(b"fail");
        counted.fetch_add(1, Ordering::SeqCst);
        async move { if fails { Err(ReconsumeLater::default()) } else { Ok(()) } }
    });
    (consumer.start().await.unwrap(), count)
}

#[tokio::test]
async fn the_list_of_groups_has_those_with_members_once_each_and_sorted() {
    let bench = bench(1).await;
    if bench.cluster.dialect() == Dialect::Smartgo {
        return assert_eq!(bench.admin().groups().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let group = bench.unique("listed");
    let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "*");
    let _consumer = consumer.concurrently(|_| async { Ok(()) }).start().await.unwrap();
    let groups = eventually("the group is listed", async || {
        let groups = bench.admin().groups().await.unwrap();
        groups.contains(&group).then_some(groups)
    })
    .await;
    assert!(groups.is_sorted_by(|one, other| one < other), "{groups:?}");
    assert!(groups.iter().any(|group| group == "TOOLS_CONSUMER"));
}

#[tokio::test]
async fn the_lag_of_a_group_is_what_its_queues_have_beyond_its_offsets() {
    let bench = bench(2).await;
    let (admin, group, queue) = (bench.admin(), bench.unique("behind"), bench.queue(1).await);
    let unknown = admin.lag(&group).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::GroupNotFound, "{unknown}");
    for number in 0..5 {
        bench.send_to(&queue, bench.message(format!("{number}"))).await;
    }
    bench.await_messages(&queue, 5).await;
    // It has an offset, and had no member ever.
    admin.commit_group_offset(&group, &queue, 3).await.unwrap();
    let lag = eventually("the offset shows", async || {
        admin.lag(&group).await.ok().filter(|lag| lag.queues.get(&queue).is_some_and(|at| at.consumer_offset == 3))
    })
    .await;
    let at = lag.queues[&queue];
    assert_eq!((at.broker_offset, at.lag(), lag.total(), lag.queues.len()), (5, 2, 2, 2));
    assert!(at.last_timestamp > 1_700_000_000_000, "{at:?}");
}

#[tokio::test]
async fn the_lag_of_a_group_with_members_ends_when_all_is_consumed() {
    let bench = bench(2).await;
    let (admin, group) = (bench.admin(), bench.unique("ahead"));
    for number in 0..6 {
        bench.send(bench.message(format!("{number}"))).await;
    }
    let (consumer, count) = member(&bench, &group).await;
    eventually("all is consumed", async || (count.load(Ordering::SeqCst) == 6).then_some(())).await;
    consumer.close().await;
    let lag = eventually("nothing is left", async || {
        admin.lag(&group).await.ok().filter(|lag| lag.total() == 0 && !lag.queues.is_empty())
    })
    .await;
    assert_eq!(lag.queues.values().map(|at| at.consumer_offset).sum::<u64>(), 6);
    bench.send(bench.message("one more")).await;
    eventually("there is one to consume", async || (admin.lag(&group).await.unwrap().total() == 1).then_some(())).await;
}

#[tokio::test]
async fn what_is_to_be_consumed_again_counts_as_lag_of_the_retry_topic() {
    let bench = bench(1).await;
    let (admin, group) = (bench.admin(), bench.unique("again"));
    let (consumer, _) = member(&bench, &group).await;
    bench.send(bench.message("fail")).await;
    let retry = format!("%RETRY%{group}");
    // It is held back for ten seconds first, and in the retry topic then; the member is gone by that.
    let queues = eventually("the group has an offset of its retry topic", async || {
        let lag = admin.lag(&group).await.ok()?;
        lag.queues.keys().any(|queue| *queue.topic == retry).then_some(lag.queues.len())
    })
    .await;
    assert_eq!(queues, 2);
    consumer.close().await;
    eventually("it is in the retry topic", async || {
        (admin.lag(&group).await.unwrap().of_topic(&retry) == 1).then_some(())
    })
    .await;
}
