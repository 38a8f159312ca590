//! What an administrator wants counts until a broker has it, and then no more.

use crate::sorted::SortedSet;
use std::collections::BTreeMap;

use super::super::ConsumeOutcome;
use super::super::asked;
use super::super::wish::Wish;
use super::scene::{ME, SECOND, Scene, TOPIC, failed, queue};

/// Answers all that is asked as a broker does that has `committed`; commits come through only if it `takes` them.
fn answer_all(scene: &mut Scene, committed: &mut u64, takes: bool) {
    for _ in 0..6 {
        for ask in scene.wishes() {
            let consumer = &mut scene.consumer;
            match ask {
                Wish::Lock { asked: asked::Lock { ticket, queues, at }, queues: wanted } => {
                    consumer.take_locked(scene.now, ticket, (&queues, at), Ok(wanted.into_iter().collect()));
                }
                Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. } => {
                    consumer.take_group_offset(scene.now, id, ticket, Ok(Some(*committed)));
                }
                Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } => {
                    if takes {
                        *committed = offset;
                    }
                    consumer.take_committed(scene.now, id, ticket, if takes { Ok(()) } else { Err(failed()) });
                }
                Wish::Unlock { asked: asked::Unlock(id, ticket), .. } => {
                    consumer.take_unlocked(scene.now, id, ticket, Ok(()))
                }
                _ => {}
            }
        }
    }
}

/// An orderly consumer that has the lock of its queue.
fn locked() -> Scene {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else {
        panic!("the lock comes first")
    };
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Ok(SortedSet::from([queue(0)])));
    scene
}

#[test]
fn an_administrators_reset_counts_though_the_connection_ends_before_it_is_committed() {
    let mut scene = locked();
    scene.begin_at(5);
    scene.wishes();
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 2)]));
    let asks = scene.wishes();
    let commit = asks.iter().find(|ask| matches!(ask, Wish::Commit { .. }));
    let Some(Wish::Commit { asked: asked::Commit(id, ticket), offset: 2, .. }) = commit else { panic!("{asks:?}") };
    // The connection is reset while the commit is on its way, and nobody says once more what the administrator wants.
    scene.consumer.take_committed(scene.now, *id, *ticket, Err(failed()));
    scene.consumer.handle_disconnected(scene.now, "a");
    let mut committed = 5;
    for _ in 0..4 {
        scene.pass(SECOND);
        answer_all(&mut scene, &mut committed, true);
    }
    assert_eq!((scene.consumer.offsets_of(TOPIC), committed), (BTreeMap::from([(queue(0), 2)]), 2));
}

#[test]
fn an_administrators_reset_counts_for_a_queue_that_comes_back_before_it_could_be_committed() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    scene.begin_at(5);
    scene.wishes();
    let mut committed = 5;
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 2)]));
    // The broker is busy for two seconds, in which another member comes and goes.
    answer_all(&mut scene, &mut committed, false);
    scene.share(&[]);
    answer_all(&mut scene, &mut committed, false);
    scene.share(&[queue(0)]);
    for _ in 0..4 {
        scene.pass(SECOND / 2);
        answer_all(&mut scene, &mut committed, false);
    }
    for _ in 0..4 {
        scene.pass(SECOND);
        answer_all(&mut scene, &mut committed, true);
    }
    assert_eq!((scene.consumer.offsets_of(TOPIC), committed), (BTreeMap::from([(queue(0), 2)]), 2));
}

#[test]
fn an_administrators_reset_that_is_committed_counts_once() {
    let mut scene = leaving_with_a_commit_under_way();
    // An administrator sets the offset while the queue leaves, and the broker takes that.
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 2)]));
    for expected in [6, 2] {
        let Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } = scene.wish() else { panic!("{expected}") };
        assert_eq!(offset, expected);
        scene.consumer.take_committed(scene.now, id, ticket, Ok(()));
    }
    // The broker takes the lock back, and its answers are lost; meanwhile the next owner consumes up to 50, and goes.
    for _ in 0..3 {
        let Wish::Unlock { asked: asked::Unlock(id, ticket), .. } = scene.wish() else {
            panic!("then the lock goes back")
        };
        scene.share(&[queue(0)]);
        scene.pass(3 * SECOND);
        scene.wishes();
        scene.consumer.take_unlocked(scene.now, id, ticket, Err(failed()));
        scene.pass(SECOND / 2);
    }
    let mut committed = 50;
    answer_all(&mut scene, &mut committed, true);
    assert_eq!((scene.consumer.offsets_of(TOPIC), committed), (BTreeMap::from([(queue(0), 50)]), 50));
}

/// One message was consumed, then the queue went to another member.
fn leaving_with_a_commit_under_way() -> Scene {
    let mut scene = locked();
    scene.begin_at(5);
    scene.fill(5..7);
    let delivery = scene.deliver(1).expect("a message");
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.wishes();
    scene.share(&[]);
    let Wish::CancelPull { .. } = scene.wish() else { panic!("nothing more is fetched") };
    scene
}

#[test]
fn an_administrators_reset_counts_for_a_queue_that_leaves_and_comes_back() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..5);
    while let Some(delivery) = scene.deliver(5) {
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.wishes();
    // Another member comes and goes.
    scene.share(&[]);
    let commits: Vec<_> = scene.wishes().into_iter().filter(|ask| matches!(ask, Wish::Commit { .. })).collect();
    let [Wish::Commit { asked: asked::Commit(id, ticket), offset: 5, .. }] = &*commits else { panic!("{commits:?}") };
    scene.share(&[queue(0)]);
    // While the last commit is on its way, an administrator sets the group's offset; nobody else would hear of it.
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 2)]));
    scene.consumer.take_committed(scene.now, *id, *ticket, Ok(()));
    let mut committed = 5;
    for _ in 0..4 {
        for ask in scene.wishes() {
            match ask {
                Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. } => {
                    scene.consumer.take_group_offset(scene.now, id, ticket, Ok(Some(committed)));
                }
                Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } => {
                    committed = offset;
                    scene.consumer.take_committed(scene.now, id, ticket, Ok(()));
                }
                _ => {}
            }
        }
    }
    assert_eq!(scene.consumer.offsets_of(TOPIC), BTreeMap::from([(queue(0), 2)]));
}
