//! No queue stands for ever: whatever one answer, one pause of the process or one lost lock was, it goes on by itself; and
//! what is not ours any more does not hold up the next owner.

use std::sync::Arc;

use stgclient::ReconsumeLater;
use stgclient::simulator::Clients as _;
use stgclient_core::consumer::push::MessageModel;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{Force, Forced};

use super::stage::{Book, SECOND, Stage, TOPIC, member, of_topic, shares};

/// The next requests for locks are treated like this, so many of them.
fn locks(stage: &Stage, forced: Forced, times: u32) {
    let force = Force::requests([RequestCode::LOCK_BATCH_MQ], forced).times(times);
    stage.cluster.broker("broker-a", |broker| broker.force(force));
}

/// For a few seconds, in which locks are due to be renewed that were granted a moment ago, the broker is too busy for it.
async fn fail_renewals(stage: &Stage) {
    stage.sleep(17 * SECOND).await;
    locks(stage, Forced::busy(), u32::MAX);
    stage.sleep(6 * SECOND).await;
    stage.cluster.broker("broker-a", |broker| broker.clear_forces());
}

#[test]
fn a_locked_queue_with_nothing_to_do_goes_on_after_a_renewal_that_a_broker_was_too_busy_for() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume_in_order(member(&client)).await;
        stage.until(3 * SECOND, "the lock", || shares(&[&consumer]) == [1]).await;
        fail_renewals(&stage).await;
        stage.sleep(50 * SECOND).await;
        stage.send(0..1).await;
        stage.until(SECOND, "the message", || book.len() == 1).await;
    });
}

#[test]
fn a_locked_queue_goes_on_within_a_second_after_all_renewals_failed_for_as_long_as_locks_count() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume_in_order(member(&client)).await;
        stage.until(3 * SECOND, "the lock", || shares(&[&consumer]) == [1]).await;
        locks(&stage, Forced::busy(), u32::MAX);
        stage.until(40 * SECOND, "its end", || shares(&[&consumer]) == [0]).await;
        stage.sleep(20 * SECOND).await;
        stage.send(0..1).await;
        assert_eq!(book.len(), 0, "nothing without the lock");
        stage.cluster.broker("broker-a", |broker| broker.clear_forces());
        stage.until(SECOND, "the message", || book.len() == 1).await;
    });
}

#[test]
fn a_failed_renewal_is_made_up_for_before_the_lock_lapses() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let consumer = Book::default().consume_in_order(member(&client)).await;
        stage.until(3 * SECOND, "the lock", || shares(&[&consumer]) == [1]).await;
        fail_renewals(&stage).await;
        for _ in 0..600 {
            stage.sleep(SECOND / 10).await;
            assert!(of_topic(&consumer).is_locked, "at {:?}", stage.world.now().mono);
        }
    });
}

#[test]
fn a_process_that_stood_still_for_longer_than_locks_count_consumes_what_comes_afterwards() {
    for (after, stood) in (0..20).map(|after| (after, 35)).chain([(0, 31), (0, 70), (7, 200)]) {
        let stage = Stage::new(1, 1);
        stage.play(async {
            let machine = stage.world.machine();
            let client = machine.client(&stage.cluster).connect().await.unwrap();
            let book = Book::default();
            let consumer = book.consume_in_order(member(&client)).await;
            stage.until(3 * SECOND, "the lock", || shares(&[&consumer]) == [1]).await;
            stage.sleep(after * SECOND).await;
            machine.stand_still(stood * SECOND);
            stage.sleep((stood + 15) * SECOND).await;
            stage.send(0..1).await;
            stage.until(SECOND, "the message", || book.len() == 1).await;
        });
    }
}

#[test]
fn a_queue_starts_although_it_was_paused_while_the_question_where_to_begin_waited_to_be_asked_again() {
    for (is_orderly, pauses_queue) in [(false, false), (false, true), (true, false), (true, true)] {
        let stage = Stage::new(1, 1);
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        stage.play(async {
            stage.send(0..3).await;
            let failing = Forced::Refuse(ResponseCode::SYSTEM_ERROR, "it fails".to_owned());
            let once = Force::requests([RequestCode::QUERY_CONSUMER_OFFSET], failing).on_topic(TOPIC).times(1);
            stage.cluster.broker("broker-a", |broker| broker.force(once));
            let client = stage.client().await;
            let book = Book::default();
            let consumer = if is_orderly {
                book.consume_in_order(member(&client)).await
            } else {
                book.consume(member(&client)).await
            };
            stage.until(SECOND, "the queue", || !shares(&[&consumer]).is_empty()).await;
            stage.sleep(SECOND / 2).await;
            assert_eq!(shares(&[&consumer]), [0], "the question waits to be asked again");
            let pause = || if pauses_queue { consumer.pause_queue(&queue) } else { (consumer.pause(), true).1 };
            assert!(pause());
            stage.sleep(3 * SECOND).await;
            assert_eq!(book.len(), 0);
            if pauses_queue {
                consumer.resume_queue(&queue);
            } else {
                consumer.resume();
            }
            stage.until(SECOND, "the messages", || book.len() == 3).await;
        });
    }
}

#[test]
fn a_full_queue_of_a_broadcasting_consumer_is_fetched_from_at_once_when_a_hung_message_expires() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..40).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).message_model(MessageModel::Broadcasting).configure(|config| {
            config.consume_timeout = 60 * SECOND;
            // The first message alone holds the queue up: what is behind it is too far away.
            config.max_span = 10;
            config.pull_batch_size = 4;
        });
        let consumer = consumer.concurrently(move |message| {
            noted.note(0, &message);
            let hangs = message.body() == "0";
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<_, ReconsumeLater>(())
            }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "what fits", || book.len() >= 12).await;
        stage.sleep(30 * SECOND).await;
        assert!(book.len() < 20, "the queue is full");
        stage.until(91 * SECOND, "all others", || book.len() == 40).await;
    });
}

#[test]
fn the_locks_of_a_member_that_closes_while_a_broker_s_answer_is_on_its_way_go_back_within_seconds() {
    for late in [200, 1200] {
        for after in [0, 1, 50, 150, 20_100] {
            let stage = Stage::new(1, 2);
            stage.play(async {
                stage.send(0..4).await;
                let (first, second) = (stage.client().await, stage.client().await);
                let book = Book::default();
                locks(&stage, Forced::Delay(Duration::from_millis(late)), u32::MAX);
                let closing = book.consume_in_order(member(&first)).await;
                stage.sleep(Duration::from_millis(after)).await;
                closing.close().await;
                stage.cluster.broker("broker-a", |broker| broker.clear_forces());
                let _next = book.consume_in_order(member(&second)).await;
                stage.send(4..8).await;
                let what = format!("the next owner's turn after {after} ms, with answers {late} ms late");
                stage.until(5 * SECOND, &what, || book.times().len() == 8).await;
            });
        }
    }
}

#[test]
fn the_lock_of_a_queue_that_moves_away_while_a_broker_s_answer_is_on_its_way_goes_back_within_seconds() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (first, second) = (stage.client().await, stage.client().await);
        let (one, two) = (Book::default(), Book::default());
        locks(&stage, Forced::Delay(3 * SECOND - SECOND / 10), 1);
        let member_one = one.consume_in_order(member(&first)).await;
        stage.sleep(SECOND / 2).await;
        let member_two = two.consume_in_order(member(&second)).await;
        stage.until(6 * SECOND, "one queue each", || shares(&[&member_one, &member_two]) == [1, 1]).await;
        stage.send(0..4).await;
        stage.until(SECOND, "all messages", || one.len() + two.len() == 4).await;
    });
}

#[test]
fn an_orderly_batch_is_consumed_one_message_after_the_other_and_none_overtakes_one_that_fails() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..8).await;
        let client = stage.client().await;
        let book = Book::default();
        let (noted, machine) = (book.clone(), Arc::clone(&stage.machine));
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let consumer = member(&client).configure(|config| config.consume_batch_size = 4).orderly(move |message| {
            use std::sync::atomic::Ordering::Relaxed;
            let (noted, machine, running) = (noted.clone(), Arc::clone(&machine), Arc::clone(&running));
            async move {
                assert_eq!(running.fetch_add(1, Relaxed), 0, "two messages of one queue at once");
                noted.note(0, &message);
                machine.sleep(Duration::from_millis(3)).await;
                running.fetch_sub(1, Relaxed);
                let fails = message.body() == "1" && message.reconsume_times() == 0;
                if fails { Err(stgclient::SuspendCurrentQueue::new()) } else { Ok(()) }
            }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(10 * SECOND, "all messages", || book.len() == 9).await;
        let bodies: Vec<String> = book.entries().into_iter().map(|entry| entry.body).collect();
        assert_eq!(bodies, ["0", "1", "1", "2", "3", "4", "5", "6", "7"]);
    });
}
