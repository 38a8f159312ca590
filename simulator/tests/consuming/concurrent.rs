//! Concurrent consumption.

use stgclient_core::queue::MessageQueue;
use stgclient_runtime::ReconsumeLater;

use super::stage::{Book, SECOND, Stage, member};

#[test]
fn every_message_is_consumed_and_what_is_finished_is_committed() {
    let stage = Stage::new(2, 4);
    stage.play(async {
        stage.send(0..500).await;
        let client = stage.client().await;
        let book = Book::default();
        let consumer = {
            let book = book.clone();
            member(&client).concurrently(move |message| {
                book.note(0, &message);
                async { Ok::<_, ReconsumeLater>(()) }
            })
        };
        let consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "500 messages", || book.len() == 500).await;
        assert!(book.times().values().all(|times| *times == 1));
        assert_eq!(consumer.status().lag(), 0);
        assert!(consumer.close().await.is_empty());
        let committed: i64 = ["broker-a", "broker-b"]
            .into_iter()
            .flat_map(|broker| (0..4).map(move |queue| MessageQueue::new("orders", broker, queue)))
            .filter_map(|queue| stage.committed(&queue))
            .sum();
        assert_eq!(committed, 500);
        client.close().await;
    });
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0), "and nothing is left");
}
