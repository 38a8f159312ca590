//! Every member of a group gets every message, and goes on where it was after a restart:
//! `cargo run --release --example broadcast`, no server needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, ConsumeFrom, Error, FileOffsets, Message, MessageModel, PushConsumer};

/// A member that counts what it gets. Its offsets are in a file of its own.
async fn member(client: &Client, offsets: FileOffsets, count: Arc<AtomicUsize>) -> Result<PushConsumer, Error> {
    let consumer = client
        .push_consumer("prices")
        .subscribe("ticks", "*")
        .consume_from(ConsumeFrom::FirstOffset)
        .message_model(MessageModel::Broadcasting)
        .offset_store(offsets)
        .concurrently(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        });
    consumer.start().await
}

async fn until(count: &AtomicUsize, expected: usize) {
    while count.load(Ordering::Relaxed) < expected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = EmbeddedCluster::builder().start().await?;
    let address = cluster.name_server_address().to_owned();
    let folder = std::env::temp_dir().join(format!("stgclient-broadcast-{}", std::process::id()));
    let (one, two) = (Client::connect(&address).await?, Client::connect(&address).await?);
    one.admin().create_topic("ticks").queues(2).await?;

    let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let offsets = |instance| FileOffsets::new(&folder, instance, "prices");
    let first = member(&one, offsets("one"), Arc::clone(&counts[0])).await?;
    let second = member(&two, offsets("two"), Arc::clone(&counts[1])).await?;
    let producer = one.producer("exchange").start().await?;
    for tick in 0..10 {
        producer.send(Message::new("ticks", tick.to_string())).await?;
    }
    until(&counts[0], 10).await;
    until(&counts[1], 10).await;
    println!("10 ticks, and both members have had all of them");

    second.close().await;
    for tick in 10..15 {
        producer.send(Message::new("ticks", tick.to_string())).await?;
    }
    let second = member(&two, offsets("two"), Arc::clone(&counts[1])).await?;
    until(&counts[0], 15).await;
    until(&counts[1], 15).await;
    println!("5 more, and the one that was away has them too, and none twice: {}", counts[1].load(Ordering::Relaxed));

    first.close().await;
    second.close().await;
    one.close().await;
    two.close().await;
    cluster.close().await;
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}
