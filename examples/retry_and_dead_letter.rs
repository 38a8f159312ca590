//! A message that fails is consumed again later, and in the end becomes a dead letter:
//! `cargo run --release --example retry_and_dead_letter`, no server needed.

use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Error, Message, ReconsumeLater, RetryDelay};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::embedded().await?;
    client.admin().create_topic("orders").queues(1).await?;
    let producer = client.producer("shop").start().await?;
    producer.send(Message::new("orders", "fine")).await?;
    producer.send(Message::new("orders", "nobody can read this")).await?;

    let consumer = client
        .push_consumer("billing")
        .subscribe("orders", "*")
        .consume_from(ConsumeFrom::FirstOffset)
        .max_reconsume_times(2)
        .concurrently(|message| async move {
            println!("try {}: {:?}", message.reconsume_times() + 1, message.body());
            if message.body() == "fine" {
                return Ok(());
            }
            // Level 1 is a second. Without a choice the broker waits longer each time, from 10 s to 2 h.
            Err(ReconsumeLater::after(RetryDelay::Level(1)))
        })
        .start()
        .await?;

    // Dead letters are messages of a topic of their own, to be looked at, repaired and sent again.
    let letters = client.pull_consumer("operations").start().await?;
    let letter = loop {
        if let Ok(queues) = letters.queues("%DLQ%billing").await
            && let Some(queue) = queues.first()
            && let Some(letter) = letters.pull(queue, "*", 0, 1).await?.messages.into_iter().next()
        {
            break letter;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!("dead letter: {:?}, of {}", letter.body(), letter.property("RETRY_TOPIC").unwrap_or_default());
    consumer.close().await;
    client.close().await;
    Ok(())
}
