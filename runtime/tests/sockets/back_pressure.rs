//! Too much waits: senders wait their turn, or get their message back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use stgclient::embedded::{Force, Forced};
use stgclient::{ConsumeFrom, ErrorKind, Message, MessageQueue, QueueChoice, SendOptions};

use crate::{cluster, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_of_twenty_queues_with_the_longest_message_in_each_gets_them_all_on_one_connection() {
    let (cluster, client) = cluster("T", 20).await;
    let producer = client.producer("producer").compression(None).start().await.unwrap();
    for number in 0..20 {
        let queue = QueueChoice::Queue(MessageQueue::new("T", "broker-a", number));
        producer.send_to(Message::new("T", vec![b'x'; 4 * 1024 * 1024]), queue).await.unwrap();
    }
    let connects = client.counters().connects;
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let handler = move |message: stgclient::ReceivedMessage| {
        counted.fetch_add(message.body().len(), Ordering::Relaxed);
        async { Ok::<(), stgclient::ReconsumeLater>(()) }
    };
    let consumer = consumer.concurrently(handler).start().await.unwrap();
    eventually("all have come", async || (count.load(Ordering::Relaxed) == 20 * 4 * 1024 * 1024).then_some(())).await;
    assert_eq!(client.counters().connects, connects, "nobody was closed");
    consumer.close().await;
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_line_keep_the_order_of_the_calls() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(4, 1 << 20).start().await.unwrap();
    // Connected, so that the order of the calls is the order on the wire.
    producer.send(Message::new("T", "first")).await.unwrap();
    let sends: Vec<_> = (0..500).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    assert!(producer.backlog().messages <= 4);
    let receipts = join_all(sends).await;
    let offsets: Vec<u64> = receipts.into_iter().map(|receipt| receipt.unwrap().queue_offset).collect();
    assert_eq!(offsets, (1..=500).collect::<Vec<u64>>());
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_full_producer_gives_the_message_back() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(1, 1 << 20).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    cluster.with(|cluster| {
        let slowly = Forced::Delay(std::time::Duration::from_millis(200));
        cluster.broker("broker-a").unwrap().force(Force::sends(slowly));
    });
    let under_way = producer.send(Message::new("T", "under way"));
    let refused = producer.try_send(Message::new("T", "given back"), SendOptions::default()).err().unwrap();
    assert_eq!((refused.error.kind(), &refused.message.body()[..]), (ErrorKind::Full, &b"given back"[..]));
    assert!(refused.error.is_retryable());
    under_way.await.unwrap();
    producer.try_send(refused.message, SendOptions::default()).unwrap().await.unwrap();
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn bytes_are_bounded_as_messages_are_but_one_message_always_may() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(100, 1000).compression(None).start().await.unwrap();
    // Larger than the bound, and the only one.
    producer.send(Message::new("T", vec![b'x'; 5000])).await.unwrap();
    let first = producer.send(Message::new("T", vec![b'x'; 600]));
    let second = producer.send(Message::new("T", vec![b'x'; 400]));
    let refused = producer.try_send(Message::new("T", "x"), SendOptions::default()).err().unwrap();
    assert_eq!(refused.error.kind(), ErrorKind::Full);
    assert_eq!((producer.backlog().messages, producer.backlog().bytes), (2, 1000));
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!((producer.backlog().messages, producer.backlog().bytes), (0, 0));
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn nobody_overtakes_the_line() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(1, 1 << 20).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    let sends: Vec<_> = (0..20).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    let overtaking = producer.try_send(Message::new("T", "overtakes"), SendOptions::default());
    assert_eq!(overtaking.err().unwrap().error.kind(), ErrorKind::Full);
    let called = producer.send_with(Message::new("T", "overtakes"), SendOptions::default(), |_| unreachable!());
    assert_eq!(called.unwrap_err().error.kind(), ErrorKind::Full);
    for (offset, send) in (1..).zip(sends) {
        assert_eq!(send.await.unwrap().queue_offset, offset);
    }
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_senders_in_a_line_for_two_all_get_their_turn() {
    let (cluster, client) = cluster("T", 4).await;
    let producer = client.producer("producer").max_waiting(2, 1 << 20).start().await.unwrap();
    let senders = (0..64).map(|sender| {
        let producer = producer.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                producer.send(Message::new("T", format!("{sender}/{number}"))).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    assert_eq!(client.admin().topic_statistics("T").await.unwrap().messages(), 64 * 20);
    client.close().await;
    cluster.close().await;
}
