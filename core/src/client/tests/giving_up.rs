//! Consumers whose program is about to stand still: what brokers hear of their queues, and what they never hear afterwards.

use std::collections::BTreeMap;

use super::scene::ms;
use super::servers::{self, Reply};
use super::*;
use crate::client::PushConsumerId;
use crate::consumer::MessageSelector;
use crate::consumer::push::{ConsumeFrom, ConsumeOrder, PushConfig};
use crate::wire::body::{self, LockedQueues, QueueLockRequest};
use crate::wire::code::{RequestCode, ResponseCode};

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

/// Has `a` be the broker of a group that we are the only member of, and that has no offset there.
pub(super) fn be_alone(scene: &mut Scene) {
    scene.on("a:1", RequestCode::GET_CONSUMER_LIST_BY_GROUP, |_| {
        Some(Reply::ok().body(r#"{"consumerIdList":["127.0.0.1@DEFAULT"]}"#))
    });
    scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::code(ResponseCode::QUERY_NOT_FOUND)));
    scene.on("a:1", RequestCode::GET_MIN_OFFSET, |_| Some(Reply::ok().field("offset", 7)));
    scene.on("a:1", RequestCode::PULL_MESSAGE, |asked| Some(servers::nothing_new(asked).after(ms(10_000))));
    scene.on("a:1", RequestCode::LOCK_BATCH_MQ, |asked| {
        let wanted: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
        Some(Reply::ok().body(body::to_vec(&LockedQueues { lock_ok_mq_set: wanted.mq_set })))
    });
}

pub(super) fn start(scene: &mut Scene, config: PushConfig) -> PushConsumerId {
    let topics = vec![("T".to_owned(), MessageSelector::all())];
    scene.client.start_push_consumer(scene.now, "C", config, topics, BTreeMap::new()).unwrap()
}

/// An orderly consumer of both queues of `T` at the broker `a`, which begins at the first message.
fn orderly() -> (Scene, PushConsumerId) {
    let mut scene = scene_of(&["a"]);
    be_alone(&mut scene);
    // Commits are not answered: the page hears nothing any more.
    scene.on("a:1", COMMIT, |_| None);
    let (order, consume_from) = (ConsumeOrder::Orderly, ConsumeFrom::FirstOffset);
    let consumer = start(&mut scene, PushConfig { order, consume_from, ..PushConfig::default() });
    scene.run_for(ms(2000));
    (scene, consumer)
}

#[test]
fn brokers_hear_of_offsets_and_locks_at_once_and_are_not_asked_to_answer() {
    let (mut scene, _) = orderly();
    let before = scene.asked.len();
    scene.client.give_up_queues(scene.now);
    scene.settle();
    let said = scene.asked[before..].iter().map(|asked| (asked.code(), asked.command.is_oneway())).collect::<Vec<_>>();
    let unlock = RequestCode::UNLOCK_BATCH_MQ;
    assert_eq!(said, [(COMMIT, true), (COMMIT, true), (unlock, true)], "no time has passed");
    let unlocked: QueueLockRequest = body::from_slice(&scene.asked.last().unwrap().command.body).unwrap();
    assert_eq!(unlocked.mq_set.len(), 2, "one request gives all locks of a broker back");
    assert_eq!(scene.asked[before].field("commitOffset"), "7");
}

#[test]
fn what_was_not_answered_before_is_not_committed_on_the_next_connection() {
    let mut counts = Vec::new();
    for gives_up in [false, true] {
        let mut scene = scene_of(&["a"]);
        be_alone(&mut scene);
        scene.on("a:1", COMMIT, |_| None);
        let consume_from = ConsumeFrom::FirstOffset;
        start(&mut scene, PushConfig { consume_from, ..PushConfig::default() });
        scene.run_for(ms(2000));
        assert!(!scene.asked_of("a:1", COMMIT).is_empty(), "one is under way");
        // By the time of the next connection the group has an offset, which somebody else has committed.
        scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 200)));
        if gives_up {
            scene.client.give_up_queues(scene.now);
            scene.settle();
        }
        scene.cut("a:1", "frozen");
        let before = scene.asked_of("a:1", COMMIT).len();
        scene.run_for(ms(2000));
        let after = scene.asked_of("a:1", COMMIT);
        counts.push(after[before..].iter().filter(|asked| asked.field("commitOffset") == "7").count());
    }
    assert!(counts[0] > 0, "who does not give up tries again");
    assert_eq!(counts[1], 0);
}
