//! What the application has in hand while queues leave, come back and close; what is being sent back meanwhile.

use super::super::asked::{self, Asked};
use super::super::wish::Wish;
use super::super::{ConsumeOutcome, PushEvent, Unfinished};
use super::scene::{ME, SECOND, Scene, found, lose_and_regain, queue};
use crate::sorted::SortedSet;
use crate::time::Duration;

/// A queue of three messages leaves; the application has two of them, and is done with the second while the last commit is on
/// its way.
fn leave_before_a_delivery_ends(scene: &mut Scene) {
    scene.fill(0..3);
    let first = scene.deliver(1).expect("the first");
    let second = scene.deliver(1).expect("the second");
    scene.consumer.settle(scene.now, first.settlement, ConsumeOutcome::Success);
    // Another member comes.
    scene.share(&[]);
    let asks = scene.wishes();
    assert!(asks.iter().any(|ask| matches!(ask, Wish::Commit { .. })), "{asks:?}");
    scene.consumer.settle(scene.now, second.settlement, ConsumeOutcome::Success);
    for ask in asks {
        if let Wish::Commit { asked, .. } = ask {
            asked.take(&mut scene.consumer, scene.now, Ok(()));
        }
    }
    assert_eq!(scene.consumer.queues.len(), 0, "it has left");
}

/// What is told at closing.
fn told(scene: &mut Scene) -> Vec<Unfinished> {
    let told = scene.events().into_iter().find_map(|event| match event {
        PushEvent::Closed(unfinished) => Some(unfinished),
        _ => None,
    });
    told.expect("it is closed")
}

#[test]
fn what_was_settled_while_its_queue_left_is_not_told_as_unfinished() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    leave_before_a_delivery_ends(&mut scene);
    scene.consumer.close(scene.now, SECOND);
    scene.pass(10 * SECOND);
    assert_eq!(told(&mut scene), [], "the application has nothing any more");
}

#[test]
fn books_of_deliveries_that_ended_do_not_grow_with_each_rebalance() {
    let mut scene = Scene::new(|_| {});
    for _ in 0..100 {
        scene.share(&[queue(0)]);
        for ask in scene.wishes() {
            if let Wish::GroupOffset { asked, .. } = ask {
                asked.take(&mut scene.consumer, scene.now, Ok(Some(0)));
            }
        }
        leave_before_a_delivery_ends(&mut scene);
    }
    assert_eq!(scene.consumer.abandoned.all().count(), 0);
}

/// Locks are granted, the group is at 0, and there are three messages.
fn go_on(scene: &mut Scene) {
    for _ in 0..4 {
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Lock { asked, queues } => asked.take(consumer, now, Ok(queues.into_iter().collect())),
                Wish::Unlock { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::Commit { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(0))),
                Wish::Pull { asked, queue, offset, .. } if offset < 3 => {
                    asked.take(consumer, now, Ok(found(queue, offset..3)));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn an_orderly_queue_that_comes_back_waits_for_the_rest_of_a_batch_whose_first_message_failed() {
    let mut scene = Scene::orderly(|config| config.consume_batch_size = 3);
    scene.rebalance(1, &[ME]);
    go_on(&mut scene);
    let batch = scene.deliver(3).expect("a batch");
    assert_eq!(batch.messages.len(), 3);
    // The first one fails; the application still has the other two.
    let first = batch.settlement.part(0, 0, 1);
    assert!(scene.consumer.settle(scene.now, first, ConsumeOutcome::SuspendCurrentQueue(None)));
    // The connection is reset; another member comes, and goes.
    lose_and_regain(&mut scene);
    go_on(&mut scene);
    scene.pass(2 * SECOND);
    go_on(&mut scene);
    let second = scene.deliver(3);
    assert!(second.is_none(), "the application has two deliveries of an orderly queue: {second:?}");
}

#[test]
fn what_the_application_has_of_a_batch_whose_first_message_failed_is_told_as_unfinished() {
    let mut scene = Scene::orderly(|config| config.consume_batch_size = 3);
    scene.rebalance(1, &[ME]);
    go_on(&mut scene);
    let batch = scene.deliver(3).expect("a batch");
    let first = batch.settlement.part(0, 0, 1);
    assert!(scene.consumer.settle(scene.now, first, ConsumeOutcome::SuspendCurrentQueue(None)));
    scene.consumer.close(scene.now, SECOND);
    for _ in 0..8 {
        scene.pass(Duration::from_secs(1));
        go_on(&mut scene);
    }
    let closed = told(&mut scene);
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!(closed[0].offsets, [1, 2]);
}

#[test]
fn an_administrators_reset_counts_while_only_a_member_that_is_gone_has_the_lock() {
    let mut scene = Scene::orderly(|_| {});
    // The process was started anew after a crash: it is the only member, but its broker keeps the lock of the former one.
    scene.rebalance(1, &[ME]);
    let answer = |scene: &mut Scene, grants: bool| {
        let mut began = None;
        for _ in 0..4 {
            for ask in scene.wishes() {
                let (now, consumer) = (scene.now, &mut scene.consumer);
                match ask {
                    Wish::Queues { asked, .. } => asked.take(consumer, now, Ok(vec![queue(0)])),
                    Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                        consumer.take_members(now, (&topic, ticket, broker), Ok(vec![ME.to_owned()]));
                    }
                    Wish::Lock { asked, queues } => {
                        let granted = if grants { queues.into_iter().collect() } else { SortedSet::new() };
                        asked.take(consumer, now, Ok(granted));
                    }
                    Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(100))),
                    Wish::Commit { asked, .. } => asked.take(consumer, now, Ok(())),
                    Wish::Pull { offset, .. } => began = Some(offset),
                    _ => {}
                }
                scene.allocate();
            }
        }
        began
    };
    for _ in 0..10 {
        scene.pass(SECOND / 2);
        answer(&mut scene, false);
    }
    // `mqadmin resetOffsetByTime`: the broker tells all members that there are, which is this one.
    scene.consumer.reset_offsets(scene.now, super::scene::TOPIC, &[(queue(0), 2)].into());
    for _ in 0..100 {
        scene.pass(SECOND / 2);
        answer(&mut scene, false);
    }
    // The broker lets go of the lock after a minute.
    let mut began = None;
    for _ in 0..8 {
        scene.pass(SECOND / 2);
        began = began.or(answer(&mut scene, true));
    }
    assert_eq!(began, Some(2), "nobody else could have carried the reset out");
}

#[test]
fn a_queue_that_leaves_waits_for_what_is_being_sent_back_or_the_next_owner_gets_it_too() {
    for outcome in [ConsumeOutcome::SuspendCurrentQueue(None), ConsumeOutcome::ReconsumeLater(Default::default())] {
        let mut scene = Scene::orderly(|config| config.max_reconsume_times = Some(0));
        scene.rebalance(1, &[ME]);
        go_on(&mut scene);
        let in_hand = scene.deliver(1).expect("the first");
        // Another member comes, and the handler fails for the last time: the message goes to the dead letters.
        scene.share(&[]);
        assert!(scene.consumer.settle(scene.now, in_hand.settlement, outcome), "it counts");
        let (mut sent_back, mut committed, mut unlocked) = (Vec::new(), Vec::new(), false);
        for _ in 0..8 {
            for ask in std::mem::take(&mut sent_back).into_iter().chain(scene.wishes()).collect::<Vec<_>>() {
                let (now, consumer) = (scene.now, &mut scene.consumer);
                match ask {
                    // The broker's answer takes its time.
                    Wish::SendBack { .. } if now.mono < crate::time::Instant::from_micros(3_000_000) => {
                        sent_back.push(ask)
                    }
                    Wish::SendBack { asked, .. } => asked.take(consumer, now, Ok(())),
                    Wish::Commit { asked, offset, .. } => {
                        committed.push(offset);
                        asked.take(consumer, now, Ok(()));
                    }
                    Wish::Unlock { asked, .. } => {
                        unlocked = true;
                        asked.take(consumer, now, Ok(()));
                    }
                    _ => {}
                }
            }
            scene.pass(SECOND);
        }
        assert!(unlocked);
        assert_eq!(
            committed.last(),
            Some(&1),
            "{outcome:?}: the next owner gets a message that is among the dead letters"
        );
    }
}

#[test]
fn a_concurrent_queue_that_leaves_waits_for_what_is_being_sent_back_or_the_next_owner_gets_it_too() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..1);
    let in_hand = scene.deliver(1).expect("the first");
    assert!(scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::ReconsumeLater(Default::default())));
    // The broker has been asked to bring it again; a moment later another member comes.
    scene.share(&[]);
    let mut committed = None;
    for _ in 0..4 {
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::SendBack { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::Commit { asked, offset, .. } => {
                    committed = Some(offset);
                    asked.take(consumer, now, Ok(()));
                }
                _ => {}
            }
        }
    }
    assert_eq!(committed, Some(1), "the next owner gets it, and once more when the broker brings it again");
}

#[test]
fn a_queue_that_leaves_commits_all_that_is_sent_back_however_many_answers_come_one_by_one() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..6);
    for _ in 0..6 {
        let one = scene.deliver(1).expect("one");
        assert!(scene.consumer.settle(scene.now, one.settlement, ConsumeOutcome::ReconsumeLater(Default::default())));
    }
    // The broker has been asked to bring them again; a moment later another member comes.
    scene.share(&[]);
    let (mut committed, mut sent_back) = (None, std::collections::VecDeque::new());
    for _ in 0..20 {
        for ask in scene.wishes() {
            match ask {
                Wish::SendBack { asked, .. } => sent_back.push_back(asked),
                Wish::Commit { asked, offset, .. } => {
                    committed = Some(offset);
                    asked.take(&mut scene.consumer, scene.now, Ok(()));
                }
                _ => {}
            }
        }
        if let Some(asked) = sent_back.pop_front() {
            asked.take(&mut scene.consumer, scene.now, Ok(()));
        }
        scene.pass(Duration::from_millis(10));
    }
    assert!(sent_back.is_empty());
    assert_eq!(committed, Some(6), "the next owner gets the rest, and once more when the broker brings it again");
}
