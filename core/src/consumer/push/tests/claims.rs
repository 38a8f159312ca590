//! Orderly queues that are ours by allocation alone: when and where they go on.

use super::super::ConsumeOutcome;
use super::super::asked::{self, Asked};
use super::super::wish::Wish;
use super::scene::{ME, SECOND, Scene, TOPIC, found, queue};
use crate::consumer::MessageSelector;
use crate::time::{Duration, Instant};

/// Answers all that is asked: the topic has one queue, which the group has been on, and a message wherever it is pulled from.
/// Gives where that was.
fn answer(scene: &mut Scene, members: &[&str]) -> Vec<u64> {
    let mut pulled = Vec::new();
    loop {
        let asks = scene.wishes();
        if asks.is_empty() {
            return pulled;
        }
        for ask in asks {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Queues { asked, .. } => asked.take(consumer, now, Ok(vec![queue(0)])),
                Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                    let members = members.iter().map(|member| (*member).to_owned()).collect();
                    consumer.take_members(now, (&topic, ticket, broker), Ok(members));
                }
                Wish::FormerOffset { asked, .. } => asked.take(consumer, now, Ok(None)),
                Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(0))),
                Wish::Commit { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::Pull { asked, queue, offset, .. } => {
                    pulled.push(offset);
                    asked.take(consumer, now, Ok(found(queue, offset..offset + 1)));
                }
                _ => {}
            }
            scene.allocate();
        }
    }
}

/// Consumes until this moment.
fn consume_until(scene: &mut Scene, second: u32) {
    while scene.now.mono < Instant::default() + second * SECOND {
        answer(scene, &[ME]);
        if let Some(delivery) = scene.deliver(1) {
            scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
        }
        scene.pass(SECOND);
    }
    answer(scene, &[ME]);
}

/// A delivery is in hand while `leaves` takes the queue and `returns` brings it back: how long after its end the next begins.
fn rest_after(leaves: impl Fn(&mut Scene), returns: impl Fn(&mut Scene)) -> Duration {
    let mut scene = Scene::claiming(|_| {});
    scene.pass(Duration::ZERO);
    consume_until(&mut scene, 39);
    let in_hand = scene.deliver(1).expect("one");
    leaves(&mut scene);
    scene.pass(SECOND);
    returns(&mut scene);
    for _ in 0..4 {
        scene.pass(SECOND);
        answer(&mut scene, &[ME]);
    }
    scene.consumer.settle(scene.now, in_hand.settlement, ConsumeOutcome::Success);
    let ended = scene.now.mono;
    while scene.deliver(1).is_none() {
        scene.pass(SECOND / 10);
        answer(&mut scene, &[ME]);
    }
    scene.now.mono.since(ended)
}

#[test]
fn a_queue_that_comes_back_while_a_delivery_is_in_hand_goes_on_when_that_ends() {
    let come = |scene: &mut Scene| {
        scene.consumer.rebalance_soon(scene.now.mono);
        scene.pass(SECOND);
        answer(scene, &["a", ME]);
    };
    let go = |scene: &mut Scene| {
        scene.consumer.rebalance_soon(scene.now.mono);
        scene.pass(SECOND);
        answer(scene, &[ME]);
    };
    let rest = rest_after(come, go);
    assert!(rest <= SECOND, "another member came and went: {rest:?}");
}

#[test]
fn so_does_one_whose_topic_is_unsubscribed_from_and_subscribed_to() {
    let leave = |scene: &mut Scene| {
        scene.consumer.unsubscribe(scene.now, TOPIC);
        answer(scene, &[ME]);
    };
    let rest = rest_after(leave, |scene| {
        scene.consumer.subscribe(scene.now, TOPIC, MessageSelector::all()).expect("it may");
        answer(scene, &[ME]);
    });
    assert!(rest <= SECOND, "{rest:?}");
}

/// Where it goes on after the connection to its broker was lost for so long, though the group's offset is 0 by then: the broker
/// has lost what was committed.
fn place_after(gone: Duration) -> u64 {
    let mut scene = Scene::claiming(|_| {});
    scene.pass(Duration::ZERO);
    consume_until(&mut scene, 10);
    scene.consumer.handle_disconnected(scene.now, "a");
    scene.pass(gone);
    loop {
        if let Some(place) = answer(&mut scene, &[ME]).first() {
            return *place;
        }
        scene.pass(SECOND);
    }
}

#[test]
fn nothing_is_repeated_that_a_broker_has_forgotten_unless_somebody_else_may_have_had_the_queue() {
    assert_eq!(place_after(5 * SECOND), 10);
    assert_eq!(place_after(60 * SECOND), 0);
}
