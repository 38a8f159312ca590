//! Rebalance: what is asked when, and what a failed look-up leaves as it is.

use super::super::ask::{Ask, Asked};
use super::scene::{ME, SECOND, Scene, failed};
use crate::time::Duration;

#[test]
fn a_member_takes_its_share_of_the_sorted_queues_and_members() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(4, &["z", ME, "a"]);
    let asked: Vec<u32> = scene
        .asks()
        .into_iter()
        .map(|(_, ask)| match ask {
            Ask::GroupOffset { queue } => queue.queue_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [2], "a has 0 and 1, z has 3");
}

#[test]
fn nothing_is_dropped_when_a_look_up_fails_and_it_is_tried_again_a_second_later() {
    let mut scene = Scene::new(|_| {});
    scene.begin(4);
    scene.asks();
    scene.pass(20 * SECOND);
    scene.answer_queues(Err(failed()));
    assert_eq!(scene.consumer.queues.len(), 4);
    scene.pass(SECOND);
    scene.answer_queues(Ok((0..4).map(super::scene::queue).collect()));
    scene.answer_members(Err(failed()));
    assert_eq!(scene.consumer.queues.len(), 4);
    scene.pass(SECOND);
    assert!(matches!(scene.ask(), (Asked::Queues(..), _)));
}

#[test]
fn a_list_without_us_is_believed_the_second_time_only_and_brokers_hear_of_us_again() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.asks();
    scene.pass(20 * SECOND);
    scene.rebalance(2, &["other"]);
    assert!(scene.asks().iter().any(|(_, ask)| matches!(ask, Ask::Heartbeat)));
    assert_eq!(scene.consumer.queues.len(), 2);
    scene.pass(SECOND);
    scene.rebalance(2, &["other"]);
    scene.commits();
    assert_eq!(scene.consumer.queues.len(), 0);
}

#[test]
fn what_asks_for_a_rebalance_within_a_second_of_the_last_is_merged() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.asks();
    let rebalances =
        |scene: &mut Scene| scene.asks().iter().filter(|(asked, _)| matches!(asked, Asked::Queues(..))).count();
    for _ in 0..5 {
        scene.consumer.rebalance_soon(scene.now.mono);
        scene.pass(Duration::from_millis(150));
        assert_eq!(rebalances(&mut scene), 0);
    }
    scene.pass(SECOND);
    assert_eq!(rebalances(&mut scene), 1);
}

#[test]
fn an_answer_that_comes_after_the_queue_has_left_is_nothing() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    let pulls = scene.asks();
    scene.pass(20 * SECOND);
    scene.asks();
    scene.share(&[]);
    let cancelled = scene.asks().iter().filter(|(_, ask)| matches!(ask, Ask::CancelPull)).count();
    assert_eq!(cancelled, 2);
    for (asked, ask) in pulls {
        if let (Asked::Pull(id, ticket), Ask::Pull { queue, .. }) = (asked, ask) {
            scene.consumer.take_pulled(scene.now, id, ticket, Ok(super::scene::found(queue, 0..3)));
        }
    }
    assert!(scene.deliver(10).is_none());
}
