//! An application that follows its queues is waited for, each time it is told of one, and no longer than it may.

use super::super::wish::Wish;
use super::super::{PushEvent, Rebalanced};
use super::scene::{ME, SECOND, Scene};
use crate::time::Duration;

fn told(scene: &mut Scene) -> Vec<Rebalanced> {
    let changes = scene.events().into_iter().filter_map(|event| match event {
        PushEvent::Assigned(queues) | PushEvent::Revoked(queues) => Some(queues),
        _ => None,
    });
    changes.collect()
}

fn begins(scene: &mut Scene) -> bool {
    scene.wishes().iter().any(|ask| matches!(ask, Wish::GroupOffset { .. }))
}

#[test]
fn a_queue_begins_when_the_application_is_done_or_after_20_seconds() {
    for is_done in [true, false] {
        let mut scene = Scene::new(|config| config.follows_queues = true);
        scene.rebalance(1, &[ME]);
        let assigned = told(&mut scene);
        assert_eq!(assigned.len(), 1);
        scene.pass(20 * SECOND - Duration::from_micros(1));
        assert!(!begins(&mut scene), "the application is at it");
        if is_done {
            scene.consumer.rebalanced(scene.now, &assigned[0]);
        } else {
            scene.pass(Duration::from_micros(1));
        }
        assert!(begins(&mut scene), "{is_done}");
    }
}

#[test]
fn being_done_with_what_was_told_first_is_not_being_done_with_what_was_told_since() {
    let mut scene = Scene::new(|config| config.follows_queues = true);
    scene.rebalance(1, &[ME]);
    let assigned = told(&mut scene).remove(0);
    scene.consumer.unsubscribe(scene.now, super::scene::TOPIC);
    let revoked = told(&mut scene).remove(0);
    scene.consumer.rebalanced(scene.now, &assigned);
    assert_eq!(scene.consumer.queues.len(), 1, "it leaves once the application is done");
    scene.consumer.rebalanced(scene.now, &revoked);
    assert_eq!(scene.consumer.queues.len(), 0);
}

#[test]
fn without_a_follower_nobody_is_told_or_waited_for() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    assert!(told(&mut scene).is_empty() && begins(&mut scene));
}
