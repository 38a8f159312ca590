//! Too much waits: senders wait their turn, or get their message back.

use futures::future::join_all;
use stgclient::embedded::{Force, Forced};
use stgclient::{ErrorKind, Message, SendOptions};

use crate::cluster;

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
