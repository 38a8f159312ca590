//! An application that follows its consumer: when it is ready, which queues come and go, and where it seeks to.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use stgclient::{Client, Permission, PushConsumer, PushConsumerBuilder, Rebalanced};
use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::queue::MessageQueue;
use stgclient_servers::{Memory, ServerId};
use stgclient_simulator::Machine;

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member, shares};

/// What a listener was told, as texts like `+0` and `-0` for the queue 0.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, change: &Rebalanced) {
        let (sign, queues) = match change {
            Rebalanced::Assigned(queues) => ('+', queues),
            Rebalanced::Revoked(queues) => ('-', queues),
        };
        let of_topic = queues.iter().filter(|queue| &*queue.topic == TOPIC);
        self.lock().extend(of_topic.map(|queue| format!("{sign}{}", queue.queue_id)));
    }

    fn say(&self, what: &str) {
        self.lock().push(what.to_owned());
    }

    fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member whose listener notes what it is told, and takes so many seconds for it.
fn slow(builder: PushConsumerBuilder, told: &Told, machine: &Arc<Machine>, seconds: u32) -> PushConsumerBuilder {
    let (told, machine) = (told.clone(), Arc::clone(machine));
    builder.rebalance_listener(move |change| {
        let (told, machine) = (told.clone(), Arc::clone(&machine));
        async move {
            told.note(&change);
            machine.sleep(seconds * SECOND).await;
            told.say("done");
        }
    })
}

/// A member whose listener takes so many seconds for queues that leave.
fn slow_to_leave(client: &Client, told: &Told, machine: &Arc<Machine>, seconds: u32) -> PushConsumerBuilder {
    let (told, machine) = (told.clone(), Arc::clone(machine));
    member(client).rebalance_listener(move |change| {
        let (told, machine) = (told.clone(), Arc::clone(&machine));
        async move {
            told.note(&change);
            if matches!(change, Rebalanced::Revoked(_)) {
                machine.sleep(seconds * SECOND).await;
                told.say("done");
            }
        }
    })
}

async fn timed(stage: &Stage, consumer: &PushConsumer) -> stgclient_core::time::Duration {
    let begin = stage.world.now().mono;
    consumer.ready().await.expect("it is ready");
    stage.world.now().mono.since(begin)
}

async fn of_group(client: &Client, told: &Told, book: &Book) -> PushConsumer {
    let (told, book) = (told.clone(), book.clone());
    let builder = member(client).rebalance_listener(move |change| {
        told.note(&change);
        async {}
    });
    book.consume(builder).await
}

#[test]
fn a_consumer_is_ready_when_it_consumes_its_share() {
    for is_orderly in [false, true] {
        let stage = Stage::new(2, 4);
        stage.play(async {
            let (client, book) = (stage.client().await, Book::default());
            let first = if is_orderly {
                book.consume_in_order(member(&client)).await
            } else {
                book.consume(member(&client)).await
            };
            assert!(!first.status().is_ready && first.status().lag().is_none(), "{:?}", first.status());
            timed(&stage, &first).await;
            assert_eq!(shares(&[&first]), [8]);
            assert!(first.status().is_ready);
            // It is said again to whoever asks again.
            assert!(timed(&stage, &first).await.is_zero());
            let other = stage.client().await;
            let second = if is_orderly {
                book.consume_in_order(member(&other)).await
            } else {
                book.consume(member(&other)).await
            };
            timed(&stage, &second).await;
            assert_eq!(shares(&[&second]), [4]);
        });
    }
}

#[test]
fn a_consumer_is_ready_though_nothing_is_there_for_it() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let book = Book::default();
        let clients = [stage.client().await, stage.client().await];
        let first = book.consume(member(&clients[0])).await;
        first.ready().await.expect("it is ready");
        // One queue, two members: one of them has none.
        let second = book.consume(member(&clients[1])).await;
        second.ready().await.expect("it is ready");
        stage.sleep(5 * SECOND).await;
        assert_eq!(shares(&[&first, &second]).iter().sum::<usize>(), 1);
        let idle = if shares(&[&first]) == [0] { &first } else { &second };
        assert!(idle.status().is_ready);
        assert_eq!(idle.status().lag(), Some(0), "nothing is there for it, so nothing is left");
        // A topic that nobody may read has no queues for anybody.
        clients[0].admin().create_topic("unread").permission(Permission::WRITE).await.expect("it is created");
        let unread = book.consume(clients[0].push_consumer("readers").subscribe("unread", "*")).await;
        unread.ready().await.expect("none of its queues can be read");
        let none = clients[0].push_consumer("others").subscribe("nothing", "*");
        let none = book.consume(none).await;
        none.ready().await.expect("the topic does not exist");
    });
}

#[test]
fn a_consumer_is_not_ready_while_a_broker_of_its_queues_is_away_and_its_end_is_told() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        client.admin().topic_route(TOPIC).await.expect("it is there");
        stage.world.network().refuse("10.0.1.1:10911", true);
        let builder = member(&client).consume_from(ConsumeFrom::FirstOffset);
        let consumer = book.consume(builder).await;
        let mut ready = Box::pin(consumer.ready());
        stage.sleep(30 * SECOND).await;
        let is_over = poll_fn(|context| Poll::Ready(ready.as_mut().poll(context).is_ready())).await;
        assert!(!is_over, "half of the queues cannot begin");
        assert!(consumer.status().lag().is_none());
        consumer.close().await;
        ready.await.expect_err("it is closed");
        consumer.ready().await.expect_err("it is closed");
    });
}

#[test]
fn queues_begin_once_the_listener_is_done_or_had_20_seconds() {
    for (takes, begins) in [(0, 1), (5, 6), (60, 21)] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            stage.send(0..10).await;
            let (client, book, told) = (stage.client().await, Book::default(), Told::default());
            let begin = stage.world.now().mono;
            let consumer = book.consume(slow(member(&client), &told, &stage.machine, takes)).await;
            stage.until(30 * SECOND, "ten messages", || book.len() == 10).await;
            let took = stage.world.now().mono.since(begin);
            assert!(took >= SECOND * takes.min(20) && took < SECOND * begins, "{takes}: {took:?}");
            assert_eq!(told.all()[..2], ["+0", "+1"]);
            drop(consumer);
        });
    }
}

#[test]
fn a_queue_in_order_goes_to_the_next_member_once_the_listener_is_done_or_had_20_seconds() {
    for (takes, at_least, at_most) in [(0, 0, 3), (8, 8, 12), (60, 20, 25)] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let (clients, book) = ([stage.client().await, stage.client().await], Book::default());
            let told = Told::default();
            let first = book.consume_in_order(slow_to_leave(&clients[0], &told, &stage.machine, takes)).await;
            first.ready().await.expect("it is ready");
            stage.send(0..10).await;
            stage.until(5 * SECOND, "ten messages", || book.len() == 10).await;
            let begin = stage.world.now().mono;
            let second = book.consume_in_order(member(&clients[1])).await;
            let handed_over = || first.status().queues.iter().filter(|queue| &*queue.queue.topic == TOPIC).count() == 1;
            stage.until(30 * SECOND, "the hand-over", handed_over).await;
            let took = stage.world.now().mono.since(begin);
            assert!(took >= at_least * SECOND && took < at_most * SECOND, "{takes}: {took:?}");
            assert_eq!(told.all()[..3], ["+0", "+1", "-1"]);
            stage.until(30 * SECOND, "its queue", || shares(&[&first, &second]) == [1, 1]).await;
            stage.send(10..20).await;
            stage.until(5 * SECOND, "twenty messages", || book.len() == 20).await;
            assert!(book.times().values().all(|times| *times == 1), "what was finished is not repeated");
        });
    }
}

#[test]
fn the_lock_of_a_queue_that_leaves_is_kept_while_the_listener_is_at_it_so_that_the_last_commit_counts() {
    // Locks are renewed every 20 s and count for 30: at some of these moments one would be over before the listener is.
    for wait in [12, 15, 18, 21] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let clients = [stage.client().await, stage.client().await];
            let (told, book) = (Told::default(), Book::default());
            let first = book.consume_in_order(slow_to_leave(&clients[0], &told, &stage.machine, 19)).await;
            first.ready().await.expect("it is ready");
            stage.sleep(wait * SECOND).await;
            stage.send(0..10).await;
            stage.until(SECOND, "ten messages", || book.len() == 10).await;
            let second = book.consume_in_order(member(&clients[1])).await;
            stage.until(40 * SECOND, "its queue", || shares(&[&first, &second]) == [1, 1]).await;
            stage.sleep(10 * SECOND).await;
            assert_eq!(book.len(), 10, "{wait}: what was finished is not repeated");
        });
    }
}

#[test]
fn what_is_finished_of_a_concurrent_consumers_queue_is_committed_at_once_for_whoever_has_begun_already() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, told, book) = (stage.client().await, Told::default(), Book::default());
        let consumer = book.consume(slow_to_leave(&client, &told, &stage.machine, 15)).await;
        consumer.ready().await.expect("it is ready");
        stage.sleep(6 * SECOND).await;
        stage.send(0..5).await;
        stage.until(SECOND, "five messages", || book.len() == 5).await;
        consumer.unsubscribe(TOPIC);
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        stage.until(SECOND / 10, "it is committed", || stage.committed(&queue) == Some(5)).await;
    });
}

#[test]
fn when_it_closes_the_listener_has_the_time_for_closing() {
    for (takes, grace, at_least) in [(3, 5, 3), (60, 5, 5), (60, 0, 0)] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let (client, book, told) = (stage.client().await, Book::default(), Told::default());
            let consumer = book.consume(slow_to_leave(&client, &told, &stage.machine, takes)).await;
            consumer.ready().await.expect("it is ready");
            let begin = stage.world.now().mono;
            consumer.close_within(grace * SECOND).await;
            let took = stage.world.now().mono.since(begin);
            assert!(took >= at_least * SECOND && took <= (at_least + 1) * SECOND, "{takes} {grace}: {took:?}");
            let all = told.all();
            assert_eq!(all[..4], ["+0", "+1", "-0", "-1"]);
            assert_eq!(all.len() == 5, takes <= grace, "{all:?}");
            drop(client);
        });
    }
}

#[test]
fn a_listener_that_panics_counts_as_done() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        let panics = member(&client).rebalance_listener(|_| async { panic!("it is broken") });
        let consumer = book.consume(panics).await;
        stage.send(0..10).await;
        stage.until(2 * SECOND, "ten messages", || book.len() == 10).await;
        assert_eq!(consumer.close().await, []);
    });
}

#[test]
fn a_queue_that_comes_back_is_told_again() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (clients, book, told) = ([stage.client().await, stage.client().await], Book::default(), Told::default());
        let first = of_group(&clients[0], &told, &book).await;
        first.ready().await.expect("it is ready");
        let second = book.consume(member(&clients[1])).await;
        stage.until(5 * SECOND, "its queue", || shares(&[&first, &second]) == [1, 1]).await;
        second.close().await;
        stage.until(5 * SECOND, "both queues", || shares(&[&first]) == [2]).await;
        first.unsubscribe(TOPIC);
        stage.sleep(SECOND).await;
        assert_eq!(told.all(), ["+0", "+1", "-1", "+1", "-0", "-1"]);
    });
}

#[test]
fn a_consumer_goes_on_where_it_seeks_to_and_that_is_committed() {
    for is_orderly in [false, true] {
        let stage = Stage::new(1, 1);
        stage.play(async {
            let (client, book) = (stage.client().await, Book::default());
            stage.send(0..10).await;
            let consumer = if is_orderly {
                book.consume_in_order(member(&client)).await
            } else {
                book.consume(member(&client)).await
            };
            stage.until(5 * SECOND, "ten messages", || book.len() == 10).await;
            let queue = MessageQueue::new(TOPIC, "broker-a", 0);
            assert!(consumer.seek(&queue, 7));
            stage.until(5 * SECOND, "three more", || book.len() == 13).await;
            let again: Vec<u64> = book.entries()[10..].iter().map(|entry| entry.offset).collect();
            assert_eq!(again, [7, 8, 9]);
            consumer.pause();
            assert!(consumer.seek(&queue, 4));
            stage.until(SECOND, "it is committed", || stage.committed(&queue) == Some(4)).await;
            assert_eq!(book.len(), 13, "it is paused");
            consumer.close().await;
            client.close().await;
            // Whoever consumes next begins there.
            let next = stage.client().await;
            let _next = book.consume(member(&next)).await;
            stage.until(5 * SECOND, "six more", || book.len() == 19).await;
            assert_eq!(book.entries()[13].offset, 4);
            // What it does not have becomes what it has.
            assert!(!consumer.seek(&queue, 0), "it is closed");
        });
    }
}

#[test]
fn seeking_in_a_queue_of_somebody_else_changes_nothing() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (clients, book) = ([stage.client().await, stage.client().await], Book::default());
        let first = book.consume(member(&clients[0])).await;
        let second = book.consume(member(&clients[1])).await;
        stage.until(10 * SECOND, "shares", || shares(&[&first, &second]) == [1, 1]).await;
        stage.send(0..10).await;
        stage.until(10 * SECOND, "ten messages", || book.len() == 10).await;
        let ours = |consumer: &PushConsumer| super::stage::of_topic(consumer).queue;
        assert!(!first.seek(&ours(&second), 0) && !second.seek(&ours(&first), 0));
        stage.sleep(10 * SECOND).await;
        assert_eq!(book.len(), 10);
    });
}

#[test]
fn an_offset_that_a_queue_does_not_have_becomes_one_that_it_has() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        stage.send(0..10).await;
        let consumer = book.consume(member(&client)).await;
        stage.until(5 * SECOND, "ten messages", || book.len() == 10).await;
        assert!(consumer.seek(&MessageQueue::new(TOPIC, "broker-a", 0), 1_000_000));
        stage.sleep(5 * SECOND).await;
        stage.send(10..12).await;
        stage.until(5 * SECOND, "two more", || book.len() == 12).await;
    });
}

#[test]
fn a_listener_may_seek_in_what_it_is_assigned_before_the_first_message() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        stage.send(0..10).await;
        let place: Arc<Mutex<Option<PushConsumer>>> = Arc::default();
        let (known, machine) = (Arc::clone(&place), Arc::clone(&stage.machine));
        let seeking = member(&client).rebalance_listener(move |change| {
            let (known, machine) = (Arc::clone(&known), Arc::clone(&machine));
            async move {
                let Rebalanced::Assigned(queues) = change else { return };
                loop {
                    let consumer = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if let Some(consumer) = consumer {
                        for queue in queues.iter().filter(|queue| &*queue.topic == TOPIC) {
                            assert!(consumer.seek(queue, 8));
                        }
                        return;
                    }
                    machine.sleep(SECOND / 10).await;
                }
            }
        });
        let consumer = book.consume(seeking).await;
        *place.lock().unwrap() = Some(consumer);
        stage.until(5 * SECOND, "two messages", || book.len() == 2).await;
        stage.sleep(5 * SECOND).await;
        let offsets: Vec<u64> = book.entries().iter().map(|entry| entry.offset).collect();
        assert_eq!(offsets, [8, 9]);
        place.lock().unwrap().take();
    });
}

#[test]
fn a_broker_that_is_away_when_a_queue_is_revoked_does_not_keep_the_listener_from_being_told() {
    let stage = Stage::new(2, 1);
    stage.play(async {
        let (client, book, told) = (stage.client().await, Book::default(), Told::default());
        let consumer = of_group(&client, &told, &book).await;
        consumer.ready().await.expect("it is ready");
        stage.cluster.stop(ServerId::Broker(0));
        consumer.close().await;
        assert_eq!(told.all(), ["+0", "+0", "-0", "-0"]);
        stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        assert_eq!(GROUP, consumer.group());
    });
}
