//! An orderly consumer's locks: nothing without, each renewed, given back after the last commit.

use super::super::ConsumeOutcome;
use super::super::asked;
use super::super::wish::Wish;
use super::scene::{ME, SECOND, Scene, failed, queue};
use crate::queue::MessageQueue;
use crate::sorted::SortedSet;
use crate::time::Duration;

/// Answers a question for locks.
fn grant(scene: &mut Scene, wanted: impl Fn(&MessageQueue) -> bool) -> usize {
    let mut count = 0;
    for ask in scene.wishes() {
        if let Wish::Lock { asked: asked::Lock { ticket, queues: ids, at }, queues } = ask {
            let granted: SortedSet<MessageQueue> = queues.into_iter().filter(&wanted).collect();
            scene.consumer.take_locked(scene.now, ticket, (&ids, at), Ok(granted));
            count += 1;
        }
    }
    count
}

/// A consumer with one locked queue from offset 0.
fn locked(scene: &mut Scene) {
    scene.rebalance(1, &[ME]);
    assert_eq!(grant(scene, |_| true), 1);
    scene.begin_at(0);
}

#[test]
fn a_queue_is_not_even_asked_for_its_offset_before_it_is_locked_and_one_request_locks_all_of_a_broker() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(3, &[ME]);
    let asks = scene.wishes();
    assert_eq!(asks.len(), 1);
    let Wish::Lock { asked: asked::Lock { ticket, queues: ids, at }, queues } = &asks[0] else { panic!("{asks:?}") };
    assert_eq!(queues.len(), 3);
    let granted = SortedSet::from([queue(1)]);
    scene.consumer.take_locked(scene.now, *ticket, (ids, *at), Ok(granted));
    let asks = scene.wishes();
    assert!(matches!(&*asks, [Wish::GroupOffset { queue, .. }] if queue.queue_id == 1), "{asks:?}");
}

#[test]
fn a_lock_that_another_has_is_asked_for_again_every_half_second() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    for _ in 0..4 {
        assert_eq!(grant(&mut scene, |_| false), 1);
        scene.pass(Duration::from_millis(499));
        assert_eq!(grant(&mut scene, |_| false), 0);
        scene.pass(Duration::from_millis(1));
    }
}

#[test]
fn a_lock_counts_for_thirty_seconds_from_when_it_was_asked_for_and_is_renewed_every_twenty() {
    let mut scene = Scene::orderly(|_| {});
    locked(&mut scene);
    scene.fill(0..9);
    let delivery = scene.deliver(1).unwrap();
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.pass(20 * SECOND);
    // The renewal is not answered.
    let renewals = scene.wishes().iter().filter(|ask| matches!(ask, Wish::Lock { .. })).count();
    assert_eq!(renewals, 1);
    scene.pass(9 * SECOND);
    let delivery = scene.deliver(1).expect("the lock still counts");
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.pass(SECOND);
    assert!(scene.deliver(1).is_none(), "and now no more");
}

#[test]
fn one_delivery_of_a_queue_at_a_time_also_when_its_lock_is_lost_and_granted_again_meanwhile() {
    let mut scene = Scene::orderly(|_| {});
    locked(&mut scene);
    scene.fill(0..3);
    let in_hand = scene.deliver(1).unwrap();
    assert!(scene.deliver(1).is_none());
    scene.consumer.handle_disconnected(scene.now, "a");
    scene.pass(Duration::ZERO);
    grant(&mut scene, |_| true);
    let asks = scene.wishes();
    let asked = asks.into_iter().find(|ask| matches!(ask, Wish::GroupOffset { .. }));
    let Some(Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. }) = asked else {
        panic!("the offset is read again");
    };
    scene.consumer.take_group_offset(scene.now, id, ticket, Ok(Some(0)));
    scene.fill(0..3);
    assert!(scene.deliver(1).is_none(), "the first is still in hand");
    assert!(!scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success), "and counts no more");
    assert_eq!(scene.deliver(1).unwrap().messages[0].0.fields.queue_offset, 0);
}

#[test]
fn an_answer_to_what_was_asked_before_the_connection_ended_locks_nothing() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else { panic!() };
    scene.consumer.handle_disconnected(scene.now, "a");
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Ok(SortedSet::from([queue(0)])));
    assert!(scene.wishes().iter().all(|ask| !matches!(ask, Wish::GroupOffset { .. })));
}

#[test]
fn a_lock_goes_back_after_the_last_commit_and_a_delivery_in_hand_holds_both_up() {
    let mut scene = Scene::orderly(|_| {});
    locked(&mut scene);
    scene.fill(0..3);
    let in_hand = scene.deliver(1).unwrap();
    scene.wishes();
    scene.share(&[]);
    let is_farewell = |ask: &Wish| matches!(ask, Wish::Unlock { .. } | Wish::Commit { .. });
    assert!(!scene.wishes().iter().any(is_farewell));
    assert!(scene.deliver(1).is_none(), "nothing more of it");
    assert!(scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success), "it still counts");
    for again in 0..3 {
        let Wish::Commit { asked: asked::Commit(id, ticket), offset: 1, .. } = scene.wish() else { panic!("{again}") };
        assert!(scene.wishes().is_empty());
        scene.consumer.take_committed(scene.now, id, ticket, Err(failed()));
        if again < 2 {
            assert!(scene.wishes().is_empty(), "the broker may be busy");
            scene.pass(SECOND / 2);
        }
    }
    assert!(matches!(scene.wish(), Wish::Unlock { .. }), "then the lock, whatever came of it");
}

#[test]
fn a_delivery_that_does_not_end_holds_a_queue_that_leaves_up_for_twenty_seconds_at_the_most() {
    let mut scene = Scene::orderly(|_| {});
    locked(&mut scene);
    scene.fill(0..3);
    let in_hand = scene.deliver(1).unwrap();
    scene.share(&[]);
    scene.wishes();
    scene.pass(20 * SECOND);
    assert!(scene.wishes().iter().any(|ask| matches!(ask, Wish::Unlock { .. })));
    assert!(!scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success));
}

#[test]
fn a_queue_is_asked_for_in_one_request_at_a_time() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(2, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else { panic!() };
    scene.pass(20 * SECOND);
    let locks = scene.wishes().iter().filter(|ask| matches!(ask, Wish::Lock { .. })).count();
    assert_eq!(locks, 0, "the first is not answered yet");
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Err(failed()));
    scene.pass(SECOND);
    assert_eq!(grant(&mut scene, |_| true), 1);
}
