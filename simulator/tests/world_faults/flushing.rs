//! Flushing and closing a producer: what was sent before is over then, and nothing else is waited for.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use stgclient::{Producer, SendOptions};
use stgclient_core::error::ErrorKind;
use stgclient_core::time::Duration;
use stgclient_simulator::Direction;

use super::stage::{BROKER_A, ROUND_TRIP, SECOND, Stage, begun, message, producer};

/// How much slower the broker's answers are.
const SLOW: Duration = Duration::from_millis(500);

/// Sends so many with a callback that counts.
fn send(producer: &Producer, count: u32) -> Arc<AtomicU32> {
    let called = Arc::<AtomicU32>::default();
    for _ in 0..count {
        let counted = Arc::clone(&called);
        let count = move |_| _ = counted.fetch_add(1, SeqCst);
        producer.send_with(message("t"), SendOptions::new(), count).expect("there is room");
    }
    called
}

#[test]
fn a_flush_ends_when_all_that_was_sent_before_is_over_and_waits_for_nothing_else() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        assert!(stage.timed(producer.flush()).await.1.is_zero(), "nothing was sent");
        producer.send(message("t")).await.expect("all is well");
        assert!(stage.timed(producer.flush()).await.1.is_zero(), "all is over");
        stage.world.network().delay(BROKER_A, SLOW);
        let called = send(&producer, 10);
        let oneway = begun(producer.send_oneway(message("t"))).await;
        let flush = begun(producer.flush()).await;
        stage.sleep(SLOW / 2).await;
        // Sent later, so over later.
        let later = send(&producer, 10);
        flush.await;
        assert_eq!((called.load(SeqCst), later.load(SeqCst)), (10, 0));
        oneway.await.expect("it is written");
        producer.flush().await;
        assert_eq!(later.load(SeqCst), 10);
    });
}

#[test]
fn a_flush_waits_for_what_stands_in_line_too() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("producers").max_waiting(1, 1 << 20).start().await.expect("a producer");
        let mut sends = Vec::new();
        for _ in 0..5 {
            sends.push(begun(producer.send(message("t"))).await);
        }
        producer.flush().await;
        for send in sends {
            let (sent, took) = stage.timed(send).await;
            sent.expect("all is well");
            assert!(took.is_zero());
        }
    });
}

#[test]
fn a_flush_ends_with_the_time_of_its_sends_when_nobody_answers() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        producer.send(message("t")).await.expect("all is well");
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let called = send(&producer, 10);
        let ((), took) = stage.timed(producer.flush()).await;
        assert!(took <= 3 * SECOND + ROUND_TRIP, "{took:?}");
        assert_eq!(called.load(SeqCst), 10);
    });
}

#[test]
fn a_flush_that_is_dropped_leaves_nothing_and_a_send_that_is_withdrawn_is_not_waited_for() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        stage.world.network().delay(BROKER_A, SLOW);
        let send = begun(producer.send(message("t"))).await;
        drop(begun(producer.flush()).await);
        let flush = begun(producer.flush()).await;
        drop(send);
        assert!(stage.timed(flush).await.1.is_zero());
        assert_eq!(producer.backlog().messages, 0);
    });
}

#[test]
fn closing_a_producer_ends_what_it_has_under_way_and_takes_nothing_more() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        producer.send(message("t")).await.expect("all is well");
        stage.world.network().delay(BROKER_A, SLOW);
        let called = send(&producer, 10);
        let close = begun(producer.close()).await;
        let error = producer.send(message("t")).await.expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        close.await;
        assert_eq!(called.load(SeqCst), 10);
        assert!(stage.timed(producer.close()).await.1.is_zero(), "it is closed");
        assert!(stage.timed(producer.flush()).await.1.is_zero(), "it is closed");
    });
}

#[test]
fn a_flush_ends_when_the_client_is_closed_after_the_callbacks() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let called = send(&producer, 10);
        let flush = begun(producer.flush()).await;
        client.close().await;
        let ((), took) = stage.timed(flush).await;
        assert!(took.is_zero(), "{took:?}");
        assert_eq!(called.load(SeqCst), 10);
    });
}

#[test]
fn a_callback_that_panics_does_not_keep_a_flush_waiting() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        producer.send_with(message("t"), SendOptions::new(), |_| panic!("it is broken")).expect("there is room");
        let ((), took) = stage.timed(producer.flush()).await;
        assert!(took <= SECOND, "{took:?}");
    });
}
