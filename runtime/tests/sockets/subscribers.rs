//! Subscribers of the application's that panic harm nothing but themselves; runtimes that stand still.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use stgclient::Message;
use stgclient::embedded::{Memory, ServerId};
use tokio::runtime::Builder;
use tracing::span;

use crate::logs::Hears;
use crate::{cluster, eventually};

/// A send rides out a broker that is stopped and started, though the log panics whenever it hears `of`.
fn survives(of: &'static str) {
    let (panics, closed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (count, ends) = (Arc::clone(&panics), Arc::clone(&closed));
    let picky = Hears(move |words: String| {
        ends.fetch_add(usize::from(words == "closed"), SeqCst);
        if words == of {
            count.fetch_add(1, SeqCst);
            panic!("the log's disk is full");
        }
    });
    tracing::subscriber::with_default(picky, || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (cluster, client) = cluster("T", 1).await;
            // One try, which would be lost in a connection that only seems to stand.
            let producer = client.producer("P").send_timeout(Duration::from_secs(10)).max_tries(1);
            let producer = producer.start().await.unwrap();
            producer.send(Message::new("T", "warm")).await.unwrap();
            let before = closed.load(SeqCst);
            cluster.stop_server(ServerId::Broker(0));
            eventually("the connection ends", async || (closed.load(SeqCst) > before).then_some(())).await;
            cluster.start_server(ServerId::Broker(0), Memory::Kept);
            producer.send(Message::new("T", "again")).await.expect("it is back");
        });
    });
    assert!(panics.load(SeqCst) > 0, "nothing has panicked");
}

#[test]
fn a_subscriber_that_panics_about_a_connection_that_ended_delays_no_send() {
    survives("closed");
}

#[test]
fn a_subscriber_that_panics_about_a_connection_that_stands_keeps_nobody_from_connecting() {
    survives("connected");
}

#[test]
fn a_subscriber_that_panics_about_new_credentials_keeps_the_client_from_none() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let picky = Hears(|words: String| assert!(words != "new credentials", "the log's disk is full"));
    tracing::subscriber::with_default(picky, || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let cluster = stgclient::embedded::EmbeddedCluster::builder().start().await.unwrap();
            let builder = stgclient::Client::builder(cluster.name_server_address());
            let client = builder.credentials_provider(move || {
                let number = count.fetch_add(1, SeqCst);
                async move { stgclient::Credentials::new(format!("key-{number}"), "secret") }
            });
            let client = client.connect().await.unwrap();
            eventually("it is asked again and again", async || (asked.load(SeqCst) >= 4).then_some(())).await;
            client.close().await;
            cluster.close().await;
        });
    });
}

#[test]
fn a_subscriber_that_panics_about_older_offsets_leaves_no_store_in_use() {
    use stgclient::{FileOffsets, MessageQueue, OffsetStore};
    #[allow(clippy::disallowed_methods)]
    let folder = std::env::temp_dir().join(format!("stgclient-subscribers-{}", std::process::id()));
    let picky = Hears(|words: String| assert!(!words.contains("older ones"), "the log's disk is full"));
    let (first, second) = tracing::subscriber::with_default(picky, || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = FileOffsets::new(&folder, "DEFAULT", "G");
            store.load().await.unwrap();
            store.store([(MessageQueue::new("T", "broker-a", 0), 7)].into()).await.unwrap();
            std::fs::rename(store.path(), store.path().with_extension("json.bak")).unwrap();
            std::fs::write(store.path(), "").unwrap();
            store.close();
            let (one, other) = (store.clone(), store.clone());
            let first = tokio::spawn(async move { one.load().await.map(|offsets| offsets.len()) }).await;
            std::fs::remove_file(store.path()).unwrap();
            std::fs::rename(store.path().with_extension("json.bak"), store.path()).unwrap();
            (first.map_err(|error| error.is_panic()), other.load().await.map(|offsets| offsets.len()))
        })
    });
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(first.is_err(), "the log panicked");
    assert_eq!(second.map_err(|error| error.to_string()), Ok(1));
}

/// Polls a future now and then for so long. Whether it has ended.
async fn ends<T>(future: impl Future<Output = T>, limit: Duration) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(50), &mut future).await {
            return Some(done);
        }
    }
    None
}

/// A client on a runtime that nobody drives any more, with a consumer.
fn on_still_runtime() -> (tokio::runtime::Runtime, tokio::runtime::Runtime, stgclient::Client, stgclient::PushConsumer)
{
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = servers.block_on(stgclient::embedded::EmbeddedCluster::builder().start()).unwrap();
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().create_topic("T", 1).unwrap());
    let address = cluster.name_server_address().to_owned();
    std::mem::forget(cluster);
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    let (client, consumer) = still.block_on(async {
        let client =
            stgclient::Client::builder(&address).close_timeout(Duration::from_secs(1)).connect().await.unwrap();
        let consumer = client.push_consumer("G").subscribe("T", "*").concurrently(|_| async { Ok(()) });
        let consumer = consumer.start().await.unwrap();
        (client, consumer)
    });
    (servers, still, client, consumer)
}

#[test]
fn a_start_on_a_runtime_that_stands_still_ends_in_its_time_once_it_is_polled() {
    let (_servers, _still, client, consumer) = on_still_runtime();
    let other = Builder::new_current_thread().enable_all().build().unwrap();
    let ended = other.block_on(async {
        let start = client.push_consumer("H").subscribe("T", "*").concurrently(|_| async { Ok(()) }).start();
        ends(start, Duration::from_secs(15)).await.map(drop)
    });
    std::mem::forget((client, consumer));
    assert!(ended.is_some(), "a request and a look-up take six seconds at the most");
}

#[tokio::test]
async fn a_write_that_outlives_its_store_takes_no_lock_that_nobody_gives_back() {
    use stgclient::{FileOffsets, MessageQueue, OffsetStore};
    #[allow(clippy::disallowed_methods)]
    let folder = std::env::temp_dir().join(format!("stgclient-subscribers-late-{}", std::process::id()));
    let store = FileOffsets::new(&folder, "DEFAULT", "G");
    store.load().await.unwrap();
    // Its disk is slow: the consumer has waited for three seconds, and has gone.
    let write = store.store([(MessageQueue::new("T", "broker-a", 0), 7)].into());
    store.close();
    std::fs::remove_dir_all(&folder).unwrap();
    let _ = write.await;
    let again = store.load().await.map(|_| ());
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(again.map_err(|error| error.to_string()), Ok(()));
}

/// A subscriber of the application's that panics when a span is over.
struct Closes(Arc<AtomicUsize>);

impl tracing::Subscriber for Closes {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}

    fn try_close(&self, _: span::Id) -> bool {
        self.0.fetch_add(1, SeqCst);
        panic!("the log's disk is full");
    }
}

#[test]
fn a_subscriber_that_panics_when_a_span_is_over_keeps_no_message_from_being_sent() {
    let closed = Arc::<AtomicUsize>::default();
    let sent = tracing::subscriber::with_default(Closes(Arc::clone(&closed)), || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (_cluster, client) = cluster("T", 1).await;
            let producer = client.producer("P").start().await.unwrap();
            let send =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| producer.send(Message::new("T", "one"))));
            let sent = match send {
                Ok(sending) => Some(sending.await.is_ok()),
                Err(_) => None,
            };
            std::mem::forget((producer, client));
            sent
        })
    });
    assert!(closed.load(SeqCst) > 0);
    assert_eq!(sent, Some(true), "`send` itself panics");
}
