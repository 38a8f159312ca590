//! Where queues begin, and what is committed of them.

use std::collections::BTreeMap;

use super::super::ask::{Ask, Asked};
use super::super::{ConsumeFrom, Outcome};
use super::scene::{ME, SECOND, Scene, TOPIC, answer, failed, queue};
use crate::consumer::PullStatus;

/// What is asked of a queue whose group has no offset.
fn first_ask(from: ConsumeFrom) -> Ask {
    let mut scene = Scene::new(|config| config.consume_from = from);
    scene.rebalance(1, &[ME]);
    let (Asked::GroupOffset(id, ticket), _) = scene.ask() else { panic!() };
    scene.consumer.take_group_offset(scene.now, id, ticket, Ok(None));
    scene.ask().1
}

#[test]
fn a_group_without_an_offset_begins_where_it_is_set_up_to() {
    assert!(matches!(first_ask(ConsumeFrom::FirstOffset), Ask::MinOffset { .. }));
    assert!(matches!(first_ask(ConsumeFrom::Timestamp(7)), Ask::OffsetAt { unix_ms: 7, .. }));
}

#[test]
fn an_unknown_answer_never_counts_as_no_offset() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    for _ in 0..3 {
        let asks = scene.asks();
        let [(Asked::GroupOffset(id, ticket), _)] = &*asks else { panic!("{asks:?}") };
        scene.consumer.take_group_offset(scene.now, *id, *ticket, Err(failed()));
        assert!(scene.asks().is_empty(), "it is asked again, and nothing else");
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
        scene.consumer.settle(now, deliveries[index].settlement, Outcome::Success);
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
    let asked = scene.asks().into_iter().map(|(asked, _)| asked).last();
    let Some(Asked::Pull(id, ticket)) = asked else { panic!("{asked:?}") };
    let moved = answer(queue(0), PullStatus::OffsetIllegal, 50, bytes::Bytes::new());
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(moved));
    assert_eq!(scene.commits(), [50]);
    assert!(!scene.consumer.settle(scene.now, delivery.settlement, Outcome::Success));
    scene.commit_all();
    assert_eq!(scene.commits(), [] as [u64; 0]);
}

#[test]
fn an_administrator_sets_the_offsets_of_the_queues_that_are_ours() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.asks();
    let offsets = BTreeMap::from([(queue(0), 7), (queue(9), 3)]);
    scene.consumer.reset_offsets(scene.now, TOPIC, &offsets);
    let pulls: Vec<u64> = scene
        .asks()
        .into_iter()
        .filter_map(|(_, ask)| match ask {
            Ask::Pull { offset, .. } | Ask::Commit { offset, .. } => Some(offset),
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
    scene.consumer.settle(scene.now, first.settlement, Outcome::Success);
    scene.share(&[]);
    assert_eq!(scene.commits(), [2]);
}
