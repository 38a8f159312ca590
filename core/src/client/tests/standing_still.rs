//! Clients whose host stood still until brokers forgot them: whoever is the first to call, nothing is said of how far they were.

use std::collections::BTreeMap;

use super::scene::ms;
use super::servers::{self, Reply};
use super::*;
use crate::client::PushConsumerId;
use crate::consumer::MessageSelector;
use crate::consumer::push::{ConsumeOrder, ConsumeOutcome, PushConfig};
use crate::time::Duration;
use crate::wire::body::{self, LockedQueues, QueueLockRequest};
use crate::wire::code::RequestCode;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

fn be_alone(scene: &mut Scene) {
    scene.on("a:1", RequestCode::GET_CONSUMER_LIST_BY_GROUP, |_| {
        Some(Reply::ok().body(r#"{"consumerIdList":["127.0.0.1@DEFAULT"]}"#))
    });
    scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
    scene.on("a:1", RequestCode::GET_MIN_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
    scene.on("a:1", RequestCode::PULL_MESSAGE, |asked| Some(servers::three_from_five(asked)));
    scene.on("a:1", RequestCode::LOCK_BATCH_MQ, |asked| {
        let wanted: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
        Some(Reply::ok().body(body::to_vec(&LockedQueues { lock_ok_mq_set: wanted.mq_set })))
    });
}

fn start(scene: &mut Scene, group: &str, config: PushConfig) -> PushConsumerId {
    let topics = vec![("T".to_owned(), MessageSelector::all())];
    scene.client.start_push_consumer(scene.now, group, config, topics, BTreeMap::new()).unwrap()
}

/// Has finished 5 to 7 of both queues, and would commit that after ten minutes; holds back the last message if told so.
fn busy(order: ConsumeOrder) -> (Scene, PushConsumerId) {
    let mut scene = scene_of(&["a"]);
    be_alone(&mut scene);
    let config = PushConfig { order, commit_interval: ms(600_000), ..PushConfig::default() };
    let consumer = start(&mut scene, "C", config);
    scene.run_for(ms(2000));
    while let Some(delivery) = scene.client.next_delivery(scene.now, consumer, 1) {
        scene.client.settle(scene.now, consumer, delivery.settlement, ConsumeOutcome::Success);
    }
    (scene, consumer)
}

fn stand_still(scene: &mut Scene, seconds: u64) {
    scene.now.mono = scene.now.mono + Duration::from_secs(seconds);
    scene.now.unix_ms += seconds * 1000;
    // Others have gone on.
    scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 200)));
}

fn committed(scene: &Scene) -> Vec<String> {
    scene
        .asked_of("a:1", COMMIT)
        .iter()
        .map(|asked| asked.field("commitOffset"))
        .filter(|offset| offset == "8")
        .collect()
}

/// The lid is closed while handlers may still end.
#[test]
fn a_consumer_that_was_closing_when_its_host_stood_still_does_not_say_how_far_it_was() {
    let mut scene = scene_of(&["a"]);
    be_alone(&mut scene);
    let config = PushConfig { commit_interval: ms(600_000), ..PushConfig::default() };
    let consumer = start(&mut scene, "C", config);
    scene.run_for(ms(2000));
    let mut all: Vec<_> = std::iter::from_fn(|| scene.client.next_delivery(scene.now, consumer, 3)).collect();
    let _in_hand = all.pop().unwrap();
    for delivery in all {
        scene.client.settle(scene.now, consumer, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.client.close_push_consumer(scene.now, consumer, ms(10_000));
    scene.settle();
    assert!(committed(&scene).is_empty());
    stand_still(&mut scene, 3600);
    scene.run_for(ms(3000));
    assert!(committed(&scene).is_empty(), "others were at 200 by then: {:?}", committed(&scene));
}

/// What wakes first is not always a timer.
#[test]
fn who_closes_a_consumer_as_soon_as_its_host_is_awake_does_not_say_how_far_it_was() {
    let (mut scene, consumer) = busy(ConsumeOrder::Concurrently);
    stand_still(&mut scene, 3600);
    scene.client.close_push_consumer(scene.now, consumer, ms(0));
    scene.run_for(ms(3000));
    assert!(committed(&scene).is_empty(), "others were at 200 by then: {:?}", committed(&scene));
}

#[test]
fn who_gives_its_queues_up_as_soon_as_its_host_is_awake_does_not_say_how_far_it_was() {
    let (mut scene, _) = busy(ConsumeOrder::Concurrently);
    stand_still(&mut scene, 3600);
    scene.client.give_up_queues(scene.now);
    scene.run_for(ms(3000));
    assert!(committed(&scene).is_empty(), "others were at 200 by then: {:?}", committed(&scene));
}

#[test]
fn who_commits_as_soon_as_its_host_is_awake_does_not_say_how_far_it_was() {
    let (mut scene, consumer) = busy(ConsumeOrder::Concurrently);
    stand_still(&mut scene, 3600);
    scene.client.commit_consumer(scene.now, consumer);
    scene.run_for(ms(3000));
    assert!(committed(&scene).is_empty(), "others were at 200 by then: {:?}", committed(&scene));
}

/// A list of members was on its way when the host stood still, and is read before timers are looked at: the queues have gone to others.
#[test]
fn an_answer_that_comes_before_the_timers_does_not_have_it_say_how_far_it_was() {
    let (mut scene, _) = busy(ConsumeOrder::Concurrently);
    // The list is asked for at the interval, and answered late.
    scene.on("a:1", RequestCode::GET_CONSUMER_LIST_BY_GROUP, |_| {
        Some(Reply::ok().body(r#"{"consumerIdList":["127.0.0.1@DEFAULT","0","1","2","3"]}"#).after(ms(500)))
    });
    let before = scene.asked_of("a:1", RequestCode::GET_CONSUMER_LIST_BY_GROUP).len();
    while scene.asked_of("a:1", RequestCode::GET_CONSUMER_LIST_BY_GROUP).len() == before {
        scene.run_for(ms(100));
    }
    assert!(committed(&scene).is_empty());
    stand_still(&mut scene, 3600);
    // What has come is read first.
    scene.settle();
    scene.run_for(ms(3000));
    assert!(committed(&scene).is_empty(), "others were at 200 by then: {:?}", committed(&scene));
}
