//! What a start refuses, and what it does not.

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use stgclient::{BoxFuture, OffsetStore};
use stgclient_core::consumer::MessageSelector;
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC};

#[test]
fn a_batch_of_any_size_is_refused_with_the_reason() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        for size in [0, 1025, usize::MAX] {
            let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*");
            let started = consumer.concurrently_in_batches(size, |_| async { Ok(()) }).start().await;
            assert_eq!(started.unwrap_err().kind(), ErrorKind::InvalidArgument, "{size}");
        }
    });
}

#[test]
fn a_consumer_by_sql_of_a_topic_that_does_not_exist_yet_starts_as_one_by_tags_does() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let selector = MessageSelector::by_sql("amount > 100").unwrap();
        let consumer = client.push_consumer(GROUP).subscribe("later", selector);
        let consumer = consumer.concurrently(|_| async { Ok(()) }).start().await.expect("as by tags");
        consumer.close().await;
    });
}

/// A store that is never loaded.
struct Unready;

impl OffsetStore for Unready {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        Box::pin(pending())
    }

    fn store(&self, _: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        Box::pin(ready(Ok(())))
    }
}

#[test]
fn a_start_whose_store_is_never_loaded_ends_with_its_client() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*").message_model(MessageModel::Broadcasting);
        let start = consumer.offset_store(Unready).concurrently(|_| async { Ok(()) }).start();
        let ended = Arc::<Mutex<Option<ErrorKind>>>::default();
        let noted = Arc::clone(&ended);
        stage.machine.spawn(async move {
            let error = start.await.map(drop).unwrap_err();
            *noted.lock().unwrap() = Some(error.kind());
        });
        stage.sleep(SECOND).await;
        client.close().await;
        stage.until(SECOND, "the start has ended", || *ended.lock().unwrap() == Some(ErrorKind::Closed)).await;
    });
}

#[test]
fn an_expression_that_no_broker_can_read_selects_nothing_and_not_everything() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let unreadable = MessageSelector::by_sql("n > ").unwrap();
        let consumer = client.push_consumer(GROUP).subscribe("later", unreadable);
        let consumer = book.consume(consumer.consume_from(ConsumeFrom::FirstOffset)).await;
        client.admin().create_topic("later").await.unwrap();
        let producer = client.producer("shop").start().await.unwrap();
        for number in 0..3 {
            let message = Message::new("later", number.to_string()).property("n", number.to_string());
            producer.send(message).await.unwrap();
        }
        stage.sleep(60 * SECOND).await;
        assert_eq!(book.len(), 0, "a broker gives all that there is to one whose expression it cannot read");
        consumer.subscribe("later", MessageSelector::by_sql("n > 0").unwrap()).unwrap();
        stage.until(5 * SECOND, "what is selected", || book.len() == 2).await;
        // One that is changed is not believed either.
        consumer.subscribe("later", MessageSelector::by_sql("n >> 0").unwrap()).unwrap();
        producer.send(Message::new("later", "3").property("n", "3")).await.unwrap();
        stage.sleep(60 * SECOND).await;
        assert_eq!(book.len(), 2);
        consumer.close().await;
    });
}
