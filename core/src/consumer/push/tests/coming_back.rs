//! Queues and topics that go and come back.

use std::collections::BTreeMap;

use super::super::asked::{self, Asked};
use super::super::wish::Wish;
use super::super::{ConsumeFrom, ConsumeOutcome, MessageModel, PushConfig, PushEvent};
use super::scene::{ME, SECOND, Scene, TOPIC, found, lose_and_regain, queue};
use crate::consumer::MessageSelector;
use crate::sorted::SortedSet;

#[test]
fn a_consumer_whose_topic_was_unsubscribed_and_subscribed_again_before_it_started_starts() {
    let mut scene = Scene::new(|config| config.consume_from = ConsumeFrom::LastOffset);
    let queues = [queue(0)];
    // Another topic, whose broker takes its time.
    scene.consumer.subscribe(scene.now, "U", MessageSelector::all()).unwrap();
    scene.pass(SECOND);
    // The queues are known, their ends are being asked.
    scene.answer_queues(Ok(queues.to_vec()));
    scene.consumer.unsubscribe(scene.now, TOPIC);
    scene.consumer.subscribe(scene.now, TOPIC, MessageSelector::all()).unwrap();
    let mut is_started = false;
    for _ in 0..120 {
        scene.pass(SECOND);
        for _ in 0..4 {
            for ask in scene.wishes() {
                match ask {
                    Wish::MaxOffset { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(Some(3))),
                    Wish::OffsetAt { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(Some(3))),
                    Wish::EndOffset { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(None)),
                    Wish::CommitEnd { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(())),
                    Wish::Queues { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(queues.to_vec())),
                    Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                        scene.consumer.take_members(scene.now, (&topic, ticket, broker), Ok(vec![ME.to_owned()]));
                    }
                    Wish::GroupOffset { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(None)),
                    Wish::Commit { asked, .. } => asked.take(&mut scene.consumer, scene.now, Ok(())),
                    _ => {}
                }
                is_started |= scene.consumer.events.iter().any(|event| matches!(event, PushEvent::Started));
                scene.allocate();
            }
        }
    }
    assert!(is_started, "two minutes, everything answered, and it has not started");
}

/// Answers what a broadcasting consumer asks about a queue of three messages.
fn fill(scene: &mut Scene) {
    for _ in 0..4 {
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Queues { asked, .. } => asked.take(consumer, now, Ok(vec![queue(0)])),
                Wish::MinOffset { asked, .. } => asked.take(consumer, now, Ok(Some(0))),
                Wish::Pull { asked, queue, offset, .. } if offset < 3 => {
                    asked.take(consumer, now, Ok(found(queue, offset..3)));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_broadcasting_orderly_queue_that_goes_and_comes_back_has_one_delivery_at_a_time() {
    let mut scene = Scene::orderly(|config| config.message_model = MessageModel::Broadcasting);
    scene.pass(SECOND);
    fill(&mut scene);
    let in_hand = scene.deliver(1).expect("the first");
    assert_eq!(in_hand.messages[0].0.fields.queue_offset, 0);
    // A route without the broker, and a second later one with it.
    scene.share(&[]);
    scene.share(&[queue(0)]);
    fill(&mut scene);
    let second = scene.deliver(1);
    assert!(second.is_none(), "the application has two deliveries of an orderly queue: {second:?}");
    scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success);
    assert!(scene.deliver(1).is_some());
}

#[test]
fn an_orderly_queue_whose_lock_is_lost_goes_and_comes_back_has_one_delivery_at_a_time() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else { panic!() };
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Ok(SortedSet::from([queue(0)])));
    scene.begin_at(0);
    scene.fill(0..3);
    let _in_hand = scene.deliver(1).expect("the first");
    // The connection is reset; another member comes, and goes.
    lose_and_regain(&mut scene);
    let mut second = None;
    for _ in 0..4 {
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Lock { asked, queues } => asked.take(consumer, now, Ok(queues.into_iter().collect())),
                Wish::Unlock { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(0))),
                Wish::Pull { asked, queue, offset, .. } if offset < 3 => {
                    asked.take(consumer, now, Ok(found(queue, offset..3)));
                }
                _ => {}
            }
        }
        second = second.or(scene.deliver(1));
    }
    assert!(second.is_none(), "the application has two deliveries of an orderly queue: {second:?}");
}

#[test]
fn an_orderly_queue_that_goes_and_comes_back_waits_for_the_rest_of_a_delivery_behind_one_that_failed() {
    let broadcasting = |config: &mut PushConfig| {
        (config.message_model, config.consume_batch_size) = (MessageModel::Broadcasting, 4);
    };
    let mut scene = Scene::orderly(broadcasting);
    scene.pass(SECOND);
    fill(&mut scene);
    let in_hand = scene.deliver(4).expect("all three").settlement;
    assert_eq!(in_hand.count(), 3);
    scene.consumer.settle(scene.now, in_hand.part(0, 0, 1), ConsumeOutcome::SuspendCurrentQueue(None));
    // The application has the other two yet.
    scene.share(&[]);
    scene.share(&[queue(0)]);
    scene.pass(5 * SECOND);
    fill(&mut scene);
    let second = scene.deliver(4);
    assert!(second.is_none(), "the application has two deliveries of an orderly queue: {second:?}");
    for offset in 1..3 {
        scene.consumer.settle(scene.now, in_hand.part(offset, offset, 1), ConsumeOutcome::Success);
    }
    assert_eq!(scene.deliver(4).map(|delivery| delivery.messages.len()), Some(3));
}

#[test]
fn an_orderly_queue_whose_lock_was_lost_goes_on_where_it_was_unless_somebody_else_has_gone_on() {
    // What the broker has of the group by then, and where the queue goes on: 0 is what it had of us, and 2 are consumed.
    for (committed, expected) in [(0, 2), (1, 1), (2, 2), (3, 3)] {
        let mut scene = Scene::orderly(|_| {});
        scene.rebalance(1, &[ME]);
        let go_on = |scene: &mut Scene, group_offset: u64| {
            let mut began = None;
            for _ in 0..4 {
                for ask in scene.wishes() {
                    let (now, consumer) = (scene.now, &mut scene.consumer);
                    match ask {
                        Wish::Lock { asked, queues } => asked.take(consumer, now, Ok(queues.into_iter().collect())),
                        Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(group_offset))),
                        Wish::Pull { asked, queue, offset, .. } => {
                            began = began.or(Some(offset));
                            if offset < 5 {
                                asked.take(consumer, now, Ok(found(queue, offset..5)));
                            }
                        }
                        _ => {}
                    }
                }
            }
            began
        };
        assert_eq!(go_on(&mut scene, 0), Some(0));
        for _ in 0..2 {
            let delivery = scene.deliver(1).expect("the next");
            assert!(scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success));
        }
        scene.consumer.handle_disconnected(scene.now, "a");
        assert_eq!(go_on(&mut scene, committed), Some(expected), "the group is at {committed}");
    }
}

#[test]
fn an_administrators_reset_counts_no_more_once_another_member_has_it_and_went_on() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME, "the owner before"]);
    // The owner before us has the lock yet; both hear of the reset, and it is the owner who carries it out.
    let answer = |scene: &mut Scene, grants: bool| {
        let mut began = None;
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Lock { asked, queues } => {
                    let granted = if grants { queues.into_iter().collect() } else { SortedSet::new() };
                    asked.take(consumer, now, Ok(granted));
                }
                Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(100))),
                Wish::Pull { offset, .. } => began = Some(offset),
                _ => {}
            }
        }
        began
    };
    answer(&mut scene, false);
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 2)]));
    for _ in 0..40 {
        scene.pass(SECOND / 2);
        answer(&mut scene, false);
    }
    // It has consumed 2 to 100 in these 20 s, and goes.
    let mut began = None;
    for _ in 0..8 {
        scene.pass(SECOND / 2);
        began = began.or(answer(&mut scene, true));
        began = began.or(answer(&mut scene, true));
    }
    assert_eq!(began, Some(100), "the group is at 100 since the reset was carried out");
}

#[test]
fn a_delivery_that_ends_after_its_lock_and_before_anybody_notices_holds_nothing_up() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    let lock = |scene: &mut Scene| {
        let asks = scene.wishes();
        let lock = asks.into_iter().find_map(|ask| if let Wish::Lock { asked, .. } = ask { Some(asked) } else { None });
        lock.expect("a lock is asked for").take(&mut scene.consumer, scene.now, Ok(SortedSet::from([queue(0)])));
    };
    lock(&mut scene);
    scene.begin_at(0);
    scene.fill(0..3);
    let in_hand = scene.deliver(1).expect("the first");
    // The process stands still, and the application is the first to go on.
    scene.now.mono = scene.now.mono + 40 * SECOND;
    assert!(!scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success), "another may have it");
    scene.pass(SECOND);
    lock(&mut scene);
    scene.begin_at(0);
    scene.fill(0..3);
    assert!(scene.deliver(1).is_some());
}
