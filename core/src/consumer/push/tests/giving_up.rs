//! Queues that are given up because the program is about to stand still: all is said in one turn, and nothing after it.

use super::super::giving_up::GivenUp;
use super::super::wish::Wish;
use super::super::{ConsumeOrder, ConsumeOutcome, MessageModel, PushEvent, asked};
use super::scene::{ME, SECOND, Scene, failed, queue};
use crate::sorted::SortedSet;
use crate::time::Duration;

/// Finishes as many messages, and has another one in hand.
fn finish(scene: &mut Scene, count: u64) {
    for _ in 0..count {
        let delivery = scene.deliver(1).unwrap();
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
}

/// Gives up, and asks nothing but that pulls be cancelled.
fn given_up(scene: &mut Scene) -> GivenUp {
    scene.wishes();
    let given_up = scene.consumer.give_up_queues(scene.now);
    let asks = scene.wishes();
    assert!(asks.iter().all(|wish| matches!(wish, Wish::CancelPull { .. })), "{asks:?}");
    given_up
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

/// One that gets every message, and has five of its queue.
fn broadcasting() -> Scene {
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
    let mut scene = broadcasting();
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

/// A page closes its consumer and is left: the last commit is not answered yet, so the lock has not gone back.
#[test]
fn a_lock_goes_back_also_when_a_consumer_that_closes_is_given_up() {
    let mut scene = locked_one();
    finish(&mut scene, 3);
    scene.wishes();
    scene.consumer.close(scene.now, Duration::ZERO);
    assert!(scene.wishes().iter().any(|wish| matches!(wish, Wish::Commit { offset: 3, .. })));
    let locked = scene.consumer.give_up_queues(scene.now).locked;
    assert_eq!(locked, [queue(0)], "else the broker keeps it for a minute");
}

/// The same, where the broker did not take the last commit a moment ago.
#[test]
fn an_offset_goes_out_also_when_a_consumer_that_closes_is_given_up() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..9);
    finish(&mut scene, 3);
    scene.wishes();
    scene.consumer.close(scene.now, Duration::ZERO);
    let commit = scene.wishes().into_iter().find_map(|wish| match wish {
        Wish::Commit { asked: asked::Commit(id, ticket), .. } => Some((id, ticket)),
        _ => None,
    });
    let (id, ticket) = commit.expect("the last commit");
    scene.consumer.take_committed(scene.now, id, ticket, Err(failed()));
    assert!(scene.wishes().is_empty(), "it is tried again in half a second");
    let offsets = scene.consumer.give_up_queues(scene.now).offsets;
    assert_eq!(offsets, [(queue(0), 3)]);
}

#[test]
fn who_waits_for_its_queues_is_not_told_that_they_have_begun_when_they_are_given_up() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    scene.wishes();
    scene.consumer.await_ready(scene.now);
    let is_ready = |scene: &mut Scene| scene.events().iter().any(|event| matches!(event, PushEvent::Ready));
    assert!(!is_ready(&mut scene), "where it begins is being asked");
    scene.consumer.give_up_queues(scene.now);
    assert!(!is_ready(&mut scene), "it has none of its share, and has never had");
}

#[test]
fn who_has_given_its_queues_up_is_not_ready_before_it_has_them_again() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.consumer.give_up_queues(scene.now);
    scene.consumer.handle_disconnected(scene.now, "a");
    scene.pass(Duration::ZERO);
    scene.consumer.await_ready(scene.now);
    let is_ready = scene.events().iter().any(|event| matches!(event, PushEvent::Ready));
    assert!(!is_ready, "all queues are its share, and it has none");
}

#[test]
fn who_begins_anew_is_not_ready_before_it_has_its_queues_again() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.wishes();
    scene.consumer.begin_anew(scene.now);
    scene.consumer.await_ready(scene.now);
    let is_ready = scene.events().iter().any(|event| matches!(event, PushEvent::Ready));
    assert!(!is_ready, "all queues are its share, and it has none");
}

/// The rule as documented: queues come again once a connection has ended, or at the interval.
#[test]
fn a_rebalance_that_was_under_way_does_not_bring_back_at_once_what_was_given_up() {
    let mut scene = locked_one();
    scene.wishes();
    scene.consumer.rebalance_soon(scene.now.mono);
    scene.pass(2 * SECOND);
    scene.answer_queues(Ok(vec![queue(0)]));
    let members = scene.wishes().into_iter().find_map(|wish| match wish {
        Wish::Members { asked, .. } => Some(asked),
        _ => None,
    });
    let asked::Members(topic, ticket, broker) = members.expect("the members are asked for");
    assert_eq!(scene.consumer.give_up_queues(scene.now).locked, [queue(0)]);
    scene.consumer.take_members(scene.now, (&topic, ticket, broker), Ok(vec![ME.to_owned()]));
    scene.allocate();
    let locks = scene.wishes().iter().filter(|wish| matches!(wish, Wish::Lock { .. })).count();
    assert_eq!(locks, 0, "nobody gives that lock back: the program stands still by now");
}

/// As when it is closed ([`Places::doubt`]): what is on its way may not arrive, and is older than what has been finished since.
#[test]
fn offsets_of_what_is_broadcast_are_stored_also_while_older_ones_are_on_their_way() {
    let mut scene = broadcasting();
    scene.consumer.offsets_stored(scene.now, true);
    finish(&mut scene, 1);
    scene.commit_all();
    let stored = |scene: &mut Scene| {
        scene.events().into_iter().find_map(|event| match event {
            PushEvent::StoreOffsets(offsets) => offsets.get(&queue(0)).copied(),
            _ => None,
        })
    };
    assert_eq!(stored(&mut scene), Some(1), "it is on its way");
    finish(&mut scene, 3);
    scene.consumer.give_up_queues(scene.now);
    assert_eq!(stored(&mut scene), Some(4), "nobody stores it later: the page is left");
}
