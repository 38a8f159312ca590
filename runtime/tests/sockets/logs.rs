//! What is logged: where the application's subscriber may do anything, and nothing is kept silent that matters.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::holds_lock;
use stgclient::{ConsumeFrom, FileOffsets, Message, MessageQueue, OffsetStore};
use tokio::runtime::Builder;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::{cluster, eventually};

/// A subscriber of the application's: it notes what is logged, and whether that happened under a client's lock.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<(String, bool)>>>);

impl Logs {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let logs = self.clone();
        // An appender that sends what is logged through a client would wait for itself here.
        Hears(move |words| logs.0.lock().unwrap().push((words, holds_lock())))
    }

    fn entries(&self) -> Vec<(String, bool)> {
        self.0.lock().unwrap().clone()
    }
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// A subscriber of the application's that does this with the words of a line.
pub(crate) struct Hears<F>(pub(crate) F);

impl<F: Fn(String) + Send + Sync + 'static> tracing::Subscriber for Hears<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        (self.0)(words.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn what_is_logged_reaches_the_applications_subscriber_where_it_may_do_anything() {
    let logs = Logs::default();
    tracing::subscriber::with_default(logs.subscriber(), || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (cluster, client) = cluster("T", 1).await;
            let consumer = client.push_consumer("G").subscribe("missing", "*");
            let consumer = consumer.concurrently(|_| async { Ok(()) }).start().await.unwrap();
            consumer.close().await;
            client.close().await;
            cluster.close().await;
        });
    });
    let entries = logs.entries();
    assert!(entries.iter().any(|(words, _)| words.contains("the topic does not exist yet")), "{entries:?}");
    let locked: Vec<_> = entries.into_iter().filter(|(_, is_locked)| *is_locked).collect();
    assert!(locked.is_empty(), "under the client's lock: {locked:?}");
}

#[test]
fn an_older_file_beside_an_empty_one_is_not_used_without_a_word() {
    // Tests of another process have folders of their own.
    #[allow(clippy::disallowed_methods)]
    let folder = std::env::temp_dir().join(format!("stgclient-older-{}", std::process::id()));
    let logs = Logs::default();
    let found = tracing::subscriber::with_default(logs.subscriber(), || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = FileOffsets::new(&folder, "DEFAULT", "G");
            let queue = MessageQueue::new("T", "broker-a", 0);
            store.load().await.unwrap();
            store.store([(queue, 7)].into()).await.unwrap();
            std::fs::rename(store.path(), store.path().with_extension("json.bak")).unwrap();
            // The disk was full, or the machine stopped.
            std::fs::write(store.path(), [0; 64]).unwrap();
            store.close();
            store.load().await.unwrap().len()
        })
    });
    std::fs::remove_dir_all(&folder).unwrap();
    let entries = logs.entries();
    let is_said = entries.iter().any(|(words, _)| words.contains("older ones"));
    assert!(found == 0 || is_said, "{found} queues go back to the backup's offsets, and nothing is said: {entries:?}");
}

#[test]
fn a_subscriber_that_panics_about_a_message_that_failed_keeps_no_queue_standing() {
    let picky = Hears(|words: String| assert!(!words.contains("a message was not consumed"), "the log's disk is full"));
    tracing::subscriber::with_default(picky, || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (cluster, client) = cluster("T", 1).await;
            client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
            let consumer = consumer.configure(|config| config.suspend_time = Duration::from_millis(10));
            let consumer = consumer.orderly(move |_| {
                let is_first = counted.fetch_add(1, SeqCst) == 0;
                async move { if is_first { Err(std::io::Error::other("it fails once").into()) } else { Ok(()) } }
            });
            let consumer = consumer.start().await.unwrap();
            eventually("the message that failed is consumed again", async || (calls.load(SeqCst) > 1).then_some(()))
                .await;
            consumer.close().await;
            client.close().await;
            cluster.close().await;
        });
    });
}

/// All of a line: its words, and then its fields.
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push_str(&format!(" {}={value}", field.name()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => self.0.push_str(&format!(" {name}={value:?}")),
        }
    }
}

/// What is logged while a message fails, is consumed, and everything is closed.
fn lines_of_a_failure() -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&lines);
    let subscriber = Hears(move |line: String| noted.lock().unwrap().push(line));
    tracing::subscriber::with_default(Whole(subscriber), || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (cluster, client) = cluster("T", 1).await;
            let message = Message::new("T", "body").key("order-7").key("shop-3");
            client.producer("P").start().await.unwrap().send(message).await.unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
            let consumer = consumer.configure(|config| config.suspend_time = Duration::from_millis(10));
            let consumer = consumer.orderly(move |_| {
                let call = counted.fetch_add(1, SeqCst);
                async move { if call < 2 { Err("no stock".into()) } else { Ok(()) } }
            });
            let consumer = consumer.start().await.unwrap();
            eventually("it is consumed in the end", async || (calls.load(SeqCst) > 2).then_some(())).await;
            consumer.close().await;
            client.close().await;
            cluster.close().await;
        });
    });
    let lines = lines.lock().unwrap();
    lines.clone()
}

/// A subscriber that is given whole lines.
struct Whole<F>(Hears<F>);

impl<F: Fn(String) + Send + Sync + 'static> tracing::Subscriber for Whole<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.0.new_span(attributes)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        (self.0.0)(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_message_that_fails_is_logged_with_what_a_reader_looks_for_it_by() {
    let lines = lines_of_a_failure();
    let failed: Vec<_> = lines.iter().filter(|line| line.starts_with("a message was not consumed")).collect();
    assert_eq!(failed.len(), 2, "{lines:?}");
    for (line, tries) in failed.into_iter().zip([1, 2]) {
        for part in
            ["group=G", "queue=T@broker-a:0", "offset=0", "keys=order-7 shop-3", "message_id=", "error=no stock"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(line.contains(&format!("tries={tries}")), "{line}");
    }
}

#[test]
fn connections_that_are_closed_in_order_are_logged_so_each_with_its_address() {
    let lines = lines_of_a_failure();
    let of = |words: &str| lines.iter().filter(|line| line.starts_with(words)).cloned().collect::<Vec<_>>();
    let (connected, closed) = (of("connected"), of("closed"));
    assert!(connected.len() == 2 && closed.len() == 2, "{lines:?}");
    assert!(connected.iter().all(|line| line.contains("address=127.0.0.1:")), "{connected:?}");
    assert!(closed.iter().all(|line| line.contains("reason=the client ends it")), "{closed:?}");
}
