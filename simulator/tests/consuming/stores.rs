//! Offset stores that fail: what could not be stored is stored with the next, and at closing.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};

use stgclient::{BoxFuture, Client, ClientEvent, OffsetStore, PushConsumer, PushConsumerBuilder};
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;

use super::stage::{Book, SECOND, Stage, TOPIC};

/// A store that fails as often as it is told to.
#[derive(Clone, Default)]
struct Failing(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    failures_left: usize,
    tries: usize,
    offsets: BTreeMap<MessageQueue, u64>,
}

impl Failing {
    fn fail(&self, times: usize) {
        self.0.lock().unwrap().failures_left = times;
    }

    fn tries(&self) -> usize {
        self.0.lock().unwrap().tries
    }

    fn stored(&self) -> u64 {
        self.0
            .lock()
            .unwrap()
            .offsets
            .iter()
            .filter(|(queue, _)| &*queue.topic == TOPIC)
            .map(|(_, offset)| offset)
            .sum()
    }
}

impl OffsetStore for Failing {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        Box::pin(ready(Ok(self.0.lock().unwrap().offsets.clone())))
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let mut inner = self.0.lock().unwrap();
        inner.tries += 1;
        let result = if inner.failures_left > 0 {
            inner.failures_left -= 1;
            Err(Error::new(ErrorKind::OffsetStore, "the disk is full"))
        } else {
            inner.offsets = offsets;
            Ok(())
        };
        Box::pin(ready(result))
    }
}

fn broadcasting(client: &Client, store: &Failing) -> PushConsumerBuilder {
    let consumer = client.push_consumer("all").subscribe(TOPIC, "*").consume_from(ConsumeFrom::FirstOffset);
    consumer.message_model(MessageModel::Broadcasting).offset_store(store.clone())
}

/// A consumer that has consumed ten messages, and whose store fails so often.
async fn consumed(stage: &Stage, failures: usize) -> (Client, Book, Failing, PushConsumer) {
    stage.send(0..10).await;
    let client = stage.client().await;
    let (book, store) = (Book::default(), Failing::default());
    store.fail(failures);
    let consumer = book.consume(broadcasting(&client, &store)).await;
    stage.until(5 * SECOND, "all are consumed", || book.len() == 10).await;
    (client, book, store, consumer)
}

#[test]
fn what_could_not_be_stored_is_stored_at_the_next_commit_though_nothing_new_was_consumed() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (_client, _book, store, consumer) = consumed(&stage, 1).await;
        stage.until(20 * SECOND, "the first try fails, the second does not", || store.stored() == 10).await;
        assert!(store.tries() >= 2);
        consumer.close().await;
    });
}

#[test]
fn what_could_not_be_stored_is_stored_at_closing_and_nothing_is_consumed_twice() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (client, book, store, consumer) = consumed(&stage, usize::MAX).await;
        stage.sleep(60 * SECOND).await;
        assert!(store.tries() > 3 && store.stored() == 0);
        store.fail(0);
        consumer.close().await;
        // When the close returns, it has been tried.
        assert_eq!(store.stored(), 10);
        let consumer = book.consume(broadcasting(&client, &store)).await;
        stage.send(10..15).await;
        stage.until(5 * SECOND, "the rest", || book.len() == 15).await;
        assert!(book.times().values().all(|times| *times == 1));
        consumer.close().await;
    });
}

#[test]
fn who_follows_a_client_hears_that_offsets_were_not_stored_also_those_that_were_to_be_the_last() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, book, store, consumer) = consumed(&stage, 0).await;
        stage.until(20 * SECOND, "they are stored", || store.stored() == 10).await;
        stage.send(10..11).await;
        stage.until(SECOND, "one more is consumed", || book.len() == 11).await;
        store.fail(usize::MAX);
        let mut events = client.events();
        consumer.close().await;
        client.close().await;
        let mut told = Vec::new();
        while let Some(event) = events.next().await {
            if let ClientEvent::Warned(notice) = event {
                told.push(notice.to_string());
            }
        }
        let error = "the disk is full: the stored offsets";
        assert_eq!(told, [format!("offsets were not stored; they are with the next ones group=all error={error}")]);
        assert_eq!(store.stored(), 10);
    });
}

#[test]
fn a_client_that_closes_stores_what_its_consumers_could_not() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (client, _book, store, _consumer) = consumed(&stage, usize::MAX).await;
        stage.until(20 * SECOND, "the first try", || store.tries() > 0).await;
        store.fail(0);
        client.close().await;
        assert_eq!(store.stored(), 10);
    });
}
