//! Orderly consumption: one delivery of a queue at a time, in the order of the offsets, by whoever has the lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use stgclient::simulator::Clients as _;
use stgclient::{Committing, SuspendCurrentQueue};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::dialect::Dialect;
use stgclient_servers::{Memory, ServerId};

use super::stage::{Book, SECOND, Stage, TOPIC, member, shares};

const DONE: Result<(), SuspendCurrentQueue> = Ok(());

/// That the first deliveries of each queue came in the order of their offsets, none left out.
fn assert_in_order(book: &Book) {
    let mut next: BTreeMap<MessageQueue, u64> = BTreeMap::new();
    for entry in book.entries() {
        let next = next.entry(entry.queue.clone()).or_default();
        assert!(entry.offset <= *next, "{} {} was skipped", entry.queue, next);
        *next = (*next).max(entry.offset + 1);
    }
}

#[test]
fn messages_of_a_queue_are_consumed_one_after_the_other_in_their_order() {
    let stage = Stage::new(1, 3);
    stage.play(async {
        stage.send(0..90).await;
        let client = stage.client().await;
        let book = Book::default();
        let (noted, machine) = (book.clone(), Arc::clone(&stage.machine));
        let busy: Arc<[AtomicBool; 3]> = Arc::default();
        let consumer = member(&client).orderly(move |message| {
            let (noted, machine, busy) = (noted.clone(), Arc::clone(&machine), Arc::clone(&busy));
            async move {
                let queue = message.queue().queue_id as usize;
                assert!(!busy[queue].swap(true, Ordering::Relaxed), "two deliveries of one queue");
                machine.sleep(Duration::from_millis(7)).await;
                busy[queue].store(false, Ordering::Relaxed);
                noted.note(0, &message);
                DONE
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "90 messages", || book.len() == 90).await;
        assert_in_order(&book);
        assert!(book.times().values().all(|times| *times == 1));
        assert!(consumer.close().await.is_empty());
        let committed = (0..3).filter_map(|queue| stage.committed(&MessageQueue::new(TOPIC, "broker-a", queue)));
        assert_eq!(committed.sum::<i64>(), 90);
    });
}

#[test]
fn a_message_that_fails_is_delivered_again_before_all_that_follow_it_and_its_queue_rests() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..5).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).orderly(move |message| {
            noted.note(0, &message);
            let fails = message.body() == "2" && message.reconsume_times() < 3;
            async move { if fails { Err(SuspendCurrentQueue::after(2 * SECOND)) } else { Ok(()) } }
        });
        let _consumer = consumer.start().await.unwrap();
        let begin = stage.world.now().mono;
        stage.until(10 * SECOND, "all messages", || book.len() == 8).await;
        assert!(stage.world.now().mono.since(begin) >= 6 * SECOND, "three rests");
        let bodies: Vec<String> = book.entries().into_iter().map(|entry| entry.body).collect();
        assert_eq!(bodies, ["0", "1", "2", "2", "2", "2", "3", "4"]);
        let times: Vec<i32> = book.entries().iter().map(|entry| entry.reconsume_times).collect();
        assert_eq!(times, [0, 0, 0, 1, 2, 3, 0, 0]);
    });
}

#[test]
fn a_stream_in_order_gives_a_suspended_message_again_before_what_follows_once_its_queue_has_rested() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let messages = member(&client).stream().orderly().start().await.unwrap();
        let (mut seen, begin) = (Vec::new(), stage.world.now().mono);
        while seen.len() < 5 {
            let message = messages.next().await.unwrap();
            let at = stage.world.now().mono.since(begin).as_secs();
            seen.push((message.body().clone(), message.reconsume_times(), at));
            assert!(match seen.len() {
                // For as long as is said, and once for as long as queues rest by themselves.
                2 => message.suspend(7 * SECOND),
                3 => message.suspend(None),
                _ => message.ack(),
            });
        }
        let expected = [("0", 0, 0), ("1", 0, 0), ("1", 1, 7), ("1", 2, 8), ("2", 0, 8)];
        assert_eq!(seen, expected.map(|(body, times, at)| (body.into(), times, at)));
        assert!(messages.consumer().close().await.is_empty());
        assert_eq!(stage.committed(&MessageQueue::new(TOPIC, "broker-a", 0)), Some(3));
    });
}

#[test]
fn a_message_that_fails_too_often_goes_to_the_dead_letters_and_the_queue_goes_on() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).max_reconsume_times(2).orderly(move |message| {
            noted.note(0, &message);
            let fails = message.body() == "1";
            async move { if fails { Err(SuspendCurrentQueue::new()) } else { Ok(()) } }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(10 * SECOND, "the last message", || book.times().contains_key("2")).await;
        assert_eq!(book.times()["1"], 3, "the first time and two more");
        let letters = || stage.cluster.broker("broker-a", |broker| broker.offsets("%DLQ%billing", 0));
        stage.until(SECOND, "a dead letter", || letters() == Some((0, 1))).await;
    });
}

#[test]
fn a_queue_goes_to_another_member_at_once_when_its_owner_leaves_and_nothing_is_skipped_or_overtaken() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        stage.send(0..200).await;
        let book = Book::default();
        let machine = Arc::clone(&stage.machine);
        let start = |number: u32, client| {
            let (noted, machine) = (book.clone(), Arc::clone(&machine));
            member(&client)
                .orderly(move |message| {
                    let (noted, machine) = (noted.clone(), Arc::clone(&machine));
                    async move {
                        machine.sleep(Duration::from_millis(20)).await;
                        noted.note(number, &message);
                        DONE
                    }
                })
                .start()
        };
        let first = start(1, stage.client().await).await.unwrap();
        stage.until(3 * SECOND, "all queues", || shares(&[&first]) == [4]).await;
        let second = start(2, stage.client().await).await.unwrap();
        stage.until(4 * SECOND, "half of the queues", || shares(&[&first, &second]) == [2, 2]).await;
        stage.sleep(Duration::from_millis(100)).await;
        assert!(first.close().await.is_empty());
        stage.until(3 * SECOND, "the queues of the one who left", || shares(&[&second]) == [4]).await;
        stage.until(10 * SECOND, "all messages", || book.times().len() == 200).await;
        assert_in_order(&book);
        assert!(book.times().values().all(|times| *times == 1), "nothing twice where nobody died");
    });
}

#[test]
fn a_lock_ends_with_the_connection_to_the_broker_that_granted_it_and_the_offset_is_read_again() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..10).await;
        let client = stage.client().await;
        let book = Book::default();
        let (noted, machine) = (book.clone(), Arc::clone(&stage.machine));
        let consumer = member(&client).orderly(move |message| {
            let (noted, machine) = (noted.clone(), Arc::clone(&machine));
            async move {
                machine.sleep(Duration::from_millis(500)).await;
                noted.note(0, &message);
                DONE
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "two messages", || book.len() == 2).await;
        let broker = stage.cluster.brokers()[0].clone();
        stage.world.network().reset(&broker);
        stage.sleep(Duration::from_millis(1)).await;
        assert!(consumer.status().queues.iter().all(|queue| !queue.is_locked), "no lock without its connection");
        stage.until(20 * SECOND, "all messages", || book.times().len() == 10).await;
        assert_in_order(&book);
    });
}

#[test]
fn nothing_is_delivered_without_the_lock() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let _consumer = book.consume_in_order(member(&client)).await;
        stage.send(0..1).await;
        stage.until(3 * SECOND, "a message", || book.len() == 1).await;
        // The broker is away for longer than locks count; messages that were fetched would be there.
        let broker = stage.cluster.brokers()[0].clone();
        stage.world.network().partition(&broker, true);
        stage.sleep(60 * SECOND).await;
        stage.world.network().partition(&broker, false);
        stage.send(1..2).await;
        stage.until(60 * SECOND, "the next message", || book.times().len() == 2).await;
        assert_in_order(&book);
    });
}

#[test]
fn a_broker_that_starts_anew_and_has_forgotten_the_locks_grants_them_again() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        stage.send(0..20).await;
        let client = stage.client().await;
        let book = Book::default();
        let _consumer = book.consume_in_order(member(&client)).await;
        stage.until(3 * SECOND, "20 messages", || book.len() == 20).await;
        stage.cluster.stop(ServerId::Broker(0));
        stage.sleep(5 * SECOND).await;
        stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        stage.sleep(40 * SECOND).await;
        stage.send(20..30).await;
        stage.until(20 * SECOND, "10 more", || book.times().len() == 30).await;
        assert_in_order(&book);
    });
}

#[test]
fn what_is_not_committed_by_the_application_is_delivered_again() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..6).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let rolled_back = Arc::new(AtomicU32::new(0));
        let consumer = member(&client).orderly_committing(move |message| {
            noted.note(0, &message);
            let rolled_back = Arc::clone(&rolled_back);
            async move {
                Ok::<_, SuspendCurrentQueue>(match message.body().as_ref() {
                    b"2" => Committing::Commit,
                    b"4" if rolled_back.fetch_add(1, Ordering::Relaxed) == 0 => Committing::Rollback,
                    _ => Committing::NotYet,
                })
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(10 * SECOND, "all messages", || book.len() == 8).await;
        let bodies: Vec<String> = book.entries().into_iter().map(|entry| entry.body).collect();
        assert_eq!(bodies, ["0", "1", "2", "3", "4", "3", "4", "5"]);
        consumer.close().await;
        assert_eq!(stage.committed(&MessageQueue::new(TOPIC, "broker-a", 0)), Some(3));
    });
}

#[test]
fn an_administrators_reset_counts_while_the_lock_is_yet_that_of_a_member_that_has_died() {
    use stgclient_servers::ClusterConfig;
    use stgclient_simulator::World;

    let world = World::new(11);
    let mut config = ClusterConfig::with_servers(1, 1);
    // As brokers before 5 do it: they tell members.
    config.brokers.iter_mut().for_each(|broker| broker.server_side_reset_offset = false);
    let cluster = world.cluster(config);
    cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, 1).unwrap()));
    let machine = world.machine();
    let stage = Stage { world, cluster, machine, dialect: Dialect::Apache };
    stage.play(async {
        stage.send(0..10).await;
        let dying = stage.world.machine();
        let client = dying.client(&stage.cluster).connect().await.unwrap();
        let first = Book::default();
        let consumer = first.consume_in_order(member(&client)).await;
        stage.until(10 * SECOND, "all is consumed", || first.len() == 10).await;
        // It is committed.
        stage.sleep(10 * SECOND).await;
        // The process dies, and its connections with it.
        stage.cluster.brokers().iter().for_each(|address| stage.world.network().reset(address));
        stage.sleep(SECOND / 50).await;
        dying.lose_power();
        std::mem::forget((client, consumer));
        stage.sleep(SECOND).await;
        // It is started anew, and its administrator has it consume all once more.
        let client = stage.client().await;
        let again = Book::default();
        let _consumer = again.consume_in_order(member(&client)).await;
        stage.sleep(5 * SECOND).await;
        stage.reset_all("broker-a");
        // The broker keeps the lock of the dead one for a minute.
        stage.sleep(90 * SECOND).await;
        assert_eq!(again.len(), 10, "what was to be consumed again");
    });
}

#[test]
fn an_administrators_reset_counts_though_a_broker_holds_a_pull_by_what_was_wanted_before() {
    let mut wrong = Vec::new();
    for is_changed in [false, true] {
        // Brokers of 5.x keep the reset, and tell of it once: with the next answer to a pull.
        let stage = Stage::new(1, 1);
        let again = stage.play(async {
            stage.send(0..10).await;
            let client = stage.client().await;
            let book = Book::default();
            let consumer = book.consume(member(&client)).await;
            stage.sleep(40 * SECOND).await;
            assert_eq!(book.len(), 10);
            if is_changed {
                consumer.subscribe(TOPIC, "paid || refunded").unwrap();
            }
            stage.sleep(SECOND).await;
            stage.reset_all("broker-a");
            stage.sleep(120 * SECOND).await;
            book.len() - 10
        });
        if again != 10 {
            wrong.push(format!("changed: {is_changed}: {again} of 10 are consumed again"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
