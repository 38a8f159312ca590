//! Queues that are given up because the program is about to stand still: all is said in one turn, and nothing after it.

use super::super::giving_up::GivenUp;
use super::super::wish::Wish;
use super::super::{ConsumeOrder, ConsumeOutcome, MessageModel, PushEvent, asked};
use super::scene::{ME, SECOND, Scene, failed, queue};
use crate::sorted::SortedSet;

/// Finishes as many messages, and has another one in hand.
fn finish(scene: &mut Scene, count: u64) {
    for _ in 0..count {
        let delivery = scene.deliver(1).unwrap();
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
}

fn given_up(scene: &mut Scene) -> GivenUp {
    scene.wishes();
    scene.consumer.give_up_queues(scene.now);
    let wishes = scene.wishes();
    let mut all = wishes.iter().filter_map(|wish| match wish {
        Wish::GiveUp(given_up) => Some(given_up.clone()),
        Wish::CancelPull { .. } => None,
        other => panic!("{other:?}"),
    });
    let only = all.next().expect("that they are given up");
    assert!(all.next().is_none());
    only
}

fn locked_one() -> Scene {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else { panic!("the lock") };
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Ok(SortedSet::from([queue(0)])));
    scene.begin_at(0);
    scene.fill(0..9);
    scene
}

#[test]
fn offsets_and_locks_go_out_in_one_turn_whatever_is_in_hand_or_under_way() {
    for has_commit_under_way in [false, true] {
        let mut scene = locked_one();
        finish(&mut scene, 3);
        let in_hand = scene.deliver(1).unwrap();
        if has_commit_under_way {
            scene.commit_all();
            assert!(scene.wishes().iter().any(|wish| matches!(wish, Wish::Commit { offset: 3, .. })));
        }
        let said = given_up(&mut scene);
        assert_eq!(said, GivenUp { offsets: vec![(queue(0), 3)], locked: vec![queue(0)], needs_lock: true });
        assert!(scene.consumer.status(scene.now).queues.is_empty());
        let counts = scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success);
        assert!(!counts, "others have it by now");
        scene.commit_all();
        assert!(scene.wishes().is_empty(), "all has been said");
    }
}

#[test]
fn nothing_is_said_of_a_queue_whose_lock_has_ended_but_that_it_is_free() {
    let mut scene = locked_one();
    finish(&mut scene, 3);
    // Its renewal is not answered, so the broker may have it for us still.
    scene.pass(20 * SECOND);
    scene.wishes();
    scene.pass(10 * SECOND);
    scene.wishes();
    let said = given_up(&mut scene);
    assert_eq!((said.offsets, said.locked), (vec![], vec![queue(0)]));
}

#[test]
fn it_begins_where_the_group_is_by_then_and_says_nothing_of_where_it_was() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.fill(0..5);
    finish(&mut scene, 4);
    scene.commit_all();
    let wishes = scene.wishes();
    let under_way = wishes.iter().find_map(|wish| match wish {
        Wish::Commit { asked, .. } => Some(asked.clone()),
        _ => None,
    });
    let asked::Commit(id, ticket) = under_way.expect("a commit");
    let said = given_up(&mut scene);
    assert!(!said.offsets.is_empty() && said.locked.is_empty());
    scene.pass(3600 * SECOND);
    scene.consumer.take_committed(scene.now, id, ticket, Err(failed()));
    scene.rebalance(2, &[ME]);
    scene.begin_at(100);
    let begins = scene.consumer.status(scene.now).queues.iter().map(|known| known.offset).collect::<Vec<_>>();
    assert_eq!(begins, [100, 100]);
    scene.commit_all();
    let commits = scene.wishes().iter().filter(|wish| matches!(wish, Wish::Commit { .. })).count();
    assert_eq!(commits, 0, "it has finished nothing since");
}

#[test]
fn an_application_that_follows_its_queues_is_told_and_not_waited_for() {
    for order in [ConsumeOrder::Concurrently, ConsumeOrder::Orderly] {
        let mut scene = Scene::new(|config| (config.order, config.follows_queues) = (order, true));
        scene.rebalance(2, &[ME]);
        scene.events();
        scene.wishes();
        scene.consumer.give_up_queues(scene.now);
        let events = scene.events();
        let [PushEvent::Revoked(revoked)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(revoked.queues.len(), 2);
        assert!(scene.consumer.status(scene.now).queues.is_empty(), "{order:?}");
    }
}

#[test]
fn queues_that_are_leaving_already_wait_for_nothing_either() {
    let mut scene = locked_one();
    let _in_hand = scene.deliver(1).unwrap();
    scene.share(&[]);
    scene.wishes();
    let said = given_up(&mut scene);
    assert_eq!(said.locked, [queue(0)]);
    assert!(scene.consumer.status(scene.now).queues.is_empty());
}

#[test]
fn what_is_broadcast_nobody_else_gets_so_its_offsets_are_stored_and_its_queues_kept() {
    let mut scene = Scene::new(|config| config.message_model = MessageModel::Broadcasting);
    scene.pass(SECOND);
    scene.answer_queues(Ok(vec![queue(0)]));
    for ask in scene.wishes() {
        if let Wish::MinOffset { asked: asked::FirstOffset(id, ticket), .. } = ask {
            scene.consumer.take_first_offset(scene.now, id, ticket, Ok(Some(0)));
        }
    }
    scene.fill(0..5);
    scene.events();
    finish(&mut scene, 2);
    scene.consumer.offsets_stored(scene.now, true);
    scene.consumer.give_up_queues(scene.now);
    let stored = scene.events().into_iter().find_map(|event| match event {
        PushEvent::StoreOffsets(offsets) => Some(offsets),
        _ => None,
    });
    assert_eq!(stored.and_then(|offsets| offsets.get(&queue(0)).copied()), Some(2));
    assert_eq!(scene.consumer.status(scene.now).queues.len(), 1);
}
