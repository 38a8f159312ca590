//! A queue whose oldest messages are gone: a pull from there says where the queue begins now.

use stgclient::embedded::{EmbeddedCluster, Limits};
use stgclient::{Client, Message, PullStatus};

#[tokio::test]
async fn below_the_first_offset_a_pull_is_illegal_and_goes_on_at_the_first() {
    let mut limits = Limits::default();
    limits.message_bytes = 100_000;
    let cluster = EmbeddedCluster::builder().limits(limits).start().await.unwrap();
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("producer").compression(None).start().await.unwrap();
    for number in 0..30 {
        producer.send(Message::new("T", vec![number; 10_000])).await.unwrap();
    }
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let queue = consumer.queues("T").await.unwrap().swap_remove(0);
    let first = consumer.min_offset(&queue).await.unwrap();
    assert!(first > 0 && first < 30, "{first}");
    for offset in [0, first - 1] {
        let batch = consumer.pull(&queue, "*", offset, 32).await.unwrap();
        assert_eq!((batch.status, batch.next_offset, batch.messages.len()), (PullStatus::OffsetIllegal, first, 0));
        assert_eq!((batch.min_offset, batch.max_offset), (first, 30));
    }
    let batch = consumer.pull(&queue, "*", first, 1).await.unwrap();
    assert_eq!(u64::from(batch.messages[0].body()[0]), first);
    client.close().await;
    cluster.close().await;
}
