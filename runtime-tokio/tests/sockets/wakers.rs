//! Wakers and bodies of the application's that panic: their own matter, and that of no other send.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use stgclient::Message;

use crate::{cluster, eventually};

/// A waker of the application's executor that panics.
struct Panics(Arc<AtomicUsize>);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        panic!("the executor is gone");
    }
}

#[tokio::test]
async fn a_waker_that_panics_is_the_matter_of_its_executor_and_of_no_other_send() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").send_timeout(Duration::from_secs(5)).max_tries(1).start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    let woken = Arc::<AtomicUsize>::default();
    let waker = Waker::from(Arc::new(Panics(Arc::clone(&woken))));
    let mut bad = producer.send(Message::new("T", "bad"));
    assert!(Pin::new(&mut bad).poll(&mut Context::from_waker(&waker)).is_pending());
    let others: Vec<_> = (0..10).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    let others: Vec<_> = others.into_iter().map(tokio::spawn).collect();
    let mut failed = Vec::new();
    for other in others {
        match tokio::time::timeout(Duration::from_secs(10), other).await {
            Ok(Ok(Ok(_))) => {}
            other => failed.push(format!("{other:?}")),
        }
    }
    assert!(woken.load(SeqCst) > 0);
    assert!(failed.is_empty(), "{} of 10 others: {failed:#?}", failed.len());
    client.close().await;
    cluster.close().await;
}

/// A body of the application's that panics as it is dropped.
struct Body(Arc<AtomicUsize>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &[7; 10_000]
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        panic!("the pool is gone");
    }
}

#[tokio::test]
async fn a_body_that_panics_as_it_is_dropped_once_it_is_written_fails_no_other_send() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").compression(None).send_timeout(Duration::from_secs(5)).max_tries(1);
    let producer = producer.start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    let dropped = Arc::<AtomicUsize>::default();
    let body = bytes::Bytes::from_owner(Body(Arc::clone(&dropped)));
    let others: Vec<_> = (0..5).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    // Its receipt does not matter: what is left of it lies where it waits to be written.
    drop(producer.send(Message::new("T", body)));
    let mut failed = Vec::new();
    for other in others {
        match tokio::time::timeout(Duration::from_secs(10), other).await {
            Ok(Ok(_)) => {}
            other => failed.push(format!("{other:?}")),
        }
    }
    assert_eq!(dropped.load(SeqCst), 1);
    assert!(failed.is_empty(), "{} of 5 others: {failed:#?}", failed.len());
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_waker_that_panics_when_a_send_has_no_answer_in_time_does_not_close_the_client() {
    use stgclient::embedded::{Force, Forced};

    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").send_timeout(Duration::from_millis(300)).max_tries(1).start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(Force::sends(Forced::Lost).times(1)));
    let woken = Arc::<AtomicUsize>::default();
    let waker = Waker::from(Arc::new(Panics(Arc::clone(&woken))));
    let mut bad = producer.send(Message::new("T", "bad"));
    assert!(Pin::new(&mut bad).poll(&mut Context::from_waker(&waker)).is_pending());
    eventually("its time is up", async || (woken.load(SeqCst) > 0).then_some(())).await;
    let options = stgclient::SendOptions { timeout: Some(Duration::from_secs(5)), ..Default::default() };
    let sent =
        tokio::time::timeout(Duration::from_secs(10), producer.send_to(Message::new("T", "after"), options)).await;
    assert!(matches!(sent, Ok(Ok(_))), "{sent:?}");
    cluster.close().await;
}

#[tokio::test]
async fn two_bodies_that_panic_as_they_are_dropped_and_are_written_at_once_fail_no_other_send() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").compression(None).send_timeout(Duration::from_secs(5)).max_tries(1);
    let producer = producer.start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    let dropped = Arc::<AtomicUsize>::default();
    let others: Vec<_> = (0..5).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    for _ in 0..2 {
        let body = bytes::Bytes::from_owner(Body(Arc::clone(&dropped)));
        drop(producer.send(Message::new("T", body)));
    }
    let mut failed = Vec::new();
    for other in others {
        match tokio::time::timeout(Duration::from_secs(10), other).await {
            Ok(Ok(_)) => {}
            other => failed.push(format!("{other:?}")),
        }
    }
    assert_eq!(dropped.load(SeqCst), 2);
    assert!(failed.is_empty(), "{} of 5 others: {failed:#?}", failed.len());
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn bodies_that_panic_as_they_are_dropped_once_they_are_sent_fail_no_other_send() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").compression(None).send_timeout(Duration::from_secs(5)).max_tries(1);
    let producer = producer.start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    let dropped = Arc::<AtomicUsize>::default();
    let body = || bytes::Bytes::from_owner(Body(Arc::clone(&dropped)));
    let sends: Vec<_> = (0..8).map(|_| producer.send(Message::new("T", body()))).collect();
    let sends: Vec<_> = sends.into_iter().map(tokio::spawn).collect();
    for sent in sends {
        let sent = tokio::time::timeout(Duration::from_secs(10), sent).await;
        assert!(matches!(sent, Ok(Ok(Ok(_)))), "{sent:?}");
    }
    assert_eq!(dropped.load(SeqCst), 8);
    client.close().await;
    cluster.close().await;
}
