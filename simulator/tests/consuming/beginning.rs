//! Where a group begins: no later than where a queue ended when the consumer started, and with the first message of a queue
//! that came later; and what is known of that is never lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use stgclient::simulator::Clients as _;
use stgclient::{BoxFuture, OffsetStore, ReconsumeLater};
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced, Memory, ServerId};

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, newcomer, shares};

/// That each of these numbers was consumed, and nothing before them.
fn assert_all(book: &Book, numbers: std::ops::Range<u32>) {
    let (missing, times) = (book.missing(numbers.clone()), book.times());
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert_eq!(times.len(), numbers.len(), "nothing that is old: {times:?}");
}

#[test]
fn nothing_is_lost_when_the_connection_ends_before_a_new_group_has_committed_what_it_consumed() {
    for after in [10, 1000, 3000] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            stage.send(0..20).await;
            let client = stage.client().await;
            let book = Book::default();
            let (noted, machine) = (book.clone(), Arc::clone(&stage.machine));
            let consumer = newcomer(&client).orderly(move |message| {
                let (noted, machine) = (noted.clone(), Arc::clone(&machine));
                async move {
                    machine.sleep(SECOND / 2).await;
                    noted.note(0, &message);
                    Ok::<_, stgclient::SuspendCurrentQueue>(())
                }
            });
            let _consumer = consumer.start().await.unwrap();
            stage.send(20..30).await;
            stage.sleep(Duration::from_millis(after)).await;
            stage.world.network().reset(&stage.cluster.brokers()[0]);
            stage.until(30 * SECOND, "ten messages", || book.times().len() >= 10).await;
            stage.sleep(SECOND).await;
            assert_all(&book, 20..30);
        });
    }
}

#[test]
fn nothing_is_lost_when_a_member_dies_before_it_has_committed_anything_that_it_consumed() {
    for is_orderly in [false, true] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            stage.send(0..6).await;
            let (dying, servers) = (stage.world.machine(), stage.cluster.name_servers().join(";"));
            let client = dying.client(&servers).connect().await.unwrap();
            let book = Book::default();
            let member = if is_orderly {
                book.consume_in_order(newcomer(&client)).await
            } else {
                book.consume(newcomer(&client)).await
            };
            stage.until(3 * SECOND, "its queues", || shares(&[&member]) == [2]).await;
            stage.sleep(SECOND / 10).await;
            stage.send(6..10).await;
            dying.lose_power();
            stage.send(10..20).await;
            let client = stage.client().await;
            let _next = if is_orderly {
                book.consume_in_order(newcomer(&client)).await
            } else {
                book.consume(newcomer(&client)).await
            };
            // Brokers notice a dead member in two minutes.
            stage.until(200 * SECOND, "all messages", || book.times().len() >= 14).await;
            assert_all(&book, 6..20);
        });
    }
}

#[test]
fn what_is_sent_once_start_has_returned_is_consumed() {
    for (brokers, queues, model) in
        [(1, 1, MessageModel::Clustering), (2, 16, MessageModel::Clustering), (2, 4, MessageModel::Broadcasting)]
    {
        for late in [0, 30, 400] {
            let stage = Stage::new(brokers, queues);
            stage.play(async {
                stage.send(0..40).await;
                for broker in ["broker-a", "broker-b"].into_iter().take(brokers.into()) {
                    let slow =
                        Force::requests([RequestCode::GET_MAX_OFFSET], Forced::Delay(Duration::from_millis(late)));
                    stage.cluster.broker(broker, |broker| broker.force(slow));
                }
                let (client, sender) = (stage.client().await, stage.client().await);
                let producer = sender.producer("shop").start().await.unwrap();
                producer.send(Message::new(TOPIC, "39")).await.unwrap();
                let book = Book::default();
                let _consumer = book.consume(newcomer(&client).message_model(model)).await;
                for number in 40..80 {
                    producer.send(Message::new(TOPIC, number.to_string())).await.unwrap();
                }
                stage.until(5 * SECOND, "all messages", || book.times().len() >= 40).await;
                assert_all(&book, 40..80);
            });
        }
    }
}

#[test]
fn what_is_sent_once_start_has_returned_is_consumed_although_no_broker_said_where_its_queues_end() {
    for forced in [Forced::busy(), Forced::Lost] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            stage.send(0..10).await;
            stage.sleep(SECOND).await;
            let mute = Force::requests([RequestCode::GET_MAX_OFFSET], forced).times(4);
            stage.cluster.broker("broker-a", |broker| broker.force(mute));
            let client = stage.client().await;
            let book = Book::default();
            let _consumer = book.consume(newcomer(&client)).await;
            stage.send(10..20).await;
            stage.until(10 * SECOND, "all messages", || book.times().len() >= 10).await;
            assert_all(&book, 10..20);
        });
    }
}

#[test]
fn a_start_does_not_wait_for_brokers_that_do_not_say_where_their_queues_end() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let mute = Force::requests([RequestCode::GET_MAX_OFFSET], Forced::Lost);
        stage.cluster.broker("broker-a", |broker| broker.force(mute));
        let client = stage.client().await;
        let begin = stage.world.now().mono;
        let book = Book::default();
        let _consumer = book.consume(newcomer(&client)).await;
        assert!(stage.world.now().mono.since(begin) <= 4 * SECOND, "a request's time");
        stage.cluster.broker("broker-a", |broker| broker.clear_forces());
        stage.sleep(10 * SECOND).await;
        stage.send(0..4).await;
        stage.until(5 * SECOND, "all messages", || book.times().len() >= 4).await;
    });
}

#[test]
fn a_topic_and_a_queue_that_appear_later_are_newer_than_the_group_and_begin_with_their_first_message() {
    for model in [MessageModel::Clustering, MessageModel::Broadcasting] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            stage.send(0..5).await;
            let client = stage.client().await;
            let book = Book::default();
            let consumer = newcomer(&client).subscribe("later", "*").message_model(model);
            let _consumer = book.consume(consumer).await;
            stage.sleep(3 * SECOND).await;
            stage.cluster.with(|cluster| {
                cluster.brokers().for_each(|broker| {
                    broker.create_topic("later", 1).unwrap();
                    broker.create_topic(TOPIC, 3).unwrap();
                });
            });
            let sender = stage.client().await;
            let producer = sender.producer("shop").start().await.unwrap();
            for (number, queue) in [(5, 0), (6, 1), (7, 2)] {
                let queue = MessageQueue::new(TOPIC, "broker-a", queue);
                producer.send_to(Message::new(TOPIC, number.to_string()), queue).await.unwrap();
            }
            producer.send(Message::new("later", "8")).await.unwrap();
            // The route is asked for every half minute.
            stage.until(70 * SECOND, "all messages", || book.times().len() >= 4).await;
            stage.sleep(SECOND).await;
            assert_all(&book, 5..9);
        });
    }
}

#[test]
fn a_broadcasting_consumer_goes_on_where_it_was_after_it_had_unsubscribed() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume(newcomer(&client).message_model(MessageModel::Broadcasting)).await;
        stage.send(3..13).await;
        stage.until(3 * SECOND, "ten messages", || book.len() == 10).await;
        consumer.unsubscribe(TOPIC);
        stage.sleep(SECOND).await;
        stage.send(13..18).await;
        consumer.subscribe(TOPIC, "*").unwrap();
        stage.until(5 * SECOND, "the other five", || book.len() == 15).await;
        stage.sleep(5 * SECOND).await;
        assert_all(&book, 3..18);
        assert_eq!(book.len(), 15, "and none twice");
    });
}

#[test]
fn a_broadcasting_consumer_goes_on_where_it_was_when_a_broker_has_been_away() {
    let stage = Stage::new(2, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let _consumer = book.consume(newcomer(&client).message_model(MessageModel::Broadcasting)).await;
        stage.send(0..10).await;
        stage.until(3 * SECOND, "ten messages", || book.len() == 10).await;
        stage.cluster.stop(ServerId::Broker(0));
        stage.sleep(90 * SECOND).await;
        stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        // Before the consumer has heard that it is back.
        let sender = stage.client().await;
        let producer = sender.producer("shop").start().await.unwrap();
        for number in 10..15 {
            let queue = MessageQueue::new(TOPIC, "broker-a", 0);
            producer.send_to(Message::new(TOPIC, number.to_string()), queue).await.unwrap();
        }
        stage.until(90 * SECOND, "the other five", || book.times().len() == 15).await;
        stage.sleep(10 * SECOND).await;
        assert_eq!(book.len(), 15, "none twice: {:?}", book.times());
    });
}

/// A store that fails once when it is told to.
#[derive(Clone, Default)]
pub(super) struct Failing {
    stored: Arc<Mutex<BTreeMap<MessageQueue, u64>>>,
    fails: Arc<AtomicBool>,
    failures: Arc<AtomicUsize>,
}

impl OffsetStore for Failing {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let stored = self.stored.lock().unwrap().clone();
        Box::pin(std::future::ready(Ok(stored)))
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        if self.fails.swap(false, Relaxed) {
            self.failures.fetch_add(1, Relaxed);
            return Box::pin(std::future::ready(Err(Error::new(ErrorKind::ConnectFailed, "a full disk"))));
        }
        *self.stored.lock().unwrap() = offsets;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[test]
fn offsets_that_could_not_be_stored_are_stored_at_the_next_commit_and_at_closing() {
    for closes_after in [0, 60] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            let client = stage.client().await;
            let (book, store) = (Book::default(), Failing::default());
            let start = || newcomer(&client).message_model(MessageModel::Broadcasting).offset_store(store.clone());
            let consumer = book.consume(start()).await;
            stage.sleep(6 * SECOND).await;
            store.fails.store(true, Relaxed);
            stage.send(0..5).await;
            stage.until(6 * SECOND, "a failure", || store.failures.load(Relaxed) == 1).await;
            stage.sleep(closes_after * SECOND).await;
            consumer.close().await;
            let queue = MessageQueue::new(TOPIC, "broker-a", 0);
            assert_eq!(store.stored.lock().unwrap().get(&queue), Some(&5), "closed after {closes_after} s");
            stage.send(5..8).await;
            let _again = book.consume(start()).await;
            stage.until(3 * SECOND, "what came meanwhile", || book.len() == 8).await;
        });
    }
}

#[test]
fn what_is_wanted_now_is_fetched_although_a_broker_holds_a_pull_by_what_was_wanted_before() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "a").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |message| {
            noted.note(0, &message);
            async { Ok::<_, ReconsumeLater>(()) }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(3 * SECOND, "its queue", || shares(&[&consumer]) == [1]).await;
        stage.sleep(SECOND).await;
        consumer.subscribe(TOPIC, "a || b").unwrap();
        stage.sleep(SECOND).await;
        let sender = stage.client().await;
        let producer = sender.producer("shop").start().await.unwrap();
        for number in 0..3 {
            producer.send(Message::new(TOPIC, number.to_string()).tag("b")).await.unwrap();
        }
        stage.until(3 * SECOND, "three messages", || book.len() == 3).await;
    });
}

#[test]
fn what_is_sent_once_start_has_returned_is_consumed_although_no_name_server_gave_its_route_by_then() {
    for (forced, times) in [(Forced::busy(), 2), (Forced::busy(), 8), (Forced::Lost, 2)] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let sender = stage.client().await;
            let producer = sender.producer("shop").start().await.unwrap();
            for number in 0..10 {
                producer.send(Message::new(TOPIC, number.to_string())).await.unwrap();
            }
            stage.sleep(SECOND).await;
            let client = stage.client().await;
            let away =
                Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], forced.clone()).on_topic(TOPIC).times(times);
            stage.cluster.name_server(0, |name_server| name_server.force(away));
            let book = Book::default();
            let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(ConsumeFrom::LastOffset);
            let began = stage.world.now().mono;
            let _consumer = book.consume(consumer).await;
            let took = stage.world.now().mono.since(began);
            for number in 10..20 {
                producer.send(Message::new(TOPIC, number.to_string())).await.unwrap();
            }
            stage.sleep(60 * SECOND).await;
            let times = book.times();
            let lost: Vec<u32> = (10..20).filter(|number| !times.contains_key(&number.to_string())).collect();
            assert!(lost.is_empty(), "{forced:?}: start returned after {took:?}; lost: {lost:?}");
        });
    }
}
