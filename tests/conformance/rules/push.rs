//! Push consumers: what a group gets, in which order, and who of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::{
    Client, ConsumeFrom, Dialect, ErrorKind, FileOffsets, Message, MessageModel, MessageSelector, PushConsumer,
    PushConsumerBuilder, QueueChoice, ReceivedMessage, ReconsumeLater, ResponseCode, RetryDelay, SuspendCurrentQueue,
};
use stgclient_tests::{Bench, PATIENCE, eventually, within};

use super::bench;

/// What was consumed, in order.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<(u32, ReceivedMessage)>>>);

impl Book {
    fn note(&self, member: u32, message: ReceivedMessage) {
        self.0.lock().unwrap().push((member, message));
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How often each body was consumed.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for (_, message) in &*self.0.lock().unwrap() {
            *times.entry(String::from_utf8_lossy(message.body()).into_owned()).or_default() += 1;
        }
        times
    }

    fn members(&self) -> Vec<u32> {
        let mut members: Vec<u32> = self.0.lock().unwrap().iter().map(|(member, _)| *member).collect();
        members.sort_unstable();
        members.dedup();
        members
    }
}

/// A member of the group that begins with the first message.
fn member(client: &Client, bench: &Bench, group: &str) -> PushConsumerBuilder {
    client.push_consumer(group).subscribe(&bench.topic, "*").consume_from(ConsumeFrom::FirstOffset)
}

/// A member that only notes what it gets.
async fn noting(client: &Client, bench: &Bench, group: &str, number: u32, book: &Book) -> PushConsumer {
    let book = book.clone();
    let consumer = member(client, bench, group).concurrently(move |message| {
        book.note(number, message);
        async { Ok(()) }
    });
    consumer.start().await.unwrap()
}

async fn send(bench: &Bench, numbers: std::ops::Range<u32>) {
    for number in numbers {
        bench.send(bench.message(number.to_string()).tag(["even", "odd"][number as usize % 2])).await;
    }
}

fn owned(consumer: &PushConsumer, bench: &Bench) -> usize {
    let queues = consumer.status().queues.into_iter();
    queues.filter(|queue| *queue.queue.topic == bench.topic && queue.is_consuming).count()
}

#[tokio::test]
async fn a_group_gets_every_message_once_and_goes_on_where_it_was() {
    let bench = bench(4).await;
    send(&bench, 0..40).await;
    let (group, book) = (bench.unique("push"), Book::default());
    let consumer = noting(&bench.client, &bench, &group, 0, &book).await;
    eventually("40 messages", async || (book.len() == 40).then_some(())).await;
    assert!(consumer.close().await.is_empty());
    send(&bench, 40..50).await;
    let _again = noting(&bench.client, &bench, &group, 0, &book).await;
    eventually("10 more", async || (book.len() == 50).then_some(())).await;
    assert!(book.times().values().all(|times| *times == 1), "{:?}", book.times());
}

#[tokio::test]
async fn only_wanted_tags_are_delivered() {
    let bench = bench(2).await;
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "odd || none");
    let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).concurrently(move |message| {
        noted.note(0, message);
        async { Ok(()) }
    });
    let consumer = consumer.start().await.unwrap();
    send(&bench, 0..20).await;
    eventually("10 messages", async || (book.len() == 10).then_some(())).await;
    assert!(book.0.lock().unwrap().iter().all(|(_, message)| message.tag() == Some("odd")));
    eventually("what is left out is passed over", async || (consumer.status().lag() == Some(0)).then_some(())).await;
}

#[tokio::test]
async fn members_share_the_queues_and_take_over() {
    let bench = bench(4).await;
    let (group, book) = (bench.unique("push"), Book::default());
    let other = bench.other_client().await;
    let first = noting(&bench.client, &bench, &group, 1, &book).await;
    let second = noting(&other, &bench, &group, 2, &book).await;
    let halves = async || (owned(&first, &bench) == 2 && owned(&second, &bench) == 2).then_some(());
    eventually("each has half of the queues", halves).await;
    send(&bench, 0..40).await;
    eventually("40 messages", async || (book.times().len() == 40).then_some(())).await;
    assert_eq!(book.members(), [1, 2]);
    first.close().await;
    eventually("the other has all queues", async || (owned(&second, &bench) == 4).then_some(())).await;
    send(&bench, 40..60).await;
    eventually("20 more", async || (book.times().len() == 60).then_some(())).await;
}

#[tokio::test]
async fn what_fails_comes_back_and_in_the_end_is_a_dead_letter() {
    let bench = bench(1).await;
    send(&bench, 0..3).await;
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = member(&bench.client, &bench, &group).max_reconsume_times(2).concurrently(move |message| {
        noted.note(0, message.clone());
        async move { if message.body() != "1" { Ok(()) } else { Err(ReconsumeLater::after(RetryDelay::Level(1))) } }
    });
    let _consumer = consumer.start().await.unwrap();
    eventually("three tries", async || (book.times().get("1") == Some(&3)).then_some(())).await;
    let letters = bench.client.pull_consumer(&bench.unique("letters")).start().await.unwrap();
    let dead = format!("%DLQ%{group}");
    if bench.cluster.dialect() == Dialect::Smartgo {
        // There nobody may read them at first.
        eventually("there are dead letters", async || bench.admin().topic_route(&dead).await.ok()).await;
        bench.admin().create_topic(&dead).queues(1).await.unwrap();
    }
    let letter = eventually("a dead letter", async || {
        let queue = letters.queues(&dead).await.ok()?.into_iter().next()?;
        letters.pull(&queue, "*", 0, 1).await.ok()?.messages.into_iter().next()
    })
    .await;
    assert_eq!((letter.body(), letter.property("RETRY_TOPIC")), (&"1".into(), Some(bench.topic.as_str())));
    let tries: Vec<i32> = {
        let noted = book.0.lock().unwrap();
        noted
            .iter()
            .filter(|(_, message)| message.body() == "1")
            .map(|(_, message)| message.reconsume_times())
            .collect()
    };
    assert_eq!(tries, [0, 1, 2]);
    assert!(book.0.lock().unwrap().iter().all(|(_, message)| message.topic() == bench.topic));
}

#[tokio::test]
async fn an_orderly_consumer_gets_each_queue_in_order_and_what_fails_again_before_the_rest() {
    let bench = bench(2).await;
    for number in 0..20 {
        let queue = bench.queue(number % 2).await;
        bench.send_to(&queue, bench.message(number.to_string())).await;
    }
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = member(&bench.client, &bench, &group).orderly(move |message| {
        noted.note(0, message.clone());
        async move {
            let fails = message.body() == "6" && message.reconsume_times() < 2;
            let pause = Duration::from_millis(50);
            if fails { Err(SuspendCurrentQueue::after(pause)) } else { Ok(()) }
        }
    });
    let consumer = consumer.start().await.unwrap();
    eventually("all messages", async || (book.len() == 22).then_some(())).await;
    for id in 0..2 {
        let noted = book.0.lock().unwrap();
        let of_queue = noted.iter().filter(|(_, message)| message.queue().queue_id == id);
        let offsets: Vec<u64> = of_queue.map(|(_, message)| message.queue_offset()).collect();
        assert!(offsets.is_sorted(), "queue {id}: {offsets:?}");
    }
    assert!(consumer.status().queues.iter().all(|queue| queue.is_locked || *queue.queue.topic != *bench.topic));
    consumer.close().await;
    // The locks are free: another member need not wait until they expire. Smartgo's brokers lock nothing: it has to wait until any
    // other must have stopped.
    let patience = PATIENCE + if bench.cluster.dialect() == Dialect::Apache { Duration::ZERO } else { PATIENCE };
    let other = bench.other_client().await;
    bench.send(bench.message("last")).await;
    let noted = book.clone();
    let next = member(&other, &bench, &group).orderly(move |message| {
        noted.note(1, message);
        async { Ok(()) }
    });
    let _next = next.start().await.unwrap();
    within(patience, "the other's message", async || (book.len() == 23).then_some(())).await;
}

#[tokio::test]
async fn in_broadcasting_each_gets_all_and_goes_on_where_its_file_says() {
    let bench = bench(2).await;
    let (group, book) = (bench.unique("push"), Book::default());
    let other = bench.other_client().await;
    let folder = std::env::temp_dir().join(bench.unique("offsets"));
    let start = |number: usize, client: &Client| {
        let noted = book.clone();
        let consumer = member(client, &bench, &group).message_model(MessageModel::Broadcasting);
        let store = FileOffsets::new(&folder, &format!("member-{number}"), &group);
        let consumer = consumer.offset_store(store).concurrently(move |message| {
            noted.note(number as u32, message);
            async { Ok(()) }
        });
        consumer.start()
    };
    let _first = start(0, &bench.client).await.unwrap();
    let second = start(1, &other).await.unwrap();
    send(&bench, 0..10).await;
    eventually("10 messages, twice", async || (book.len() == 20).then_some(())).await;
    second.close().await;
    send(&bench, 10..15).await;
    let _second = start(1, &other).await.unwrap();
    eventually("5 more, twice", async || (book.len() == 30).then_some(())).await;
    assert!(book.times().values().all(|times| *times == 2), "{:?}", book.times());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_new_group_begins_with_the_first_message_of_a_time() {
    let bench = bench(1).await;
    send(&bench, 0..5).await;
    let queue = bench.queue(0).await;
    bench.await_messages(&queue, 5).await;
    let from = bench.pull(&queue, "*", 3).await.messages[0].store_timestamp();
    let from = u64::try_from(from).unwrap();
    let expected = bench.consumer.offset_at(&queue, from).await.unwrap();
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "*");
    let consumer = consumer.consume_from(ConsumeFrom::Timestamp(from)).concurrently(move |message| {
        noted.note(0, message);
        async { Ok(()) }
    });
    let _consumer = consumer.start().await.unwrap();
    let count = (5 - expected) as usize;
    eventually("what came since", async || (book.len() >= count).then_some(())).await;
    let first = book.0.lock().unwrap().iter().map(|(_, message)| message.queue_offset()).min();
    assert_eq!((book.len(), first), (count, Some(expected)));
}

#[tokio::test]
async fn a_new_group_that_begins_with_the_last_offset_gets_what_comes_from_then_on() {
    let bench = bench(2).await;
    send(&bench, 0..10).await;
    for queue in bench.queues().await {
        bench.await_messages(&queue, 5).await;
    }
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "*").concurrently(move |message| {
        noted.note(0, message);
        async { Ok(()) }
    });
    let consumer = consumer.start().await.unwrap();
    eventually("it has its queues", async || (owned(&consumer, &bench) == 2).then_some(())).await;
    send(&bench, 10..14).await;
    eventually("what came since", async || (book.len() >= 4).then_some(())).await;
    assert!(book.times().keys().eq(["10", "11", "12", "13"]), "{:?}", book.times());
}

#[tokio::test]
async fn a_stream_gives_what_is_acknowledged_by_hand() {
    let bench = bench(1).await;
    send(&bench, 0..3).await;
    let group = bench.unique("push");
    let messages = member(&bench.client, &bench, &group).stream().start().await.unwrap();
    for number in 0..3 {
        let message = messages.next().await.unwrap();
        assert_eq!(message.body(), number.to_string().as_bytes());
        assert!(message.ack());
    }
    let consumer = messages.consumer().clone();
    consumer.close().await;
    let queue = bench.queue(0).await;
    assert_eq!(bench.client.admin().group_offset(&group, &queue).await.unwrap(), Some(3));
}

#[tokio::test]
async fn ordered_by_a_key_a_producer_and_a_consumer_keep_its_order() {
    let bench = bench(4).await;
    for step in 0..5 {
        for key in 0..6 {
            let message = Message::new(bench.topic.as_str(), step.to_string()).key(format!("key-{key}"));
            bench.producer.send_to(message, QueueChoice::Hash(key.to_string())).await.unwrap();
        }
    }
    let (group, book) = (bench.unique("push"), Book::default());
    let noted = book.clone();
    let consumer = member(&bench.client, &bench, &group).orderly(move |message| {
        noted.note(0, message);
        async { Ok(()) }
    });
    let _consumer = consumer.start().await.unwrap();
    eventually("all messages", async || (book.len() == 30).then_some(())).await;
    for key in 0..6 {
        let key = format!("key-{key}");
        let noted = book.0.lock().unwrap();
        let of_key = noted.iter().filter(|(_, message)| message.keys().any(|known| known == key));
        let steps: Vec<&[u8]> = of_key.map(|(_, message)| message.body().as_ref()).collect();
        assert_eq!(steps, [b"0", b"1", b"2", b"3", b"4"], "{key}");
    }
}

#[tokio::test]
async fn an_sql_expression_selects_by_properties_and_what_is_none_is_refused_at_the_start() {
    let bench = bench(2).await;
    for amount in 0..10 {
        bench.send(bench.message(amount.to_string()).property("amount", amount.to_string())).await;
    }
    let (group, book) = (bench.unique("push"), Book::default());
    let start = |expression: &str| {
        let noted = book.clone();
        let selector = MessageSelector::by_sql(expression).unwrap();
        let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, selector);
        let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).concurrently(move |message| {
            noted.note(0, message);
            async { Ok(()) }
        });
        consumer.start()
    };
    let error = start("amount >").await.unwrap_err();
    if bench.cluster.dialect() == Dialect::Smartgo {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("smartgo's servers (Dialect::Smartgo) do not know SQL92"), "{error}");
        return;
    }
    assert_eq!(error.code(), Some(ResponseCode::SUBSCRIPTION_PARSE_FAILED), "{error}");
    let consumer = start("amount > 6").await.unwrap();
    eventually("what is selected", async || (book.times().len() == 3).then_some(())).await;
    eventually("what is left out is passed over", async || (consumer.status().lag() == Some(0)).then_some(())).await;
    assert!(book.times().keys().eq(["7", "8", "9"]), "{:?}", book.times());
}
