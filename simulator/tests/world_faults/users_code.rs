//! Code of the application: selectors, strategies, callbacks, stores, handlers, and what is dropped of them. None of it runs
//! while the client's lock is held, and a panic of it is the error of what it was called for, and of nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use stgclient::{BoxFuture, OffsetStore, Producer, ReconsumeLater, holds_lock};
use stgclient_core::consumer::allocation::{Allocation, AllocationRequest, Average};
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::{Message, QueueChoice, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_servers::{Force, Forced};
use stgclient_simulator::Direction;

use super::stage::{BROKER_A, SECOND, Stage, consumer, message, producer, queue};

/// Looks each time the application's code runs.
#[track_caller]
fn runs() {
    assert!(!holds_lock(), "the application's code runs under the client's lock");
}

/// Something of the application that looks when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        runs();
        self.0.fetch_add(1, SeqCst);
    }
}

impl AsRef<[u8]> for Dropped {
    fn as_ref(&self) -> &[u8] {
        &[7; 10_000]
    }
}

fn last(queues: &[MessageQueue], _: &Message) -> usize {
    runs();
    queues.len() - 1
}

fn selector(select: impl Fn(&[MessageQueue], &Message) -> usize + Send + Sync + 'static) -> SendOptions {
    QueueChoice::Selector(Arc::new(select)).into()
}

#[test]
fn bodies_and_selectors_are_dropped_where_the_application_may_do_anything() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    let dropped = Arc::new(AtomicUsize::new(0));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").compression(None).max_waiting(4, 1 << 20).start().await.unwrap();
        let body = || Message::new("t", Bytes::from_owner(Dropped(Arc::clone(&dropped))));
        let choosing = || {
            let kept = Dropped(Arc::clone(&dropped));
            selector(move |queues, message| {
                let _ = &kept;
                last(queues, message)
            })
        };
        // One that succeeds, one without an answer, one that is refused, several that are withdrawn at all stages.
        producer.send_to(body(), choosing()).await.expect("all is well");
        producer.send_oneway(body()).await.expect("it is written");
        producer.send(Message::new("", Bytes::from_owner(Dropped(Arc::clone(&dropped))))).await.unwrap_err();
        drop(producer.send(body()));
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let sends: Vec<_> = (0..10).map(|_| producer.send_to(body(), choosing())).collect();
        let back = producer.try_send(body(), choosing()).map(drop).expect_err("others wait");
        runs();
        drop(back);
        stage.sleep(SECOND).await;
        for (number, sending) in sends.into_iter().enumerate() {
            if number % 2 == 0 {
                drop(sending);
            } else {
                sending.await.expect_err("the broker hangs");
            }
        }
        // What was withdrawn may still lie where it waits to be written, until the connection ends.
        let unwritten = producer.send(body());
        stage.sleep(SECOND).await;
        drop(unwritten);
        stage.world.network().reset(BROKER_A);
        stage.world.network().heal();
        client.close().await;
    });
    stage.world.run_for(60 * SECOND);
    assert_eq!(dropped.load(SeqCst), 1 + 1 + 1 + 1 + 1 + 10 + 10 + 2 + 1);
}

#[test]
fn a_selector_may_drop_the_last_clone_of_its_producer_and_use_the_client() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        for is_known in [false, true] {
            let producer = producer(&client).await;
            if is_known {
                producer.send(message("t")).await.unwrap();
            }
            let (last_clone, other) = (Mutex::new(Some(producer.clone())), client.clone());
            let choosing = selector(move |queues, message| {
                let producer = last_clone.lock().unwrap().take().expect("it is asked once");
                assert!(producer.backlog().messages <= 1);
                drop(producer.send(Message::new("t", "from within")));
                drop(other.producer("another"));
                drop(producer);
                last(queues, message)
            });
            let sending = producer.send_to(message("t"), choosing);
            drop(producer);
            let receipt = sending.await.expect("it was asked for before the producer went");
            assert_eq!(receipt.queue.queue_id, 1);
        }
        client.close().await;
    });
}

#[test]
fn what_a_selector_chooses_keeps_the_order_of_the_calls() {
    for is_known in [false, true] {
        let stage = Stage::new(1, 1).with_topic("t", 2);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = client.producer("p").max_waiting(3, 1 << 20).start().await.unwrap();
            if is_known {
                producer.send_to(Message::new("t", "first"), queue("broker-a", 0)).await.unwrap();
            }
            let options =
                |number| if number % 3 == 0 { SendOptions::from(queue("broker-a", 1)) } else { selector(last) };
            let sends: Vec<_> =
                (0..30).map(|number| producer.send_to(Message::new("t", vec![number]), options(number))).collect();
            for sending in sends {
                sending.await.expect("in its turn");
            }
            let consumer = consumer(&client).await;
            let batch = consumer.pull(&queue("broker-a", 1), "*", 0, 32).await.unwrap();
            let bodies: Vec<u8> = batch.messages.iter().map(|message| message.body()[0]).collect();
            assert_eq!(bodies, (0..30).collect::<Vec<u8>>());
        });
    }
}

#[test]
fn a_selector_that_panics_fails_its_send_and_nothing_else() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..2 {
            let panics = producer.send_to(message("t"), selector(|_, _| panic!("no idea")));
            let beyond = producer.send_to(message("t"), selector(|queues, _| queues.len()));
            let others: Vec<_> = (0..5).map(|_| producer.send_to(message("t"), selector(last))).collect();
            let error = panics.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains("the selector panicked: no idea"), "{error}");
            assert!(beyond.await.unwrap_err().to_string().contains("queue 2 of 2"));
            for other in others {
                other.await.expect("nothing is wrong with it");
            }
        }
        assert_eq!(producer.backlog().messages, 0);
        assert_eq!(client.counters().connects, 2, "no connection was lost");
        client.close().await;
    });
}

#[test]
fn a_callback_that_panics_disturbs_no_other_and_no_connection() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let called = Arc::new(AtomicUsize::new(0));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.unwrap();
        for number in 0..10 {
            let called = Arc::clone(&called);
            let callback = move |outcome: Result<_, Error>| {
                runs();
                outcome.expect("all is well");
                called.fetch_add(1, SeqCst);
                assert!(number != 3, "the fourth panics");
            };
            producer.send_with(message("t"), SendOptions::default(), callback).unwrap();
        }
        stage.sleep(SECOND).await;
        assert_eq!(called.load(SeqCst), 10);
        producer.send(message("t")).await.expect("the connection lives");
        assert_eq!(client.counters().connects, 2);
        client.close().await;
    });
}

#[test]
fn a_callback_that_is_never_called_may_drop_the_last_clone_of_its_producer() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(1, 1000).start().await.unwrap();
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Lost)));
        producer.send_with(message("t"), SendOptions::default(), |_| ()).unwrap();
        let with_it = producer.clone();
        let callback = move |_| {
            drop(with_it);
        };
        let again = producer.clone();
        drop(producer);
        let back = again.send_with(message("t"), SendOptions::default(), callback).unwrap_err();
        assert_eq!(back.error.kind(), ErrorKind::Full);
        drop(again);
        client.close().await;
    });
}

/// A strategy that panics the first times it is asked.
#[derive(Debug)]
struct Panics(AtomicUsize);

impl Allocation for Panics {
    fn name(&self) -> &str {
        "PANICS"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        runs();
        assert!(self.0.fetch_add(1, SeqCst) >= 3, "not yet");
        Average.allocate(request)
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        runs();
    }
}

#[test]
fn a_strategy_that_panics_is_asked_again_and_disturbs_nothing_else() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumed = Arc::new(AtomicUsize::new(0));
        let consumer = client.push_consumer("g").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.allocation(Panics(AtomicUsize::new(0)));
        let count = Arc::clone(&consumed);
        let consumer = consumer.concurrently(move |_| {
            runs();
            count.fetch_add(1, SeqCst);
            async { Ok(()) }
        });
        let consumer = consumer.start().await.expect("it starts");
        let producer = producer(&client).await;
        for _ in 0..8 {
            producer.send(message("t")).await.expect("not concerned");
        }
        stage.sleep(120 * SECOND).await;
        assert_eq!(consumed.load(SeqCst), 8);
        consumer.close().await;
        client.close().await;
    });
}

/// An error whose words are a panic.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        runs();
        panic!("no words")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_whose_words_panic_is_a_failure_like_any_other() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let times = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&times);
        let consumer = client.push_consumer("g").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |_| {
            let is_first = count.fetch_add(1, SeqCst) == 0;
            async move { if is_first { Err(ReconsumeLater::from(Unspeakable)) } else { Ok(()) } }
        });
        let consumer = consumer.start().await.unwrap();
        producer(&client).await.send(message("t")).await.unwrap();
        stage.sleep(60 * SECOND).await;
        assert_eq!(times.load(SeqCst), 2, "it came back, and nothing hung");
        assert_eq!(consumer.close().await, []);
        client.close().await;
    });
}

/// A store that panics where it is told to.
struct Store {
    panics_at: &'static str,
    offsets: Arc<Mutex<BTreeMap<MessageQueue, u64>>>,
    was_closed: Arc<AtomicBool>,
}

impl OffsetStore for Store {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        runs();
        assert!(self.panics_at != "load", "at load");
        Box::pin(ready(Ok(self.offsets.lock().unwrap().clone())))
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        runs();
        let panics = self.panics_at == "store";
        if !panics {
            *self.offsets.lock().unwrap() = offsets;
        }
        Box::pin(async move {
            assert!(!panics, "at store");
            Ok(())
        })
    }

    fn close(&self) {
        runs();
        self.was_closed.store(true, SeqCst);
        assert!(self.panics_at != "close", "at close");
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        runs();
    }
}

#[test]
fn a_store_that_panics_fails_what_it_was_asked_for_and_closing_ends() {
    for panics_at in ["load", "store", "close", "nowhere"] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let (offsets, was_closed) = (Arc::<Mutex<BTreeMap<_, _>>>::default(), Arc::<AtomicBool>::default());
            let store = Store { panics_at, offsets: Arc::clone(&offsets), was_closed: Arc::clone(&was_closed) };
            let consumer = client.push_consumer("g").subscribe("t", "*").message_model(MessageModel::Broadcasting);
            let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).offset_store(store);
            let started = consumer.concurrently(|_| async { Ok(()) }).start().await;
            if panics_at == "load" {
                let error = started.map(drop).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::OffsetStore);
                assert!(error.to_string().contains("at load"), "{error}");
            } else {
                let consumer = started.unwrap();
                producer(&client).await.send(message("t")).await.unwrap();
                stage.sleep(20 * SECOND).await;
                assert_eq!(consumer.status().consumed.values().sum::<u64>(), 1);
                assert_eq!(consumer.close().await, []);
                assert!(was_closed.load(SeqCst));
                assert_eq!(offsets.lock().unwrap().is_empty(), panics_at == "store");
            }
            client.close().await;
        });
    }
}

#[test]
fn a_client_closes_while_the_application_chooses() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer: Producer = producer(&client).await;
        let other = client.clone();
        let choosing = selector(move |queues, message| {
            // Dropped before it is over, it closes all the same.
            let mut close = Box::pin(other.close());
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(close.as_mut().poll(&mut context).is_pending());
            last(queues, message)
        });
        producer.send_to(message("t"), choosing).await.expect("what is under way may end");
        client.close().await;
        assert_eq!(producer.send(message("t")).await.unwrap_err().kind(), ErrorKind::Closed);
    });
}
