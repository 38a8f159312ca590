//! What a start refuses, and what it does not.

use stgclient_core::consumer::MessageSelector;
use stgclient_core::error::ErrorKind;

use super::stage::{GROUP, Stage, TOPIC};

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
