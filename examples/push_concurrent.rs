//! Consumes by push, many messages at once: `cargo run --release --example push_concurrent`, no server needed.

use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Error, Message};

#[tokio::main]
async fn main() -> Result<(), Error> {
    // In production: Client::connect("127.0.0.1:9876").
    let client = Client::embedded().await?;
    client.admin().create_topic("orders").queues(4).await?;

    let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
    let consumer = client
        .push_consumer("billing")
        .subscribe("orders", "paid || refunded")
        .consume_from(ConsumeFrom::FirstOffset)
        .max_in_work(16)
        .concurrently(move |message| {
            let done = done.clone();
            async move {
                // Any error here, by `?`, has the broker bring the message again later.
                let number: u32 = std::str::from_utf8(message.body())?.parse()?;
                tokio::time::sleep(Duration::from_millis(20)).await; // a slow database
                let _ = done.send(number);
                Ok(())
            }
        })
        .start()
        .await?;

    let producer = client.producer("shop").start().await?;
    for number in 0..100 {
        let tag = ["paid", "refunded", "open"][number % 3];
        producer.send(Message::new("orders", number.to_string()).tag(tag)).await?;
    }
    let mut sum = 0;
    for _ in 0..67 {
        sum += results.recv().await.expect("the consumer runs");
    }
    println!("67 of 100 orders are paid or refunded; the sum of their numbers is {sum}");

    // What is in work may end, offsets are committed, and the other members take over.
    let unfinished = consumer.close().await;
    assert!(unfinished.is_empty());
    client.close().await;
    Ok(())
}
