//! Consumers: closing beside the keeper, and several who wait for the next message.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;
use stgclient::MemoryOffsets;
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::producer::Message;

use super::explore;

#[test]
fn a_consumer_that_is_closed_beside_its_keeper_from_several_places_is_closed_for_all() {
    explore(async |threads| {
        let client = threads.client().await;
        let consumer = client.push_consumer("g").message_model(MessageModel::Broadcasting);
        let consumer = consumer.offset_store(MemoryOffsets::default()).concurrently(|_| async { Ok(()) });
        let consumer = consumer.start().await.unwrap();
        let other = consumer.clone();
        let closer = thread::spawn(move || assert_eq!(block_on(other.close()), []));
        assert_eq!(consumer.close().await, []);
        closer.join().unwrap();
        client.close().await;
    });
}

#[test]
fn everybody_who_waits_for_a_message_hears_of_one_or_of_the_end() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").start().await.unwrap();
        producer.send(Message::new("t", "body")).await.expect("all is well");
        let consumer = client.push_consumer("g").subscribe("t", "*").message_model(MessageModel::Broadcasting);
        let consumer = consumer.offset_store(MemoryOffsets::default()).consume_from(ConsumeFrom::FirstOffset);
        let messages = Arc::new(consumer.stream().start().await.unwrap());
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let messages = Arc::clone(&messages);
                thread::spawn(move || {
                    let message = block_on(messages.next());
                    if let Some(message) = message {
                        message.ack();
                        // That is the only one; the other one waits for the end.
                        drop(shuttle::future::spawn(async move {
                            messages.consumer().close().await;
                        }));
                        return true;
                    }
                    false
                })
            })
            .collect();
        let served = waiters.into_iter().map(|waiter| waiter.join().unwrap()).filter(|is_served| *is_served).count();
        assert_eq!(served, 1);
        client.close().await;
    });
}
