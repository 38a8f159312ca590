//! Callbacks: each is called once, whatever becomes of its message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::stream::StreamExt;
use stgclient::embedded::{Force, Forced};
use stgclient::{Error, ErrorKind, Message, Producer, Receipt, ResponseCode, SendOptions};

use crate::cluster;

/// Sends messages by callback. What the callbacks get comes out of the channel, which ends when none is left.
fn send(producer: &Producer, count: usize) -> UnboundedReceiver<Result<Receipt, Error>> {
    let (results, outcomes) = unbounded();
    for number in 0..count {
        let results = results.clone();
        let callback = move |outcome| results.unbounded_send(outcome).expect("the test listens");
        producer.send_with(Message::new("T", number.to_string()), SendOptions::default(), callback).unwrap();
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_callbacks_is_called_once() {
    let (cluster, client) = cluster("T", 4).await;
    let producer = client.producer("producer").start().await.unwrap();
    let outcomes: Vec<_> = send(&producer, 1000).collect().await;
    assert_eq!(outcomes.len(), 1000);
    let mut ids: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().message_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1000, "callbacks got each other's receipts");
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn callbacks_get_what_the_broker_refuses_with() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    let refused = Force::sends(Forced::no_permission());
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(refused));
    let outcomes: Vec<_> = send(&producer, 10).collect().await;
    assert_eq!(outcomes.len(), 10);
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().code(), Some(ResponseCode::NO_PERMISSION));
    }
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn callbacks_under_way_when_the_client_is_closed_are_called_too() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(Force::sends(Forced::Lost)));
    let outcomes = send(&producer, 10);
    let impatient = client.clone();
    drop(producer);
    drop(client);
    // The client waits for sends under way, but not for ever.
    impatient.close().await;
    let outcomes: Vec<_> = outcomes.collect().await;
    assert_eq!(outcomes.len(), 10);
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Closed), "{error}");
    }
    cluster.close().await;
}

#[tokio::test]
async fn a_callback_may_send_again() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    chain(producer.clone(), Arc::clone(&count), 100);
    crate::eventually("the chain has ended", async || (count.load(Ordering::SeqCst) == 100).then_some(())).await;
    assert_eq!(client.admin().topic_statistics("T").await.unwrap().messages(), 100);
    client.close().await;
    cluster.close().await;
}

/// Sends a message whose callback sends the next.
fn chain(producer: Producer, count: Arc<AtomicUsize>, left: usize) {
    if left == 0 {
        return;
    }
    let options = SendOptions::new().timeout(Duration::from_secs(20));
    let next = producer.clone();
    let callback = move |outcome: Result<Receipt, Error>| {
        outcome.expect("the broker is well");
        count.fetch_add(1, Ordering::SeqCst);
        chain(next, count, left - 1);
    };
    producer.send_with(Message::new("T", "link"), options, callback).expect("there is room");
}
