//! Queues that are newer than their group, and queues that only look so: consumers that are started anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use stgclient::simulator::Clients as _;
use stgclient::{BoxFuture, Client, MemoryOffsets, OffsetStore};
use stgclient_core::consumer::push::MessageModel;
use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};
use stgclient_simulator::Machine;

use super::beginning::Failing;
use super::stage::{Book, SECOND, Stage, TOPIC, newcomer};

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
        let lost = book.missing(8..28);
        assert!(lost.is_empty(), "lost: {lost:?}");
    });
}

#[test]
fn queues_that_a_topic_gets_while_its_only_consumer_is_started_anew_begin_with_their_first_message() {
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
            book.missing(8..28)
        });
        if !lost.is_empty() {
            wrong.push(format!("{model:?}: {} of 20 lost: {lost:?}", lost.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
            stage.send_to("broker-a", 1, 5..10).await;
            stage.sleep(SECOND).await;
            if let Some(code) = code {
                let mute = Force::requests([code], Forced::Lost).on_topic(TOPIC);
                stage.cluster.broker("broker-a", |broker| broker.force(mute));
            }
            let client = stage.client().await;
            let _consumer = book.consume(newcomer(&client)).await;
            stage.cluster.broker("broker-a", |broker| broker.clear_forces());
            stage.sleep(60 * SECOND).await;
            book.missing(0..10)
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
                stage.send_to("broker-b", 0, 0..20).await;
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

/// A store on a disk that takes a moment.
#[derive(Clone)]
struct Slow(Failing, Arc<Machine>);

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
