//! Where a group begins: no later than where a queue ended when the consumer started, and with the first message of a queue
//! that came later; and what is known of that is never lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_runtime::{BoxFuture, OffsetStore, PushConsumerBuilder, ReconsumeLater};
use stgclient_simulator::server::{Force, Forced, Memory, ServerId};
use stgclient_simulator::world::Client;

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, shares};

/// A consumer of a new group that wants nothing of what is old.
fn newcomer(client: &Client) -> PushConsumerBuilder {
    client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(ConsumeFrom::LastOffset)
}

/// That each of these numbers was consumed, and nothing before them.
fn assert_all(book: &Book, numbers: std::ops::Range<u32>) {
    let times = book.times();
    let missing: Vec<u32> = numbers.clone().filter(|number| !times.contains_key(&number.to_string())).collect();
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
                    Ok::<_, stgclient_runtime::SuspendCurrentQueue>(())
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
struct Failing {
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

#[test]
fn what_is_sent_once_a_start_has_returned_is_consumed_though_a_second_member_starts_right_after_it() {
    let mut wrong = Vec::new();
    for is_orderly in [false, true] {
        // One answer that a broker is too busy for.
        for busy in [0, 4] {
            let stage = Stage::new(1, 4);
            let lost = stage.play(async {
                stage.send(0..8).await;
                // The first member is told once, of each queue, that the broker is too busy to say where the group is.
                let mute =
                    Force::requests([RequestCode::QUERY_CONSUMER_OFFSET], Forced::busy()).on_topic(TOPIC).times(busy);
                stage.cluster.broker("broker-a", |broker| broker.force(mute));
                let (first, second) = (stage.client().await, stage.client().await);
                let book = Book::default();
                let start = async |client| {
                    if is_orderly {
                        book.consume_in_order(newcomer(client)).await
                    } else {
                        book.consume(newcomer(client)).await
                    }
                };
                let _one = start(&first).await;
                stage.send(8..28).await;
                let _other = start(&second).await;
                stage.send(28..40).await;
                stage.sleep(120 * SECOND).await;
                let times = book.times();
                (8..40_u32).filter(|number| !times.contains_key(&number.to_string())).collect::<Vec<_>>()
            });
            if !lost.is_empty() {
                wrong.push(format!("orderly: {is_orderly}, busy: {busy}; lost: {lost:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_sent_once_a_start_has_returned_is_consumed_though_a_second_member_starts_beside_it_and_brokers_are_far_away()
{
    for late in [0_u64, 50, 200, 400] {
        for after in [0_u64, 100, 300, 600, 1000] {
            let stage = Stage::new(1, 4);
            stage.play(async {
                stage.send(0..8).await;
                let delay = Duration::from_millis(late);
                let (first, second) = (stage.client().await, stage.client().await);
                let sender = stage.client().await;
                let producer = sender.producer("shop").start().await.unwrap();
                producer.send(Message::new(TOPIC, "0")).await.unwrap();
                stage.cluster.brokers().iter().for_each(|address| stage.world.network().delay(address, delay));
                let book = Book::default();
                let noted = book.clone();
                let machine = Arc::clone(&stage.machine);
                let keep = Arc::new(Mutex::new(None));
                let kept = Arc::clone(&keep);
                stage.world.spawn(async move {
                    machine.sleep(Duration::from_millis(after)).await;
                    let other = noted.consume(newcomer(&second)).await;
                    *kept.lock().unwrap() = Some((other, second));
                });
                let _one = book.consume(newcomer(&first)).await;
                let mut sends = Vec::new();
                for number in 8..40 {
                    sends.push(producer.send(Message::new(TOPIC, number.to_string())));
                    stage.sleep(Duration::from_millis(20)).await;
                }
                for send in sends {
                    send.await.expect("it is stored");
                }
                stage.sleep(120 * SECOND).await;
                let times = book.times();
                let lost: Vec<u32> = (8..40).filter(|number| !times.contains_key(&number.to_string())).collect();
                assert!(lost.is_empty(), "late: {late}, after: {after}; lost: {lost:?}");
                drop(keep);
            });
        }
    }
}

#[test]
fn what_is_sent_once_a_start_has_returned_is_consumed_though_the_member_closes_at_once_and_another_follows() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        stage.send(0..8).await;
        let client = stage.client().await;
        let book = Book::default();
        let one = book.consume(newcomer(&client)).await;
        one.close().await;
        stage.send(8..28).await;
        let client = stage.client().await;
        let _other = book.consume(newcomer(&client)).await;
        stage.sleep(60 * SECOND).await;
        let times = book.times();
        let lost: Vec<u32> = (8..28).filter(|number| !times.contains_key(&number.to_string())).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    });
}

#[test]
fn a_queue_that_is_newer_than_the_group_begins_with_its_first_message_also_at_a_member_that_starts_later() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        stage.send(0..4).await;
        let (first, second) = (stage.client().await, stage.client().await);
        let book = Book::default();
        let _one = book.consume(newcomer(&first)).await;
        stage.send(4..8).await;
        stage.sleep(20 * SECOND).await;
        assert_eq!(book.len(), 4, "the group goes on for a while");
        // The topic gets more queues, and the group another member.
        stage.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, 4).unwrap()));
        stage.send(8..28).await;
        let _other = book.consume(newcomer(&second)).await;
        stage.sleep(120 * SECOND).await;
        let times = book.times();
        let lost: Vec<u32> = (8..28).filter(|number| !times.contains_key(&number.to_string())).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    });
}

#[test]
fn queues_that_a_topic_gets_while_its_only_consumer_is_started_anew_begin_with_their_first_message() {
    use stgclient_runtime::MemoryOffsets;
    let mut wrong = Vec::new();
    for model in [MessageModel::Clustering, MessageModel::Broadcasting] {
        let stage = Stage::new(1, 2);
        let lost = stage.play(async {
            stage.send(0..4).await;
            let book = Book::default();
            let store = MemoryOffsets::default();
            let client = stage.client().await;
            let consumer = newcomer(&client).message_model(model).offset_store(store.clone());
            let consumer = book.consume(consumer).await;
            stage.send(4..8).await;
            stage.sleep(20 * SECOND).await;
            assert_eq!(book.len(), 4, "the group goes on for a while");
            consumer.close().await;
            client.close().await;
            // The topic gets more queues, and messages on them, before the new version of the application starts.
            stage.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, 4).unwrap()));
            stage.send(8..28).await;
            let client = stage.client().await;
            let consumer = newcomer(&client).message_model(model).offset_store(store.clone());
            let _consumer = book.consume(consumer).await;
            stage.sleep(60 * SECOND).await;
            let times = book.times();
            (8..28_u32).filter(|number| !times.contains_key(&number.to_string())).collect::<Vec<_>>()
        });
        if !lost.is_empty() {
            wrong.push(format!("{model:?}: {} of 20 lost: {lost:?}", lost.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Messages to one queue.
async fn send_to(stage: &Stage, broker: &str, queue: u32, numbers: std::ops::Range<u32>) {
    let client = stage.client().await;
    let producer = client.producer("shop").start().await.unwrap();
    for number in numbers {
        let queue = MessageQueue::new(TOPIC, broker, queue);
        producer.send_to(Message::new(TOPIC, number.to_string()), queue).await.unwrap();
    }
    client.close().await;
}

#[test]
fn a_queue_that_came_while_nobody_of_its_group_was_there_begins_with_its_first_message_also_when_a_broker_is_busy_at_the_start()
 {
    let mut wrong = Vec::new();
    for code in [None, Some(RequestCode::GET_MAX_OFFSET), Some(RequestCode::QUERY_CONSUMER_OFFSET)] {
        let stage = Stage::new(1, 1);
        let lost = stage.play(async {
            let client = stage.client().await;
            let book = Book::default();
            let consumer = book.consume(newcomer(&client)).await;
            stage.send(0..5).await;
            stage.until(3 * SECOND, "five messages", || book.len() == 5).await;
            consumer.close().await;
            client.close().await;
            stage.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, 2).unwrap()));
            send_to(&stage, "broker-a", 1, 5..10).await;
            stage.sleep(SECOND).await;
            if let Some(code) = code {
                let mute = Force::requests([code], Forced::Lost).on_topic(TOPIC);
                stage.cluster.broker("broker-a", |broker| broker.force(mute));
            }
            let client = stage.client().await;
            let _consumer = book.consume(newcomer(&client)).await;
            stage.cluster.broker("broker-a", |broker| broker.clear_forces());
            stage.sleep(60 * SECOND).await;
            let times = book.times();
            (0..10_u32).filter(|number| !times.contains_key(&number.to_string())).collect::<Vec<_>>()
        });
        if !lost.is_empty() {
            wrong.push(format!("{code:?}; lost: {lost:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_consumer_of_a_new_group_that_is_started_anew_after_a_broker_was_away_consumes_nothing_that_is_old() {
    let mut wrong = Vec::new();
    for model in [MessageModel::Clustering, MessageModel::Broadcasting] {
        for again in [false, true] {
            let stage = Stage::new(2, 1);
            let old = stage.play(async {
                send_to(&stage, "broker-b", 0, 0..20).await;
                stage.sleep(SECOND).await;
                // It is named, and answers nothing of this.
                let mute =
                    Force::requests([RequestCode::GET_MAX_OFFSET, RequestCode::QUERY_CONSUMER_OFFSET], Forced::Lost);
                stage.cluster.broker("broker-b", |broker| broker.force(mute));
                let store = Failing::default();
                let (client, book) = (stage.client().await, Book::default());
                let start = |client: &Client| newcomer(client).message_model(model).offset_store(store.clone());
                let mut consumer = book.consume(start(&client)).await;
                stage.sleep(10 * SECOND).await;
                if again {
                    consumer.close().await;
                    stage.cluster.broker("broker-b", |broker| broker.clear_forces());
                    consumer = book.consume(start(&client)).await;
                }
                stage.sleep(SECOND).await;
                stage.cluster.broker("broker-b", |broker| broker.clear_forces());
                stage.sleep(90 * SECOND).await;
                drop(consumer);
                book.times()
            });
            if !old.is_empty() {
                wrong.push(format!("{model:?}, started again: {again}; old: {}", old.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn two_members_of_a_new_group_that_start_beside_each_other_consume_nothing_old_though_a_broker_takes_no_commit_for_a_moment()
 {
    let mut wrong = Vec::new();
    for busy_for in [0_u64, 500, 1_500, 2_500] {
        for swapped in [false, true] {
            let stage = Stage::new(2, 1);
            let old = stage.play(async {
                send_to(&stage, "broker-a", 0, 0..20).await;
                send_to(&stage, "broker-b", 0, 20..40).await;
                let (one, other) = (stage.client().await, stage.client().await);
                let (first, second) = if swapped { (other, one) } else { (one, other) };
                stage.sleep(SECOND).await;
                let mute = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], Forced::busy());
                stage.cluster.broker("broker-b", |broker| broker.force(mute));
                let book = Book::default();
                let (noted, machine, keep) = (book.clone(), Arc::clone(&stage.machine), Arc::new(Mutex::new(None)));
                let kept = Arc::clone(&keep);
                stage.world.spawn(async move {
                    machine.sleep(Duration::from_millis(100)).await;
                    let other = noted.consume(newcomer(&second)).await;
                    *kept.lock().unwrap() = Some((other, second));
                });
                let (noted, kept_first) = (book.clone(), Arc::new(Mutex::new(None)));
                let kept = Arc::clone(&kept_first);
                stage.world.spawn(async move {
                    let one = noted.consume(newcomer(&first)).await;
                    *kept.lock().unwrap() = Some((one, first));
                });
                stage.sleep(Duration::from_millis(busy_for)).await;
                stage.cluster.broker("broker-b", |broker| broker.clear_forces());
                stage.sleep(60 * SECOND).await;
                drop((keep, kept_first));
                book.times().len()
            });
            if old > 0 {
                wrong.push(format!("busy for {busy_for} ms, swapped: {swapped}; {old} old messages"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_sent_once_a_start_has_returned_is_consumed_though_answers_were_lost_and_a_second_member_starts_right_after_it()
 {
    let mut wrong = Vec::new();
    for code in [RequestCode::QUERY_CONSUMER_OFFSET, RequestCode::UPDATE_CONSUMER_OFFSET, RequestCode::GET_MAX_OFFSET] {
        for forced in [Forced::Lost, Forced::busy()] {
            for (times, is_orderly) in [1, 4, 8, 12].into_iter().flat_map(|times| [(times, false), (times, true)]) {
                let stage = Stage::new(1, 4);
                let lost = stage.play(async {
                    stage.send(0..8).await;
                    let mute = Force::requests([code], forced.clone()).on_topic(TOPIC).times(times);
                    stage.cluster.broker("broker-a", |broker| broker.force(mute));
                    let (first, second) = (stage.client().await, stage.client().await);
                    let book = Book::default();
                    let start = async |client| {
                        if is_orderly {
                            book.consume_in_order(newcomer(client)).await
                        } else {
                            book.consume(newcomer(client)).await
                        }
                    };
                    let _one = start(&first).await;
                    stage.cluster.broker("broker-a", |broker| broker.clear_forces());
                    stage.send(8..28).await;
                    let _other = start(&second).await;
                    stage.send(28..40).await;
                    stage.sleep(120 * SECOND).await;
                    let times = book.times();
                    (8..40_u32).filter(|number| !times.contains_key(&number.to_string())).collect::<Vec<_>>()
                });
                if !lost.is_empty() {
                    wrong.push(format!("{code:?} {forced:?} {times} times, orderly: {is_orderly}; lost: {lost:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A store on a disk that takes a moment.
#[derive(Clone)]
struct Slow(Failing, Arc<stgclient_simulator::world::Machine>);

impl OffsetStore for Slow {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        self.0.load()
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let Self(store, machine) = self.clone();
        Box::pin(async move {
            machine.sleep(Duration::from_millis(20)).await;
            store.store(offsets).await
        })
    }
}

#[test]
fn a_broadcasting_consumer_of_a_new_group_that_dies_as_soon_as_it_has_started_consumes_nothing_old_and_loses_nothing() {
    let mut wrong = Vec::new();
    for after in [0_u64, 10, 30, 60, 200] {
        let stage = Stage::new(2, 2);
        let times = stage.play(async {
            stage.send(0..40).await;
            let slow = Force::requests([RequestCode::GET_MAX_OFFSET], Forced::Delay(Duration::from_millis(5)));
            stage.cluster.broker("broker-b", |broker| broker.force(slow));
            let (dying, servers) = (stage.world.machine(), stage.cluster.name_servers().join(";"));
            let store = Failing::default();
            let client = dying.client(&servers).connect().await.unwrap();
            let slow = Slow(store.clone(), Arc::clone(&dying));
            let start = newcomer(&client).message_model(MessageModel::Broadcasting).offset_store(slow);
            let _first = Book::default().consume(start).await;
            stage.sleep(Duration::from_millis(after)).await;
            dying.lose_power();
            stage.send(40..60).await;
            let client = stage.client().await;
            let book = Book::default();
            let start = newcomer(&client).message_model(MessageModel::Broadcasting).offset_store(store.clone());
            let _second = book.consume(start).await;
            stage.sleep(30 * SECOND).await;
            book.times()
        });
        let old = (0..40).filter(|number: &u32| times.contains_key(&number.to_string())).count();
        let lost = (40..60).filter(|number: &u32| !times.contains_key(&number.to_string())).count();
        if old + lost > 0 {
            wrong.push(format!("after {after} ms: {old} old, {lost} of 20 lost"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn where_a_new_group_begins_is_never_committed_over_what_another_member_has_consumed_since() {
    let mut wrong = Vec::new();
    for (late, swapped) in [(2_500_u64, false), (2_500, true), (2_900, false), (2_900, true)] {
        let stage = Stage::new(2, 2);
        let twice = stage.play(async {
            send_to(&stage, "broker-a", 0, 0..10).await;
            send_to(&stage, "broker-a", 1, 10..20).await;
            let (one, other) = (stage.client().await, stage.client().await);
            let (first, second) = if swapped { (other, one) } else { (one, other) };
            let mute = Force::requests([RequestCode::GET_MAX_OFFSET], Forced::Lost);
            stage.cluster.broker("broker-b", |broker| broker.force(mute));
            let book = Book::default();
            let (noted, machine, keep) = (book.clone(), Arc::clone(&stage.machine), Arc::new(Mutex::new(None)));
            let kept = Arc::clone(&keep);
            stage.world.spawn(async move {
                machine.sleep(Duration::from_millis(late)).await;
                let other = noted.consume(newcomer(&second)).await;
                *kept.lock().unwrap() = Some((other, second));
            });
            let one = book.consume(newcomer(&first).configure(|config| config.commit_interval = SECOND / 2)).await;
            send_to(&stage, "broker-a", 0, 20..40).await;
            send_to(&stage, "broker-a", 1, 40..60).await;
            stage.sleep(6 * SECOND).await;
            // All is consumed and committed by now; nothing is in work.
            let before = book.times();
            one.close().await;
            stage.sleep(30 * SECOND).await;
            let (after, queues) = (book.times(), [0, 1].map(|queue| MessageQueue::new(TOPIC, "broker-a", queue)));
            let committed = queues.map(|queue| stage.committed(&queue));
            drop(keep);
            let twice = after.iter().filter(|(_, times)| **times > 1).count();
            let old = (0..20).filter(|number: &u32| after.contains_key(&number.to_string())).count();
            (before.len(), twice, old, after.len(), committed)
        });
        if twice.1 > 0 || twice.2 > 0 || twice.3 != 40 {
            wrong.push(format!(
                "late {late}, swapped {swapped}: (consumed before the close, twice, old, all, committed) {twice:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
