//! What a listener has heard of a queue holds for its handler, too.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Message, Rebalanced};

const LONG: Duration = Duration::from_secs(10);

/// Something that is so from some moment on.
#[derive(Default)]
struct Moment(Mutex<bool>, Condvar);

impl Moment {
    fn come(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) -> bool {
        *self.1.wait_timeout_while(self.0.lock().unwrap(), LONG, |has_come| !*has_come).unwrap().0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_of_a_queue_is_delivered_after_the_listener_has_heard_that_it_leaves() {
    let client = Client::embedded().await.unwrap();
    client.admin().create_topic("orders").queues(1).await.unwrap();
    let producer = client.producer("shop").start().await.unwrap();
    for number in 0..10 {
        producer.send(Message::new("orders", number.to_string())).await.unwrap();
    }
    let (begun, revoked) = (Arc::<Moment>::default(), Arc::<Moment>::default());
    let after = Arc::<AtomicUsize>::default();
    let is_revoked = Arc::clone(&revoked);
    let consumer = client.push_consumer("billing").subscribe("orders", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.rebalance_listener(move |change| {
        if let Rebalanced::Revoked(queues) = change
            && queues.iter().any(|queue| &*queue.topic == "orders")
        {
            is_revoked.come();
        }
        async {}
    });
    let (has_begun, has_left, count) = (Arc::clone(&begun), Arc::clone(&revoked), Arc::clone(&after));
    let consumer = consumer.concurrently(move |_| {
        if *has_left.0.lock().unwrap() {
            // Its queue has been handed over, and what the application kept of it is gone.
            count.fetch_add(1, SeqCst);
        }
        has_begun.come();
        // As a handler that blocks its thread: what comes behind it waits for it.
        has_left.wait();
        async { Ok(()) }
    });
    let consumer = consumer.start().await.unwrap();
    let waits = Arc::clone(&begun);
    assert!(tokio::task::spawn_blocking(move || waits.wait()).await.unwrap(), "a message comes");
    consumer.unsubscribe("orders");
    let waits = Arc::clone(&revoked);
    assert!(tokio::task::spawn_blocking(move || waits.wait()).await.unwrap(), "the queue leaves");
    consumer.close().await;
    client.close().await;
    assert_eq!(after.load(SeqCst), 0, "no more of their messages are delivered");
}
