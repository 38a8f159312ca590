//! What an application can follow and steer of its clients: readiness, queues that come and go, seeking, flushing, events, numbers.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::{
    Client, ClientEvent, ClientState, ConsumeFrom, PushConsumer, PushConsumerBuilder, Rebalanced, SendOptions,
};
use stgclient_tests::{Bench, eventually, within};

use super::bench;

fn member(client: &Client, bench: &Bench, group: &str) -> PushConsumerBuilder {
    client.push_consumer(group).subscribe(&bench.topic, "*").consume_from(ConsumeFrom::FirstOffset)
}

/// A member that counts in order.
async fn counting(builder: PushConsumerBuilder, count: &Arc<AtomicUsize>) -> PushConsumer {
    let count = Arc::clone(count);
    let consumer = builder.orderly(move |_| {
        count.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    consumer.start().await.unwrap()
}

/// How many queues of the topic a member consumes.
fn owned(consumer: &PushConsumer, bench: &Bench) -> usize {
    let queues = consumer.status().queues.into_iter();
    queues.filter(|queue| *queue.queue.topic == bench.topic && queue.is_consuming).count()
}

#[tokio::test]
async fn a_consumer_is_ready_with_its_share_and_knows_its_lag_at_once() {
    let bench = bench(4).await;
    let (group, count) = (bench.unique("ready"), Arc::default());
    let first = counting(member(&bench.client, &bench, &group), &count).await;
    first.ready().await.unwrap();
    assert_eq!(owned(&first, &bench), 4);
    // A broker would hold the first pull for 15 s.
    let knows = async || (first.status().lag() == Some(0)).then_some(());
    within(Duration::from_secs(10), "the lag is known", knows).await;
    let other = bench.other_client().await;
    let second = counting(member(&other, &bench, &group), &count).await;
    second.ready().await.unwrap();
    eventually("both have a half", async || (owned(&first, &bench) == 2 && owned(&second, &bench) == 2).then_some(()))
        .await;
}

#[tokio::test]
async fn a_queue_in_order_is_handed_over_once_the_listener_is_done_and_nothing_is_repeated() {
    let bench = bench(2).await;
    let (group, count) = (bench.unique("listen"), Arc::default());
    let (told, holds) = (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Semaphore::new(0)));
    let (noted, held, topic) = (Arc::clone(&told), Arc::clone(&holds), bench.topic.clone());
    let listening = member(&bench.client, &bench, &group).rebalance_listener(move |change| {
        let (noted, held, topic) = (Arc::clone(&noted), Arc::clone(&held), topic.clone());
        async move {
            let (sign, queues) = match change {
                Rebalanced::Assigned(queues) => ('+', queues),
                Rebalanced::Revoked(queues) => ('-', queues),
            };
            let of_topic = queues.iter().filter(|queue| *queue.topic == topic);
            let texts: Vec<String> = of_topic.map(|queue| format!("{sign}{}", queue.queue_id)).collect();
            let leaves = sign == '-' && !texts.is_empty();
            noted.lock().unwrap().extend(texts);
            if leaves {
                held.acquire().await.unwrap().forget();
            }
        }
    });
    let first = counting(listening, &count).await;
    first.ready().await.unwrap();
    for number in 0..20 {
        bench.send(bench.message(number.to_string())).await;
    }
    eventually("20 messages", async || (count.load(SeqCst) == 20).then_some(())).await;
    let other = bench.other_client().await;
    let second = counting(member(&other, &bench, &group), &count).await;
    eventually("it is told", async || (told.lock().unwrap().len() == 3).then_some(())).await;
    assert_eq!(owned(&second, &bench), 0, "the first is at it");
    holds.add_permits(2);
    second.ready().await.unwrap();
    let told = told.lock().unwrap().clone();
    assert!(told[..2] == ["+0", "+1"] && ["-0", "-1"].contains(&&*told[2]), "{told:?}");
    for number in 20..30 {
        bench.send(bench.message(number.to_string())).await;
    }
    eventually("30 messages", async || (count.load(SeqCst) >= 30).then_some(())).await;
    assert_eq!(count.load(SeqCst), 30, "what was finished was committed before the queue was handed over");
    first.close().await;
}

#[tokio::test]
async fn a_consumer_seeks_and_the_group_goes_on_there() {
    let bench = bench(1).await;
    let (group, count) = (bench.unique("seek"), Arc::default());
    for number in 0..10 {
        bench.send(bench.message(number.to_string())).await;
    }
    let consumer = counting(member(&bench.client, &bench, &group), &count).await;
    eventually("10 messages", async || (count.load(SeqCst) == 10).then_some(())).await;
    let queue = bench.queue(0).await;
    assert!(consumer.seek(&queue, 6));
    eventually("4 more", async || (count.load(SeqCst) == 14).then_some(())).await;
    consumer.pause();
    assert!(consumer.seek(&queue, 3));
    let admin = bench.client.admin();
    eventually("it is committed", async || {
        (admin.group_offset(&group, &queue).await.unwrap() == Some(3)).then_some(())
    })
    .await;
    consumer.close().await;
    let _next = counting(member(&bench.client, &bench, &group), &count).await;
    // Where brokers grant no locks, whoever is new waits until the one before must have stopped.
    within(Duration::from_secs(90), "7 more", async || (count.load(SeqCst) == 21).then_some(())).await;
}

#[tokio::test]
async fn a_flush_waits_for_what_was_sent_and_its_callbacks() {
    let bench = bench(2).await;
    let producer = bench.client.producer("flushing").start().await.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    for number in 0..100 {
        let sent = Arc::clone(&sent);
        let count = move |receipt: Result<_, _>| _ = sent.fetch_add(usize::from(receipt.is_ok()), SeqCst);
        producer.send_with(bench.message(number.to_string()), SendOptions::new(), count).unwrap();
    }
    producer.flush().await;
    assert_eq!(sent.load(SeqCst), 100);
    producer.close().await;
    producer.send(bench.message("late")).await.unwrap_err();
}

#[tokio::test]
async fn what_happens_and_what_is_counted_can_be_followed() {
    let bench = bench(2).await;
    let client = bench.other_client().await;
    let mut events = client.events();
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { .. })), "the name server");
    let producer = client.producer("counted").start().await.unwrap();
    for number in 0..10 {
        producer.send(bench.message(number.to_string())).await.unwrap();
    }
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { .. })), "the broker");
    assert_eq!(client.state(), ClientState::Connected);
    let metrics = client.metrics();
    let all = metrics.all_sends();
    assert_eq!((all.send_ok, all.failed), (10, 0));
    assert!(all.tries >= 10 && metrics.send_latency.count() == 10 && metrics.bytes_sent > 1000, "{metrics:?}");
    client.close().await;
    assert_eq!(client.state(), ClientState::Closed);
    let mut ended = 0;
    while let Some(event) = events.next().await {
        ended += usize::from(matches!(event, ClientEvent::Disconnected { .. }));
    }
    assert_eq!(ended, 2);
}
