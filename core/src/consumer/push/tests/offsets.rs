//! Where queues begin, and what is committed of them.

use std::collections::BTreeMap;

use super::super::asked;
use super::super::wish::Wish;
use super::super::{ConsumeFrom, ConsumeOutcome};
use super::scene::{ME, SECOND, Scene, TOPIC, answer, failed, found, queue};
use crate::consumer::PullStatus;
use crate::time::Duration;

/// What is asked of a queue whose group has no offset.
fn first_ask(from: ConsumeFrom) -> Wish {
    let mut scene = Scene::new(|config| config.consume_from = from);
    scene.rebalance(1, &[ME]);
    let Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. } = scene.wish() else { panic!() };
    scene.consumer.take_group_offset(scene.now, id, ticket, Ok(None));
    scene.wish()
}

#[test]
fn a_group_without_an_offset_begins_where_it_is_set_up_to() {
    assert!(matches!(first_ask(ConsumeFrom::FirstOffset), Wish::MinOffset { .. }));
    assert!(matches!(first_ask(ConsumeFrom::Timestamp(7)), Wish::OffsetAt { unix_ms: 7, .. }));
}

#[test]
fn an_unknown_answer_never_counts_as_no_offset() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    for _ in 0..3 {
        let asks = scene.wishes();
        let [Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. }] = &*asks else { panic!("{asks:?}") };
        scene.consumer.take_group_offset(scene.now, *id, *ticket, Err(failed()));
        assert!(scene.wishes().is_empty(), "it is asked again, and nothing else");
        scene.pass(SECOND);
    }
}

#[test]
fn what_is_committed_never_falls_and_never_passes_an_unsettled_message() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..4);
    let deliveries: Vec<_> = (0..4).map(|_| scene.deliver(1).unwrap()).collect();
    let (now, mut committed) = (scene.now, Vec::new());
    for index in [2, 1, 3, 0] {
        scene.consumer.settle(now, deliveries[index].settlement, ConsumeOutcome::Success);
        scene.commit_all();
        committed.extend(scene.commits());
    }
    assert_eq!(committed, [4]);
}

#[test]
fn an_offset_that_the_broker_does_not_have_moves_the_queue_and_what_is_in_work_counts_no_more() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..2);
    let delivery = scene.deliver(1).unwrap();
    // What `fill` has left open is given back by nobody: the queue pulls anew.
    scene.consumer.pause(scene.now);
    scene.consumer.resume(scene.now);
    let asks = scene.wishes();
    let Some(&Wish::Pull { asked: asked::Pull(id, ticket), .. }) = asks.last() else { panic!("{asks:?}") };
    let moved = answer(queue(0), PullStatus::OffsetIllegal, 50, bytes::Bytes::new());
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(moved));
    assert_eq!(scene.commits(), [50]);
    assert!(!scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success));
    scene.commit_all();
    assert_eq!(scene.commits(), [] as [u64; 0]);
}

#[test]
fn an_administrator_sets_the_offsets_of_the_queues_that_are_ours() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.wishes();
    let offsets = BTreeMap::from([(queue(0), 7), (queue(9), 3)]);
    scene.consumer.reset_offsets(scene.now, TOPIC, &offsets);
    let pulls: Vec<u64> = scene
        .wishes()
        .into_iter()
        .filter_map(|ask| match ask {
            Wish::Pull { offset, .. } | Wish::Commit { offset, .. } => Some(offset),
            _ => None,
        })
        .collect();
    assert_eq!(pulls, [7, 7], "fetched from and committed");
}

#[test]
fn a_queue_that_leaves_is_committed_up_to_its_first_unfinished_message() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..4);
    let first = scene.deliver(2).unwrap();
    let _second = scene.deliver(1).unwrap();
    scene.consumer.settle(scene.now, first.settlement, ConsumeOutcome::Success);
    scene.share(&[]);
    assert_eq!(scene.commits(), [2]);
}

#[test]
fn a_next_offset_counts_whatever_the_status_and_however_soon_the_answer() {
    for status in [PullStatus::NoNewMessage, PullStatus::NoMatchedMessage, PullStatus::Found] {
        let mut scene = Scene::new(|_| {});
        scene.begin(1);
        let Wish::Pull { asked: asked::Pull(id, ticket), queue, offset: 0, .. } = scene.wish() else { panic!() };
        scene.consumer.take_pulled(scene.now, id, ticket, Ok(answer(queue, status, 7, bytes::Bytes::new())));
        let asks = scene.wishes();
        assert!(matches!(&*asks, [Wish::Pull { offset: 7, .. }]), "{status:?}: {asks:?}");
    }
}

#[test]
fn the_first_answer_of_nothing_which_no_broker_holds_is_followed_by_a_pull_at_once_and_each_later_one_by_a_pause() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let answer_nothing = |scene: &mut Scene| {
        let Wish::Pull { asked: asked::Pull(id, ticket), queue, wait, .. } = scene.wish() else { panic!() };
        let nothing = answer(queue, PullStatus::NoNewMessage, 0, bytes::Bytes::new());
        scene.consumer.take_pulled(scene.now, id, ticket, Ok(nothing));
        wait
    };
    assert_eq!(answer_nothing(&mut scene), Duration::ZERO);
    // Whoever waited now would have nobody hold a pull meanwhile.
    for _ in 0..3 {
        assert!(answer_nothing(&mut scene) > Duration::ZERO);
        assert!(scene.wishes().is_empty(), "it should have been held");
        scene.pass(Duration::from_millis(20));
    }
}

#[test]
fn a_broker_that_has_none_of_the_offsets_it_says_it_has_is_asked_once_a_second() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let mut asked = 0;
    for _ in 0..100 {
        for ask in scene.wishes() {
            match ask {
                Wish::Pull { asked: asked::Pull(id, ticket), queue, .. } => {
                    asked += 1;
                    let moved = answer(queue, PullStatus::OffsetIllegal, 5, bytes::Bytes::new());
                    scene.consumer.take_pulled(scene.now, id, ticket, Ok(moved));
                }
                Wish::Commit { asked: asked::Commit(id, ticket), .. } => {
                    scene.consumer.take_committed(scene.now, id, ticket, Ok(()))
                }
                _ => {}
            }
        }
        scene.pass(SECOND / 10);
    }
    assert!((9..=11).contains(&asked), "{asked} pulls in ten seconds");
}

#[test]
fn an_older_commit_under_way_never_lands_after_an_administrator_s_reset() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..4);
    let delivery = scene.deliver(4).unwrap();
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.wishes();
    scene.commit_all();
    let Wish::Commit { asked: asked::Commit(id, older), offset: 4, .. } = scene.wish() else { panic!() };
    scene.consumer.reset_offsets(scene.now, TOPIC, &BTreeMap::from([(queue(0), 1)]));
    let commits =
        |scene: &mut Scene| scene.wishes().into_iter().filter(|ask| matches!(ask, Wish::Commit { .. })).count();
    assert_eq!(commits(&mut scene), 0, "it might be overtaken by the older one");
    scene.consumer.take_committed(scene.now, id, older, Ok(()));
    let asks = scene.wishes();
    assert!(asks.iter().any(|ask| matches!(ask, Wish::Commit { offset: 1, .. })), "{asks:?}");
}

#[test]
fn where_a_group_begins_is_committed_at_once_and_again_a_second_later_when_that_fails() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    let Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. } = scene.wish() else { panic!() };
    scene.consumer.take_group_offset(scene.now, id, ticket, Ok(None));
    let Wish::MinOffset { asked: asked::FirstOffset(id, ticket), .. } = scene.wish() else { panic!() };
    scene.consumer.take_first_offset(scene.now, id, ticket, Ok(Some(9)));
    for _ in 0..3 {
        let asks = scene.wishes();
        let commit = asks.iter().find_map(|ask| match ask {
            Wish::Commit { asked: asked::Commit(id, ticket), offset: 9, .. } => Some((*id, *ticket)),
            _ => None,
        });
        let (id, ticket) = commit.expect("a commit");
        scene.consumer.take_committed(scene.now, id, ticket, Err(failed()));
        scene.pass(SECOND);
    }
}

#[test]
fn behind_a_record_without_a_length_the_others_are_fetched_and_what_is_passed_over_is_told() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let Wish::Pull { asked: asked::Pull(id, ticket), queue: of, .. } = scene.wish() else { panic!() };
    let mut pulled = found(of, 0..32);
    // The third of 32 records of the same length says to be four times as long as all of them.
    let (length, mut body) = (pulled.body.len() / 32, pulled.body.to_vec());
    let wrong = (body.len() as u32 * 4).to_be_bytes();
    body[2 * length..2 * length + 4].copy_from_slice(&wrong);
    pulled.body = body.into();
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(pulled));
    let asks = scene.wishes();
    let [Wish::Pull { asked: asked::Pull(id, ticket), queue: of, offset: 3, .. }] = &*asks else { panic!("{asks:?}") };
    scene.consumer.take_pulled(scene.now, *id, *ticket, Ok(found(of.clone(), 3..32)));
    let status = scene.consumer.status(scene.now);
    assert_eq!((status.refused, status.queues[0].passed_over, status.queues[0].last_passed_over), (1, 1, Some(2)));
    assert_eq!(status.queues[0].cached_messages, 31);
}

#[test]
fn the_last_commit_of_a_queue_is_tried_again_when_its_broker_is_busy_once() {
    let mut scene = Scene::new(|config| config.commit_interval = 1000 * SECOND);
    scene.begin(1);
    scene.fill(0..5);
    while let Some(delivery) = scene.deliver(5) {
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.wishes();
    scene.consumer.close(scene.now, 10 * SECOND);
    let mut offsets = Vec::new();
    for _ in 0..5 {
        for ask in scene.wishes() {
            if let Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } = ask {
                let busy = crate::error::Error::refused(crate::wire::code::ResponseCode::SYSTEM_BUSY, None);
                let result = if offsets.is_empty() { Err(busy) } else { Ok(()) };
                offsets.push(offset);
                scene.consumer.take_committed(scene.now, id, ticket, result);
            }
        }
        scene.pass(SECOND / 2);
    }
    assert_eq!(offsets, [5, 5], "or whoever is next gets five messages again");
}

#[test]
fn an_offset_that_is_committed_is_said_once_more_after_a_while_since_somebody_may_have_said_an_older_one() {
    let mut scene = Scene::new(|config| config.commit_interval = 5 * SECOND);
    scene.begin(1);
    scene.fill(0..5);
    while let Some(delivery) = scene.deliver(5) {
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    let mut commits = Vec::new();
    for _ in 0..80 {
        scene.pass(SECOND);
        for ask in scene.wishes() {
            if let Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } = ask {
                commits.push(offset);
                scene.consumer.take_committed(scene.now, id, ticket, Ok(()));
            }
        }
    }
    assert_eq!(commits, [5, 5, 5], "each half minute, not each interval");
}
