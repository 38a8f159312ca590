//! Rebalance: what is asked when, and what a failed look-up leaves as it is.

use std::collections::BTreeMap;

use super::super::asked;
use super::super::wish::Wish;
use super::scene::{ME, SECOND, Scene, TOPIC, failed, queue};
use crate::consumer::MessageSelector;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::time::Duration;

#[test]
fn a_member_takes_its_share_of_the_sorted_queues_and_members() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(4, &["z", ME, "a"]);
    let asked: Vec<u32> = scene
        .wishes()
        .into_iter()
        .map(|ask| match ask {
            Wish::GroupOffset { queue, .. } => queue.queue_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [2], "a has 0 and 1, z has 3");
}

#[test]
fn nothing_is_dropped_when_a_look_up_fails_and_it_is_tried_again_a_second_later() {
    let mut scene = Scene::new(|_| {});
    scene.begin(4);
    scene.wishes();
    scene.pass(20 * SECOND);
    scene.answer_queues(Err(failed()));
    assert_eq!(scene.consumer.queues.len(), 4);
    scene.pass(SECOND);
    scene.answer_queues(Ok((0..4).map(queue).collect()));
    scene.answer_members(Err(failed()));
    assert_eq!(scene.consumer.queues.len(), 4);
    scene.pass(SECOND);
    assert!(matches!(scene.wish(), Wish::Queues { .. }));
}

#[test]
fn a_list_without_us_is_believed_the_second_time_only_and_brokers_hear_of_us_again() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.wishes();
    scene.pass(20 * SECOND);
    scene.rebalance(2, &["other"]);
    assert!(scene.wishes().iter().any(|ask| matches!(ask, Wish::Heartbeat)));
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
    scene.wishes();
    let rebalances = |scene: &mut Scene| scene.wishes().iter().filter(|ask| matches!(ask, Wish::Queues { .. })).count();
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
    let pulls = scene.wishes();
    scene.pass(20 * SECOND);
    scene.wishes();
    scene.share(&[]);
    let cancelled = scene.wishes().iter().filter(|ask| matches!(ask, Wish::CancelPull { .. })).count();
    assert_eq!(cancelled, 2);
    for ask in pulls {
        if let Wish::Pull { asked: asked::Pull(id, ticket), queue, .. } = ask {
            scene.consumer.take_pulled(scene.now, id, ticket, Ok(super::scene::found(queue, 0..3)));
        }
    }
    assert!(scene.deliver(10).is_none());
}

#[test]
fn a_topic_that_does_not_exist_is_asked_about_every_second_and_no_other_with_it() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.wishes();
    scene.consumer.subscribe(scene.now, "missing", MessageSelector::all()).unwrap();
    let mut asked = BTreeMap::<String, u32>::new();
    for _ in 0..15 {
        scene.pass(SECOND);
        for ask in scene.wishes() {
            let Wish::Queues { asked: asked::Queues(topic, ticket), .. } = ask else { continue };
            *asked.entry(topic.to_string()).or_default() += 1;
            let absent = || Error::new(ErrorKind::TopicNotFound, "");
            let queues = if &*topic == "missing" { Err(absent()) } else { Ok(vec![queue(0)]) };
            scene.consumer.take_queues(scene.now, &topic, ticket, queues);
        }
        let members = Ok(vec![ME.to_owned()]);
        for ask in scene.wishes() {
            if let Wish::Members { asked: asked::Members(topic, ticket, broker), .. } = ask {
                scene.consumer.take_members(scene.now, (&topic, ticket, broker), members.clone());
                scene.allocate();
            }
        }
    }
    assert_eq!(asked, BTreeMap::from([("missing".to_owned(), 15)]));
}

#[test]
fn a_list_without_us_for_each_of_two_topics_takes_no_queue_away() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.wishes();
    scene.consumer.subscribe(scene.now, "U", MessageSelector::all()).unwrap();
    scene.pass(SECOND);
    for _ in 0..2 {
        let asks = scene.wishes();
        for ask in asks {
            match ask {
                Wish::Queues { asked: asked::Queues(topic, ticket), .. } => {
                    let queues =
                        Ok(vec![MessageQueue::new(topic.clone(), "a", 0), MessageQueue::new(topic.clone(), "a", 1)]);
                    scene.consumer.take_queues(scene.now, &topic, ticket, queues);
                }
                Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                    scene.consumer.take_members(scene.now, (&topic, ticket, broker), Ok(vec!["other".to_owned()]));
                    scene.allocate();
                }
                _ => {}
            }
        }
    }
    assert_eq!(scene.consumer.queues.of_topic("T").len(), 2);
    assert!(scene.consumer.queues.iter().all(|(_, known)| known.is_consuming()));
}

#[test]
fn a_member_that_is_listed_twice_owns_all_queues_that_it_would_own_alone() {
    // Apache's brokers list one by each of its connections, and notice within two minutes that one has ended.
    let mut scene = Scene::new(|_| {});
    scene.rebalance(4, &[ME, ME]);
    assert_eq!(scene.consumer.queues.of_topic(TOPIC).len(), 4);
}
