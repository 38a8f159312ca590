//! Consumes by push, each queue in order: `cargo run --release --example push_orderly`, no server needed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Error, Message, QueueChoice, SuspendCurrentQueue};

const STEPS: [&str; 4] = ["created", "paid", "shipped", "delivered"];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::embedded().await?;
    client.admin().create_topic("orders").queues(4).await?;

    // What belongs to one order goes to one queue, so that it stays in order.
    let producer = client.producer("shop").start().await?;
    for step in STEPS {
        for order in 0..10 {
            let message = Message::new("orders", step).key(format!("order-{order}"));
            producer.send_to(message, QueueChoice::Hash(order.to_string())).await?;
        }
    }

    let histories: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
    let (seen, has_failed) = (Arc::clone(&histories), AtomicBool::new(false));
    let consumer = client
        .push_consumer("fulfilment")
        .subscribe("orders", "*")
        .consume_from(ConsumeFrom::FirstOffset)
        .orderly(move |message| {
            let order = message.keys().next().unwrap_or_default().to_owned();
            let step = String::from_utf8_lossy(message.body()).into_owned();
            // The first shipping fails. Its queue rests; nothing overtakes the message.
            let fails = step == "shipped" && !has_failed.swap(true, Ordering::Relaxed);
            if !fails {
                seen.lock().expect("not poisoned").entry(order).or_default().push(step);
            }
            async move { if fails { Err(SuspendCurrentQueue::after(Duration::from_millis(300))) } else { Ok(()) } }
        })
        .start()
        .await?;

    while histories.lock().expect("not poisoned").values().map(Vec::len).sum::<usize>() < 40 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (order, steps) in &*histories.lock().expect("not poisoned") {
        println!("{order}: {}", steps.join(", "));
        assert_eq!(*steps, STEPS);
    }
    consumer.close().await;
    client.close().await;
    Ok(())
}
