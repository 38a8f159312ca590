//! Code of the application that blocks its thread: it holds up nothing but itself.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, ClientBuilder, ConsumeFrom, Error, Message, MessageQueue, PushConsumer, SendOptions};

use crate::watched::Watched;
use crate::{SOON, cluster};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_that_is_handed_in_waits_for_no_callback_of_others() {
    let cluster = EmbeddedCluster::builder().brokers(2).start().await.expect("free ports");
    let host = Watched::default();
    let completed = Arc::clone(&host.completed);
    let builder = ClientBuilder::on(Arc::new(host), cluster.name_server_address());
    // Nothing is due soon, so that the timers do not help by chance.
    let builder = builder.request_timeout(3 * SOON).connect_timeout(3 * SOON);
    let client = builder.connect().await.expect("it is there");
    client.admin().create_topic("T").queues(1).await.unwrap();
    let slow = client.producer("slow").send_timeout(3 * SOON).start().await.unwrap();
    let quick = client.producer("quick").send_timeout(3 * SOON).start().await.unwrap();
    let [a, b] = ["broker-a", "broker-b"].map(|broker| SendOptions::from(MessageQueue::new("T", broker, 0)));
    slow.send_to(Message::new("T", "first"), a.clone()).await.unwrap();
    quick.send_to(Message::new("T", "first"), b.clone()).await.unwrap();

    // The application has other work, so that a worker that blocks does not stop the whole runtime.
    let busy = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    // Somebody else may come by and take it in, by chance; not each time.
    for _ in 0..20 {
        // While somebody who has the lock takes in how the slow one's message ended, the quick one hands a message in.
        let ((locked, is_locked), (handed_in, is_handed_in)) = (channel::<()>(), channel::<()>());
        *completed.lock().unwrap() = Some(Box::new(move || {
            locked.send(()).unwrap();
            is_handed_in.recv_timeout(SOON).expect("sending waits for nobody");
        }));
        let (release, released) = channel::<()>();
        let blocks = move |outcome: Result<_, Error>| {
            outcome.expect("all is well");
            // It takes long, and holds up its own connection, as is documented.
            let _ = released.recv_timeout(SOON);
        };
        slow.send_with(Message::new("T", "slow"), a.clone(), blocks).unwrap();
        is_locked.recv_timeout(SOON).expect("the broker answers");
        let in_time = b.clone().timeout(Duration::from_millis(500));
        let sending = quick.send_to(Message::new("T", "quick"), in_time);
        handed_in.send(()).unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(1), sending).await;
        drop(release);
        // Its own time-out is half a second, and nobody has the lock. Whether it comes through is the matter of the host: of
        // what one of its workers has woken last, no other one runs before that goes on.
        let sent = sent.expect("it is not even tried while the callback blocks");
        let tries = sent.err().map(|error| error.to_string());
        assert!(tries.as_ref().is_none_or(|tries| tries.contains("tries: [")), "{tries:?}");
    }
    busy.abort();
    client.close().await;
    cluster.close().await;
}

/// A consumer whose handler has begun, and blocks its thread until what comes last is dropped; each begin is told.
async fn blocked(client: &Client) -> (PushConsumer, Receiver<()>, Sender<()>) {
    let (begun, begins) = channel();
    let (release, released) = channel();
    let released = Mutex::new(released);
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.concurrently(move |_| {
        begun.send(()).unwrap();
        // As a driver of a database does that knows no async.
        let _ = released.lock().unwrap().recv_timeout(2 * SOON);
        async { Ok(()) }
    });
    let consumer = consumer.start().await.unwrap();
    begins.recv_timeout(SOON).expect("it is delivered");
    (consumer, begins, release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_closes_a_consumer_waits_only_so_long_for_a_handler_that_blocks_its_thread() {
    let (cluster, client) = cluster("T", 1).await;
    client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
    let (consumer, _begins, release) = blocked(&client).await;
    let closed = tokio::time::timeout(SOON, consumer.close_within(Duration::from_millis(100))).await;
    drop(release);
    let unfinished = closed.expect("closing waits for the handler, whatever time it was given");
    assert_eq!(unfinished.len(), 1);
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_handler_begins_after_the_close_has_returned() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").start().await.unwrap();
    for body in ["0", "1", "2", "3"] {
        producer.send(Message::new("T", body)).await.unwrap();
    }
    let (consumer, begins, release) = blocked(&client).await;
    let closed = tokio::time::timeout(SOON, consumer.close_within(Duration::from_millis(100))).await;
    closed.expect("closing takes no longer than it may");
    client.close().await;
    cluster.close().await;
    // All is closed, and the application takes its database down. Only now the first handler ends.
    drop(release);
    let later = begins.recv_timeout(SOON);
    assert!(
        later.is_err(),
        "another message is handled, which has been told as unfinished, by a consumer that is closed"
    );
}
