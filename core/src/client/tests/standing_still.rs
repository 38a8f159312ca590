//! Clients whose host stood still until brokers forgot them: whoever is the first to call, nothing is said of how far they were.

use super::giving_up::{be_alone, start};
use super::scene::ms;
use super::servers::{self, Reply};
use super::*;
use crate::client::PushConsumerId;
use crate::consumer::push::{ConsumeOrder, ConsumeOutcome, PushConfig};
use crate::time::Duration;
use crate::wire::code::RequestCode;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

/// Has `a` bring three messages of each queue from 5 on, where the group is.
fn bring_from_five(scene: &mut Scene) {
    be_alone(scene);
    scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
    scene.on("a:1", RequestCode::PULL_MESSAGE, |asked| Some(servers::three_from_five(asked)));
}

/// Has finished 5 to 7 of both queues, and would commit that after ten minutes.
fn busy(order: ConsumeOrder) -> (Scene, PushConsumerId) {
    let mut scene = scene_of(&["a"]);
    bring_from_five(&mut scene);
    let config = PushConfig { order, commit_interval: ms(600_000), ..PushConfig::default() };
    let consumer = start(&mut scene, config);
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
    bring_from_five(&mut scene);
    let config = PushConfig { commit_interval: ms(600_000), ..PushConfig::default() };
    let consumer = start(&mut scene, config);
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
fn whatever_the_application_does_first_when_its_host_is_awake_it_does_not_say_how_far_it_was() {
    let firsts: [fn(&mut Scene, PushConsumerId); 3] = [
        |scene, consumer| scene.client.close_push_consumer(scene.now, consumer, ms(0)),
        |scene, consumer| scene.client.commit_consumer(scene.now, consumer),
        |scene, _| scene.client.give_up_queues(scene.now),
    ];
    for (number, does_first) in firsts.into_iter().enumerate() {
        let (mut scene, consumer) = busy(ConsumeOrder::Concurrently);
        stand_still(&mut scene, 3600);
        does_first(&mut scene, consumer);
        scene.run_for(ms(3000));
        assert!(committed(&scene).is_empty(), "{number}: others were at 200 by then: {:?}", committed(&scene));
    }
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

#[test]
fn who_stood_still_until_brokers_forgot_it_does_not_say_how_far_it_was_and_begins_where_the_group_is() {
    for order in [ConsumeOrder::Concurrently, ConsumeOrder::Orderly] {
        let (mut scene, consumer) = busy(order);
        let offsets = |scene: &Scene| {
            let status = scene.client.consumer_status(scene.now, consumer).expect("it is there");
            status.queues.iter().map(|known| known.offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(&scene), [8, 8], "{order:?}");
        stand_still(&mut scene, 3600);
        scene.client.handle_timeout(scene.now);
        let notices: Vec<_> =
            std::iter::from_fn(|| scene.client.poll_notice()).map(|notice| notice.to_string()).collect();
        assert!(notices.iter().any(|words| words.contains("stood still")), "{notices:?}");
        scene.run_for(ms(3000));
        let committed =
            scene.asked_of("a:1", COMMIT).iter().map(|asked| asked.field("commitOffset")).collect::<Vec<_>>();
        assert!(committed.iter().all(|offset| offset == "200"), "{order:?}: {committed:?}");
        assert_eq!(offsets(&scene), [200, 200], "{order:?}");
    }
}

#[test]
fn who_is_late_for_less_than_that_goes_on_with_its_queues() {
    // Timers of hidden pages come once a minute, and a heartbeat may have been due just before.
    let (mut scene, consumer) = busy(ConsumeOrder::Concurrently);
    let before = scene.asked_of("a:1", RequestCode::QUERY_CONSUMER_OFFSET).len();
    stand_still(&mut scene, 61);
    scene.run_for(ms(3000));
    let status = scene.client.consumer_status(scene.now, consumer).expect("it is there");
    assert!(status.queues.iter().all(|known| known.offset == 8));
    assert_eq!(scene.asked_of("a:1", RequestCode::QUERY_CONSUMER_OFFSET).len(), before, "it does not begin anew");
}
