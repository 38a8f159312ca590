//! How consumers close: within the time that was given, whatever handlers and stores do, and nothing of what is told is lost.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::BytesMut;
use stgclient::simulator::Clients as _;
use stgclient::{BoxFuture, Client, OffsetStore, PushConsumer};
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{ConsumeDirectly, Request};

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member};

/// How long brokers have to take the last offsets and the locks, and to hear that a group leaves; with a reserve.
const FAREWELL: Duration = Duration::from_secs(5);

/// Begins a call, which then goes on beside others until it is awaited.
async fn begun<F: Future>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let is_over = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
    assert!(!is_over, "it is not over at once");
    call
}

/// A consumer with a message in work that never ends.
async fn hung(stage: &Stage) -> (Client, PushConsumer) {
    stage.send(0..1).await;
    let book = Book::default();
    let client = stage.client().await;
    let notes = book.clone();
    let consumer = member(&client).concurrently(move |message| {
        notes.note(1, &message);
        pending()
    });
    let consumer = consumer.start().await.unwrap();
    stage.until(5 * SECOND, "the handler has it", || book.len() == 1).await;
    (client, consumer)
}

#[test]
fn when_the_last_handle_is_dropped_a_handler_may_end_and_the_next_owner_gets_the_lock_soon() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..1).await;
        let book = Book::default();
        let client = stage.client().await;
        let (notes, machine) = (book.clone(), Arc::clone(&stage.machine));
        let consumer = member(&client).orderly(move |message| {
            notes.note(1, &message);
            let machine = Arc::clone(&machine);
            async move {
                // Less than the client's close time-out.
                machine.sleep(4 * SECOND).await;
                Ok(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "the handler has it", || book.len() == 1).await;
        drop(client);
        drop(consumer);
        stage.send(1..2).await;
        let other = stage.client().await;
        let next = book.clone();
        let consumer = member(&other).orderly(move |message| {
            next.note(2, &message);
            async { Ok(()) }
        });
        let consumer = consumer.start().await.unwrap();
        let second = || book.entries().iter().any(|entry| entry.member == 2 && entry.body == "1");
        stage.until(15 * SECOND, "the next owner consumes", second).await;
        assert_eq!(book.times()["0"], 1, "it was consumed, and committed: {:?}", book.entries());
        consumer.close().await;
    });
}

#[test]
fn whoever_closes_a_consumer_waits_no_longer_than_the_time_it_gave_though_others_gave_more() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (_client, consumer) = hung(&stage).await;
        let patient = begun(consumer.close_within(3600 * SECOND)).await;
        let begin = stage.world.now().mono;
        let unfinished = consumer.close_within(SECOND).await;
        let took = stage.world.now().mono.since(begin);
        assert!(took <= SECOND + FAREWELL, "{took:?}");
        assert_eq!(unfinished.len(), 1);
        assert_eq!(patient.await, unfinished);
    });
}

#[test]
fn what_did_not_end_is_told_though_the_client_is_closed_meanwhile() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, consumer) = hung(&stage).await;
        let closing = begun(consumer.close_within(3600 * SECOND)).await;
        client.close().await;
        let unfinished = closing.await;
        assert_eq!(unfinished.iter().map(|queue| queue.offsets.len()).sum::<usize>(), 1, "{unfinished:?}");
    });
}

/// A store that never says that anything is stored.
struct Hung;

impl OffsetStore for Hung {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        Box::pin(ready(Ok(BTreeMap::new())))
    }

    fn store(&self, _: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        Box::pin(pending())
    }
}

#[test]
fn a_store_that_never_ends_holds_closing_up_only_so_long() {
    for of_client in [false, true] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            stage.send(0..3).await;
            let client = stage.client().await;
            let book = Book::default();
            let consumer = client.push_consumer("all").subscribe(TOPIC, "*").consume_from(ConsumeFrom::FirstOffset);
            let consumer = consumer.message_model(MessageModel::Broadcasting).offset_store(Hung);
            let consumer = book.consume(consumer).await;
            stage.until(5 * SECOND, "all are consumed", || book.len() == 3).await;
            stage.sleep(20 * SECOND).await;
            let closed = Arc::new(AtomicBool::new(false));
            let is_closed = Arc::clone(&closed);
            stage.machine.spawn(async move {
                if of_client {
                    client.close().await;
                } else {
                    consumer.close_within(SECOND).await;
                }
                is_closed.store(true, SeqCst);
            });
            stage.until(120 * SECOND, "it is closed", || closed.load(SeqCst)).await;
        });
    }
}

#[test]
fn when_the_close_returns_no_task_of_a_message_that_was_consumed_directly_is_left() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..1).await;
        let machine = stage.world.machine();
        let client = machine.client(&stage.cluster).connect().await.unwrap();
        let (book, ids) = (Book::default(), Arc::<Mutex<Vec<String>>>::default());
        let (notes, noted, sleeper) = (book.clone(), Arc::clone(&ids), Arc::clone(&stage.machine));
        let consumer = member(&client).concurrently(move |message| {
            let is_direct = notes.len() > 0;
            notes.note(1, &message);
            noted.lock().unwrap().push(message.offset_message_id().to_hex().to_string());
            let sleeper = Arc::clone(&sleeper);
            async move {
                if is_direct {
                    sleeper.sleep(2 * SECOND).await;
                }
                Ok(())
            }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "it is consumed", || book.len() == 1).await;

        // An administrator wants it consumed once more.
        let broker = stage.cluster.brokers().remove(0);
        let stream = stage.machine.open(&broker).await.expect("the broker is there");
        let header = ConsumeDirectly {
            consumer_group: GROUP.into(),
            client_id: Some(client.client_id().to_owned().into()),
            msg_id: Some(ids.lock().unwrap()[0].clone().into()),
            broker_name: None,
            topic: Some(TOPIC.into()),
            topic_sys_flag: None,
            group_sys_flag: None,
        };
        let mut request = BytesMut::new();
        let head = Head::request(Dialect::Apache, ConsumeDirectly::CODE, 1);
        command::encode(&mut request, HeaderCodec::Json, Dialect::Apache, &head, &header, &[]);
        stream.write(request).await.expect("the broker reads");
        stage.until(SECOND, "the handler has it", || book.len() == 2).await;
        client.close().await;
        assert_eq!(machine.tasks(), 0, "it is within the time that what is in work may take");
    });
}

#[test]
fn what_ended_while_its_queue_was_on_its_way_to_another_member_is_not_told_as_unfinished() {
    let stage = Stage::new(1, 4);
    // Brokers are far away.
    stage.cluster.brokers().iter().for_each(|address| stage.world.network().delay(address, SECOND / 5));
    stage.play(async {
        let book = Book::default();
        let client = stage.client().await;
        let (notes, machine) = (book.clone(), Arc::clone(&stage.machine));
        let consumer = member(&client).concurrently(move |message| {
            let (notes, machine) = (notes.clone(), Arc::clone(&machine));
            async move {
                machine.sleep(SECOND / 2).await;
                notes.note(1, &message);
                Ok(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        for round in 0..5 {
            stage.send(40 * round..40 * round + 40).await;
            let other = stage.client().await;
            let second = book.consume(member(&other)).await;
            stage.send(40 * round + 20..40 * round + 40).await;
            stage.sleep(5 * SECOND).await;
            second.close().await;
            other.close().await;
        }
        stage.sleep(60 * SECOND).await;
        let status = consumer.status();
        assert_eq!((status.in_work, status.lag()), (0, Some(0)), "all has ended");
        assert_eq!(consumer.close().await, [], "nothing was in work when it closed");
    });
}
