//! Selecting by SQL, beside servers that are away; and order where each member gets everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stgclient::MemoryOffsets;
use stgclient_core::consumer::MessageSelector;
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::producer::{Message, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{Force, Forced};

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC};

/// The address of a broker.
fn address(stage: &Stage, broker: &str) -> String {
    stage.cluster.broker(broker, |broker| broker.address().to_string())
}

#[test]
fn a_consumer_by_sql_starts_as_one_by_tags_does_while_one_of_two_brokers_is_away() {
    for by_sql in [false, true] {
        let stage = Stage::new(2, 1);
        stage.play(async {
            let client = stage.client().await;
            let producer = client.producer("shop").start().await.unwrap();
            let queue = MessageQueue::new(TOPIC, "broker-b", 0);
            let message = Message::new(TOPIC, "1").tag("paid").property("n", "1");
            producer.send_to(message, SendOptions::from(queue)).await.unwrap();
            stage.world.network().partition(&address(&stage, "broker-a"), true);
            let selector = if by_sql { MessageSelector::by_sql("n > 0").unwrap() } else { "paid".parse().unwrap() };
            let consumer = client.push_consumer(GROUP).consume_from(ConsumeFrom::FirstOffset);
            let book = Book::default();
            let noted = book.clone();
            let consumer = consumer.subscribe(TOPIC, selector).concurrently(move |message| {
                noted.note(0, &message);
                async { Ok(()) }
            });
            let started = consumer.start().await;
            let _consumer = started.unwrap_or_else(|error| panic!("by SQL: {by_sql}: {error}"));
            stage.until(60 * SECOND, "the message of the broker that is there", || book.len() == 1).await;
        });
    }
}

#[test]
fn a_consumer_by_sql_starts_though_a_broker_is_busy_for_a_moment() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let busy = Force::requests([RequestCode::CHECK_CLIENT_CONFIG], Forced::busy()).times(1);
        stage.cluster.broker("broker-a", |broker| broker.force(busy));
        let consumer = client.push_consumer(GROUP);
        let consumer = consumer.subscribe(TOPIC, MessageSelector::by_sql("n > 0").unwrap());
        consumer.concurrently(|_| async { Ok(()) }).start().await.expect("the expression is good");
    });
}

#[test]
fn sql_of_a_topic_of_two_brokers_is_consumed_from_the_one_that_is_there() {
    let stage = Stage::new(2, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let consumer = client.push_consumer(GROUP).subscribe(TOPIC, MessageSelector::by_sql("n > 0").unwrap());
        let consumer = book.consume(consumer.consume_from(ConsumeFrom::FirstOffset)).await;
        let producer = client.producer("shop").start().await.unwrap();
        stage.world.network().partition(&address(&stage, "broker-a"), true);
        // The application wants other ones from now on.
        consumer.subscribe(TOPIC, MessageSelector::by_sql("n > 1").unwrap()).unwrap();
        let queue = MessageQueue::new(TOPIC, "broker-b", 0);
        producer.send_to(Message::new(TOPIC, "2").property("n", "2"), SendOptions::from(queue)).await.unwrap();
        stage.until(100 * SECOND, "the message of the broker that is there", || book.len() == 1).await;
    });
}

#[test]
fn a_broadcasting_queue_in_order_is_handled_by_one_handler_at_a_time() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let machine = Arc::clone(&stage.machine);
        // How many handlers are at work, and how many were at most.
        let at_work = Arc::<Mutex<(usize, usize)>>::default();
        let times = Arc::<Mutex<BTreeMap<String, usize>>>::default();
        let (count, consumed) = (Arc::clone(&at_work), Arc::clone(&times));
        let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*").message_model(MessageModel::Broadcasting);
        let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).offset_store(MemoryOffsets::default());
        let consumer = consumer.orderly(move |message| {
            let (machine, count, consumed) = (Arc::clone(&machine), Arc::clone(&count), Arc::clone(&consumed));
            async move {
                let most = |count: &mut (usize, usize)| {
                    count.0 += 1;
                    count.1 = count.1.max(count.0);
                };
                most(&mut count.lock().unwrap());
                machine.sleep(3 * SECOND).await;
                count.lock().unwrap().0 -= 1;
                *consumed.lock().unwrap().entry(String::from_utf8_lossy(message.body()).into_owned()).or_default() += 1;
                Ok(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.send(0..3).await;
        stage.until(5 * SECOND, "the first", || at_work.lock().unwrap().0 == 1).await;
        consumer.unsubscribe(TOPIC);
        stage.sleep(SECOND / 2).await;
        consumer.subscribe(TOPIC, "*").unwrap();
        stage.until(60 * SECOND, "all", || times.lock().unwrap().len() == 3).await;
        let most = at_work.lock().unwrap().1;
        assert_eq!(most, 1, "{:?}", times.lock().unwrap());
    });
}

#[test]
fn a_consumer_by_sql_starts_as_one_by_tags_does_while_the_name_servers_are_away() {
    for by_sql in [false, true] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            let client = stage.client().await;
            for name_server in stage.cluster.name_servers() {
                stage.world.network().partition(&name_server, true);
            }
            let selector = if by_sql { MessageSelector::by_sql("n > 0").unwrap() } else { "paid".parse().unwrap() };
            let consumer = client.push_consumer(GROUP).subscribe(TOPIC, selector);
            let started = consumer.concurrently(|_| async { Ok(()) }).start().await;
            started.unwrap_or_else(|error| panic!("by SQL: {by_sql}: {error}"));
        });
    }
}

#[test]
fn a_broker_that_takes_no_sql_fails_a_start_by_it_at_once() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let words = "The broker does not support consumer to filter message by SQL92";
        let refusal = Forced::Refuse(ResponseCode::SYSTEM_ERROR, words.into());
        let refuses = Force::requests([RequestCode::CHECK_CLIENT_CONFIG], refusal);
        stage.cluster.broker("broker-a", |broker| broker.force(refuses));
        let consumer = client.push_consumer(GROUP);
        let consumer = consumer.subscribe(TOPIC, MessageSelector::by_sql("n > 0").unwrap());
        let begun = stage.machine.clock().mono;
        let error = consumer.concurrently(|_| async { Ok(()) }).start().await.expect_err("no broker gives it anything");
        assert!(error.to_string().contains(words), "{error}");
        assert!(stage.machine.clock().mono.since(begun) < SECOND);
    });
}
