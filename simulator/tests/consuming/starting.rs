//! What a start refuses, and what it does not.

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use stgclient_core::consumer::MessageSelector;
use stgclient_core::consumer::push::MessageModel;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_runtime::{BoxFuture, OffsetStore};

use super::stage::{GROUP, SECOND, Stage, TOPIC};

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
        let consumer = client.push_consumer(GROUP).subscribe_with("later", selector);
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
