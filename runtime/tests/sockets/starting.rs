//! Push consumers that start while other threads are at work with their client.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use stgclient::{Client, Message};

use crate::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_right_after_a_start_is_consumed_whatever_other_threads_do_meanwhile() {
    for _ in 0..20 {
        let client = Client::embedded().await.unwrap();
        client.admin().create_topic("T").queues(1).await.unwrap();
        let producer = client.producer("P").start().await.unwrap();
        producer.send(Message::new("T", "before")).await.unwrap();
        let consumed = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&consumed);
        let consumer = client.push_consumer("G").subscribe("T", "*").concurrently(move |_| {
            count.fetch_add(1, SeqCst);
            async { Ok(()) }
        });
        let consumer = consumer.start().await.unwrap();
        producer.send(Message::new("T", "after")).await.unwrap();
        eventually("the second message", async || (consumed.load(SeqCst) == 1).then_some(())).await;
        consumer.close().await;
        client.close().await;
    }
}
