//! What administrators ask about groups and messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient::{
    ConsumeFrom, Dialect, ErrorKind, MessageQueue, OffsetMessageId, PushConsumer, ReceivedMessage, ReconsumeLater,
    RetryDelay,
};
use stgclient_tests::{Bench, PATIENCE, eventually, within};

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
        async move { if fails { Err(ReconsumeLater::after(RetryDelay::Level(1))) } else { Ok(()) } }
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
    let (admin, group, queue) = (bench.admin(), &bench.group, bench.queue(1).await);
    let unknown = admin.lag(&bench.unique("unknown")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::GroupNotFound, "{unknown}");
    for number in 0..5 {
        bench.send_to(&queue, bench.message(format!("{number}"))).await;
    }
    bench.await_messages(&queue, 5).await;
    admin.commit_group_offset(group, &queue, 3).await.unwrap();
    let lag = eventually("the offset shows", async || {
        admin.lag(group).await.ok().filter(|lag| lag.queues.get(&queue).is_some_and(|at| at.consumer_offset == 3))
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

#[tokio::test]
async fn a_message_is_found_where_its_receipt_says_and_nowhere_else() {
    let bench = bench(1).await;
    let (admin, body) = (bench.admin(), "text ".repeat(2000));
    let receipt = bench.send(bench.message(body.clone()).tag("tag")).await;
    let id = receipt.offset_message_id.unwrap();
    let found = eventually("it is stored", async || admin.message_by_id(id).await.unwrap()).await;
    assert_eq!((found.offset_message_id(), found.body().len(), found.tag()), (id, body.len(), Some("tag")));
    assert_eq!((found.queue(), found.queue_offset()), (&receipt.queue, receipt.queue_offset));
    let text = id.to_string();
    assert!(admin.message_by_id(&text).await.unwrap().is_some());
    assert!(admin.message_by_id(text.as_str()).await.unwrap().is_some());
    let beyond = OffsetMessageId::new(id.host(), 1 << 60);
    assert!(admin.message_by_id(beyond).await.unwrap().is_none());
    let elsewhere = OffsetMessageId::new("127.0.0.1:1".parse().unwrap(), id.physical_offset());
    assert_eq!(admin.message_by_id(elsewhere).await.unwrap_err().kind(), ErrorKind::BrokerNotFound);
    assert_eq!(admin.message_by_id("no id").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn messages_are_found_by_their_keys_the_newest_of_them_oldest_first() {
    let bench = bench(2).await;
    let admin = bench.admin();
    if bench.cluster.dialect() == Dialect::Smartgo {
        let refused = admin.messages_by_key(&bench.topic, "k").await.unwrap_err();
        return assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    }
    let key = bench.unique("key");
    let body = |number: u32| format!("{number} ").repeat(3000);
    for number in 0..5 {
        bench.send(bench.message(body(number)).key("other").key(&key)).await;
    }
    bench.send(bench.message("not this one").key(format!("{key}0"))).await;
    let find = || admin.messages_by_key(&bench.topic, &key);
    let found =
        eventually("all are in the index", async || Some(find().await.unwrap()).filter(|found| found.len() == 5)).await;
    let bodies: Vec<_> = found.iter().map(|message| String::from_utf8_lossy(message.body()).into_owned()).collect();
    assert!(found.is_sorted_by_key(ReceivedMessage::store_timestamp));
    assert!((0..5).all(|number| bodies.contains(&body(number))), "decompressed");
    assert_eq!(find().max(2).await.unwrap().len(), 2);
    // Brokers store times by the millisecond, and look for them by the second.
    for message in &found {
        let at = u64::try_from(message.store_timestamp()).unwrap();
        let just_then = find().between(at, at).await.unwrap();
        assert!(just_then.iter().any(|other| other.offset_message_id() == message.offset_message_id()));
        assert!(just_then.iter().all(|other| other.store_timestamp() == message.store_timestamp()));
    }
    assert!(find().between(0, 1_000_000_000_000).await.unwrap().is_empty());
    assert!(admin.messages_by_key(&bench.topic, "nobody has it").await.is_err());
    assert!(admin.messages_by_key(&bench.topic, "nobody").await.unwrap().is_empty());
    let unknown = admin.messages_by_key(&bench.unique("topic"), &key).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::TopicNotFound);
}

#[tokio::test]
async fn a_message_is_found_by_the_id_that_its_producer_gave() {
    let bench = bench(2).await;
    let admin = bench.admin();
    if bench.cluster.dialect() == Dialect::Smartgo {
        let refused = admin.message_by_unique_key(&bench.topic, "k").await.unwrap_err();
        return assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    }
    let receipt = bench.send(bench.message("one")).await;
    bench.send(bench.message("two")).await;
    let id = receipt.message_id.to_string();
    let found =
        eventually("it is in the index", async || admin.message_by_unique_key(&bench.topic, &id).await.unwrap()).await;
    assert_eq!((found.message_id(), &found.body()[..]), (id, &b"one"[..]));
    assert_eq!((found.queue(), found.queue_offset()), (&receipt.queue, receipt.queue_offset));
    let none = admin.message_by_unique_key(&bench.topic, "0A0000010000000000000000DEADBEEF").await.unwrap();
    assert!(none.is_none());
}

/// Sends so many messages to a queue and waits until a broker shows them.
async fn fill(bench: &Bench, queue: &MessageQueue, count: u64) {
    let end = bench.admin().max_offset(queue).await.unwrap() + count;
    for number in 0..count {
        bench.send_to(queue, bench.message(format!("{number}"))).await;
    }
    bench.await_messages(queue, end).await;
}

#[tokio::test]
async fn a_running_group_consumes_again_from_where_it_was_reset_to() {
    let bench = bench(2).await;
    let (admin, group, queue) = (bench.admin(), bench.unique("running"), bench.queue(0).await);
    fill(&bench, &queue, 4).await;
    let (_consumer, count) = member(&bench, &group).await;
    eventually("all is consumed", async || (count.load(Ordering::SeqCst) == 4).then_some(())).await;
    // One that leaves it to the members resets groups alone that have committed an offset of each queue.
    let offsets = eventually("the group can be reset", async || {
        admin.reset_offsets(&group, &bench.topic, ConsumeFrom::FirstOffset).await.ok()
    })
    .await;
    assert_eq!(offsets.into_iter().collect::<Vec<_>>(), [(queue.clone(), 0), (bench.queue(1).await, 0)]);
    // A waiting pull hears of it when it waits no longer, and this message ends the wait.
    fill(&bench, &queue, 1).await;
    within(2 * PATIENCE, "all again", async || (count.load(Ordering::SeqCst) == 9).then_some(())).await;
}

#[tokio::test]
async fn a_group_at_rest_goes_on_where_it_was_reset_to() {
    let bench = bench(2).await;
    let (admin, group, queue) = (bench.admin(), bench.unique("resting"), bench.queue(0).await);
    let unknown = admin.reset_offsets(&group, &bench.topic, ConsumeFrom::FirstOffset).await.unwrap_err();
    if bench.cluster.dialect() == Dialect::Apache {
        assert_eq!(unknown.kind(), ErrorKind::GroupNotFound, "{unknown}");
    }
    fill(&bench, &queue, 4).await;
    let (consumer, count) = member(&bench, &group).await;
    eventually("all is consumed", async || (count.load(Ordering::SeqCst) == 4).then_some(())).await;
    consumer.close().await;
    fill(&bench, &queue, 3).await;
    let times: Vec<_> =
        bench.pull(&queue, "*", 0).await.messages.iter().map(|message| message.store_timestamp()).collect();
    // Some of those before may have been stored at the same moment.
    let (later, since) = (times[4], times.iter().filter(|time| **time < times[4]).count() as u64);

    let at = async |to: ConsumeFrom| {
        let offsets =
            eventually("the group is reset", async || admin.reset_offsets(&group, &bench.topic, to).await.ok());
        offsets.await[&queue]
    };
    let apache = bench.cluster.dialect() == Dialect::Apache;
    assert_eq!(at(ConsumeFrom::FirstOffset).await, 0);
    if apache {
        assert_eq!(at(ConsumeFrom::LastOffset).await, 7);
        assert_eq!(admin.lag(&group).await.unwrap().of_topic(&bench.topic), 0);
        assert_eq!(at(ConsumeFrom::Timestamp(u64::try_from(later).unwrap())).await, since);
        assert_eq!(admin.lag(&group).await.unwrap().of_topic(&bench.topic), 7 - since);
    }
    let (_consumer, count) = member(&bench, &group).await;
    let expected = if apache { 7 - since as usize } else { 7 };
    within(2 * PATIENCE, "what is left", async || (count.load(Ordering::SeqCst) == expected).then_some(())).await;
}
