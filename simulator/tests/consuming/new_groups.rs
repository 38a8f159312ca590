//! Where a new group begins when several members start, one beside the other or one after the other.

use std::sync::{Arc, Mutex};

use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};

use super::stage::{Book, SECOND, Stage, TOPIC, newcomer};

/// A group without an offset whose second member starts right after the first. Gives what is lost of all that was sent since the
/// first had started; until then requests of this kind are treated amiss so often.
fn lost_beside_a_second_member(code: RequestCode, forced: Forced, times: u32, is_orderly: bool) -> Vec<u32> {
    let stage = Stage::new(1, 4);
    stage.play(async {
        stage.send(0..8).await;
        let mute = Force::requests([code], forced).on_topic(TOPIC).times(times);
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
        book.missing(8..40)
    })
}

#[test]
fn what_is_sent_once_a_start_has_returned_is_consumed_though_answers_were_lost_and_a_second_member_starts_right_after_it()
 {
    let mut wrong = Vec::new();
    for code in [RequestCode::QUERY_CONSUMER_OFFSET, RequestCode::UPDATE_CONSUMER_OFFSET, RequestCode::GET_MAX_OFFSET] {
        for forced in [Forced::Lost, Forced::busy()] {
            for (times, is_orderly) in [0, 1, 4, 8, 12].into_iter().flat_map(|times| [(times, false), (times, true)]) {
                let lost = lost_beside_a_second_member(code, forced.clone(), times, is_orderly);
                if !lost.is_empty() {
                    wrong.push(format!("{code:?} {forced:?} {times} times, orderly: {is_orderly}; lost: {lost:?}"));
                }
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
                let lost = book.missing(8..40);
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
        let lost = book.missing(8..28);
        assert!(lost.is_empty(), "lost: {lost:?}");
    });
}

#[test]
fn two_members_of_a_new_group_that_start_beside_each_other_consume_nothing_old_though_a_broker_takes_no_commit_for_a_moment()
 {
    let mut wrong = Vec::new();
    for busy_for in [0_u64, 500, 1_500, 2_500] {
        for swapped in [false, true] {
            let stage = Stage::new(2, 1);
            let old = stage.play(async {
                stage.send_to("broker-a", 0, 0..20).await;
                stage.send_to("broker-b", 0, 20..40).await;
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
fn where_a_new_group_begins_is_never_committed_over_what_another_member_has_consumed_since() {
    let mut wrong = Vec::new();
    for (late, swapped) in [(2_500_u64, false), (2_500, true), (2_900, false), (2_900, true)] {
        let stage = Stage::new(2, 2);
        let twice = stage.play(async {
            stage.send_to("broker-a", 0, 0..10).await;
            stage.send_to("broker-a", 1, 10..20).await;
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
            stage.send_to("broker-a", 0, 20..40).await;
            stage.send_to("broker-a", 1, 40..60).await;
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
