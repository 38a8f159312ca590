//! What an adversary found: what costs more as the work grows.

use std::collections::BTreeMap;

use super::scene::ms;
use super::*;
use crate::client::base::ids::Owner;
use crate::client::base::signal::Signal;
use crate::consumer::MessageSelector;
use crate::consumer::push::PushConfig;
use crate::producer::QueueChoice;
use crate::wire::code::RequestCode;

/// How many times as long eight times the work takes.
fn growth(what: impl Fn(u32) -> std::time::Duration) -> f64 {
    let best = |size| (0..3).map(|_| what(size)).min().unwrap().as_secs_f64();
    let (small, large) = (best(500), best(4000));
    println!("{small:.6} s, {large:.6} s");
    large / small
}

fn timed(act: impl FnOnce()) -> std::time::Duration {
    let begin = std::time::Instant::now();
    act();
    begin.elapsed()
}

#[test]
fn whatever_lock_was_asked_for_before_a_reset_goes_back_when_the_queue_has_left() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 1);
    super::push_consumers::be_broker(&mut scene, "a:1");
    // The first request gets lost with its connection; its second try is taken in late, and its answer never comes; the
    // other question, of after the reset, is answered at once.
    let mut asked_for = 0;
    scene.on("a:1", RequestCode::LOCK_BATCH_MQ, move |asked| {
        asked_for += 1;
        let wanted: crate::wire::body::QueueLockRequest = crate::wire::body::from_slice(&asked.command.body).unwrap();
        let locked = crate::wire::body::LockedQueues { lock_ok_mq_set: wanted.mq_set };
        (asked_for == 3).then(|| super::servers::Reply::ok().body(crate::wire::body::to_vec(&locked)))
    });
    let consumer = super::push_consumers::consume_orderly(&mut scene);
    while scene.asked_of("a:1", RequestCode::LOCK_BATCH_MQ).is_empty() {
        scene.run_for(ms(10));
    }
    scene.cut("a:1", "reset");
    while scene.asked_of("a:1", RequestCode::LOCK_BATCH_MQ).len() < 3 {
        scene.run_for(ms(10));
    }
    scene.client.unsubscribe(scene.now, consumer, "T");
    scene.run_for(ms(20_000));
    let of = |code| scene.asked_of("a:1", code).iter().map(|asked| asked.at).collect::<Vec<_>>();
    let (locks, unlocks) = (of(RequestCode::LOCK_BATCH_MQ), of(RequestCode::UNLOCK_BATCH_MQ));
    // The second try's answer is given up 3 s after it was asked for; only then it is known what became of it.
    let is_given_back_later = unlocks.iter().any(|at| at.since(locks[1]) >= ms(2900));
    assert!(is_given_back_later, "locks asked for at {locks:?}, given back at {unlocks:?}");
}
