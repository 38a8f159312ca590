//! Wakers and bodies of the application's that panic: their own matter, and that of no other send.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Error, Message, Producer, Receipt};

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
    all_succeed(others).await;
    assert!(woken.load(SeqCst) > 0);
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
    let options = stgclient::SendOptions::new().timeout(Duration::from_secs(5));
    let sent =
        tokio::time::timeout(Duration::from_secs(10), producer.send_to(Message::new("T", "after"), options)).await;
    assert!(matches!(sent, Ok(Ok(_))), "{sent:?}");
    cluster.close().await;
}

/// A cluster, a client and a producer whose bodies are not copied, with a connection that stands.
async fn warm() -> (EmbeddedCluster, Client, Producer) {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").compression(None).send_timeout(Duration::from_secs(5)).max_tries(1);
    let producer = producer.start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    (cluster, client, producer)
}

/// That each of these ends well.
async fn all_succeed(sends: Vec<impl Future<Output = Result<Receipt, Error>> + Send + 'static>) {
    let sends: Vec<_> = sends.into_iter().map(tokio::spawn).collect();
    let (count, mut failed) = (sends.len(), Vec::new());
    for sent in sends {
        match tokio::time::timeout(Duration::from_secs(10), sent).await {
            Ok(Ok(Ok(_))) => {}
            other => failed.push(format!("{other:?}")),
        }
    }
    assert!(failed.is_empty(), "{} of {count}: {failed:#?}", failed.len());
}

#[tokio::test]
async fn bodies_that_panic_as_they_are_dropped_once_they_are_written_fail_no_other_send() {
    for count in 1..=2 {
        let (cluster, client, producer) = warm().await;
        let dropped = Arc::<AtomicUsize>::default();
        let others = (0..5).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
        // Their receipts do not matter: what is left of them lies where it waits to be written.
        for _ in 0..count {
            drop(producer.send(Message::new("T", Bytes::from_owner(Body(Arc::clone(&dropped))))));
        }
        all_succeed(others).await;
        assert_eq!(dropped.load(SeqCst), count);
        client.close().await;
        cluster.close().await;
    }
}

#[tokio::test]
async fn bodies_that_panic_as_they_are_dropped_once_they_are_sent_fail_no_send() {
    let (cluster, client, producer) = warm().await;
    let dropped = Arc::<AtomicUsize>::default();
    let body = || Message::new("T", Bytes::from_owner(Body(Arc::clone(&dropped))));
    all_succeed((0..8).map(|_| producer.send(body())).collect()).await;
    assert_eq!(dropped.load(SeqCst), 8);
    client.close().await;
    cluster.close().await;
}
