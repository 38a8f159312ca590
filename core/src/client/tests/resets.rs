//! Having a group go on elsewhere: who is asked, and what is done where no member is there to be told.

use std::collections::BTreeMap;

use super::dialects::smartgo_scene;
use super::scene::ms;
use super::servers::{self, Reply, broker_data};
use super::*;
use crate::consumer::push::ConsumeFrom;
use crate::queue::MessageQueue;
use crate::routes::route::Permission;
use crate::wire::body::{self, QueueKey, ResetOffsets};
use crate::wire::code::{RequestCode, ResponseCode};

const RESET: RequestCode = RequestCode::INVOKE_BROKER_TO_RESET_OFFSET;
const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;
const FIRST: RequestCode = RequestCode::GET_MIN_OFFSET;
const LAST: RequestCode = RequestCode::GET_MAX_OFFSET;
const SINCE: RequestCode = RequestCode::SEARCH_OFFSET_BY_TIMESTAMP;

fn reset(scene: &mut Scene, to: ConsumeFrom) -> Result<Vec<(String, u64)>, Error> {
    let operation = scene.client.reset_group_offsets(scene.now, "C", "T", to);
    let offsets: BTreeMap<MessageQueue, u64> = scene.wait(operation)?;
    Ok(offsets.into_iter().map(|(queue, offset)| (queue.to_string(), offset)).collect())
}

/// What a broker says that has set these offsets, or told members of them.
fn table(broker: &str, topic: &str, offsets: &[(i32, i64)]) -> Reply {
    let key = |id: i32| QueueKey { broker_name: broker.to_owned(), queue_id: id, topic: topic.to_owned() };
    let offset_table = offsets.iter().map(|(id, offset)| (key(*id), *offset)).collect();
    Reply::ok().body(body::to_vec(&ResetOffsets { offset_table }))
}

fn not_online() -> Reply {
    Reply::code(ResponseCode::CONSUMER_NOT_ONLINE).remark("Consumer not online, so can not reset offset")
}

/// Nobody of the group is at the broker `b`, which has these offsets.
fn scene_at_rest() -> Scene {
    let mut scene = scene_of(&["a", "b"]);
    scene.on("a:1", RESET, |_| Some(table("a", "T", &[(0, 1), (1, 2)])));
    scene.on("b:1", RESET, |_| Some(not_online()));
    for (code, offset) in [(FIRST, 10), (LAST, 20), (SINCE, 15)] {
        scene.on("b:1", code, move |asked| {
            let queue: i64 = asked.field("queueId").parse().unwrap();
            Some(Reply::ok().field("offset", offset + queue))
        });
    }
    scene
}

fn named(offsets: [(&str, u64); 4]) -> Vec<(String, u64)> {
    offsets.map(|(queue, offset)| (queue.to_owned(), offset)).to_vec()
}

#[test]
fn all_masters_of_the_topic_are_asked_to_reset_a_group_and_say_where_it_goes_on() {
    for (to, timestamp) in [
        (ConsumeFrom::FirstOffset, "0"),
        (ConsumeFrom::LastOffset, "-1"),
        (ConsumeFrom::Timestamp(77), "77"),
        (ConsumeFrom::Timestamp(u64::MAX), "9223372036854775807"),
    ] {
        let mut scene = scene_of(&["a", "b"]);
        scene.on("a:1", RESET, |_| Some(table("a", "T", &[(0, 1), (1, 2)])));
        scene.on("b:1", RESET, |_| Some(table("b", "T", &[(0, 3), (1, 4)]).after(ms(50))));
        let expected = named([("T@a:0", 1), ("T@a:1", 2), ("T@b:0", 3), ("T@b:1", 4)]);
        assert_eq!(reset(&mut scene, to).unwrap(), expected);
        let asked = scene.asked_of("b:1", RESET)[0];
        for (name, value) in [("group", "C"), ("topic", "T"), ("timestamp", timestamp), ("isForce", "true")] {
            assert_eq!(asked.field(name), value, "the field {name}");
        }
        assert!(scene.asked.iter().all(|asked| asked.code() != COMMIT));
    }
}

#[test]
fn where_no_member_is_there_offsets_are_looked_up_and_committed() {
    for (to, code, first) in [
        (ConsumeFrom::FirstOffset, FIRST, 10),
        (ConsumeFrom::LastOffset, LAST, 20),
        (ConsumeFrom::Timestamp(77), SINCE, 15),
    ] {
        let mut scene = scene_at_rest();
        let expected = named([("T@a:0", 1), ("T@a:1", 2), ("T@b:0", first), ("T@b:1", first + 1)]);
        assert_eq!(reset(&mut scene, to).unwrap(), expected);
        let commits = scene.asked_of("b:1", COMMIT).into_iter();
        let commits: Vec<_> = commits
            .map(|asked| ["consumerGroup", "topic", "queueId", "commitOffset"].map(|name| asked.field(name)))
            .collect();
        let commit = |queue: u64| ["C".to_owned(), "T".to_owned(), queue.to_string(), (first + queue).to_string()];
        assert_eq!(commits, [commit(0), commit(1)]);
        let looked_up = scene.asked_of("b:1", code);
        assert_eq!(looked_up.len(), 2);
        assert!(code != SINCE || looked_up.iter().all(|asked| asked.field("timestamp") == "77"));
        assert!(scene.asked_of("a:1", COMMIT).is_empty());
    }
}

#[test]
fn a_broker_is_told_one_offset_after_the_other() {
    let mut scene = scene_at_rest();
    scene.book.route("T", &["a", "b"], 5);
    scene.on("b:1", COMMIT, |_| Some(Reply::ok().after(ms(100))));
    reset(&mut scene, ConsumeFrom::FirstOffset).unwrap();
    let times: Vec<_> = scene.asked_of("b:1", COMMIT).iter().map(|asked| asked.at).collect();
    assert_eq!(times.len(), 5);
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= ms(100)), "{times:?}");
}

#[test]
fn a_group_that_a_broker_does_not_know_is_not_found() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", RESET, |_| {
        Some(Reply::code(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST).remark("Group C does not exist"))
    });
    let unknown = error(reset(&mut scene, ConsumeFrom::FirstOffset));
    assert_eq!((unknown.kind(), unknown.remark()), (ErrorKind::GroupNotFound, Some("Group C does not exist")));
    assert!(unknown.to_string().contains("group C in topic T"), "{unknown}");
    // One of 4.9 says so of a group that has not committed an offset of each queue.
    scene
        .on("a:1", RESET, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("THe consumer group <C> not exist")));
    let refused = error(reset(&mut scene, ConsumeFrom::FirstOffset));
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Refused, Some(ResponseCode::SYSTEM_ERROR)));
    assert!(refused.to_string().contains("has not committed an offset of each"), "{refused}");
    assert!(scene.asked_of("a:1", COMMIT).is_empty());
    scene.book.routes.clear();
    assert_eq!(kind(reset(&mut scene, ConsumeFrom::FirstOffset)), ErrorKind::TopicNotFound);
}

#[test]
fn nothing_is_reset_while_the_master_of_a_queue_is_away() {
    let mut scene = scene_of(&["a"]);
    let route = servers::route_by(vec![broker_data("a", &[0]), broker_data("b", &[1])], 2, Permission::READ_WRITE);
    scene.book.routes.insert("T".to_owned(), route);
    let away = error(reset(&mut scene, ConsumeFrom::FirstOffset));
    assert_eq!((away.kind(), away.broker_name()), (ErrorKind::BrokerNotFound, Some("b")));
    assert!(scene.asked_of("a:1", RESET).is_empty());
}

#[test]
fn an_error_of_a_reset_says_at_which_broker_and_nothing_odd_is_believed() {
    let odd = [
        table("a", "T", &[(0, -1)]),
        table("a", "T", &[(-1, 0)]),
        table("a", "U", &[(0, 0)]),
        Reply::ok(),
        Reply::ok().body("[]"),
    ];
    for reply in odd {
        let mut scene = scene_at_rest();
        scene.on("a:1", RESET, move |_| Some(reply.clone()));
        let error = error(reset(&mut scene, ConsumeFrom::FirstOffset));
        assert_eq!((error.kind(), error.address().unwrap().as_str()), (ErrorKind::MalformedAnswer, "a:1"), "{error}");
    }
    for reply in [Reply::ok(), Reply::ok().field("offset", -1), Reply::ok().field("offset", "x")] {
        let mut scene = scene_at_rest();
        scene.on("b:1", FIRST, move |_| Some(reply.clone()));
        let error = error(reset(&mut scene, ConsumeFrom::FirstOffset));
        assert_eq!((error.kind(), error.broker_name()), (ErrorKind::MalformedAnswer, Some("b")), "{error}");
        assert!(scene.asked_of("b:1", COMMIT).is_empty());
    }
    let mut scene = scene_at_rest();
    scene.on("b:1", COMMIT, |_| Some(Reply::code(ResponseCode::NO_PERMISSION).remark("not you")));
    let refused = error(reset(&mut scene, ConsumeFrom::FirstOffset));
    assert_eq!((refused.code(), refused.broker_name()), (Some(ResponseCode::NO_PERMISSION), Some("b")));
}

#[test]
fn a_reset_rides_out_a_broker_that_is_busy() {
    let mut scene = scene_at_rest();
    let mut busy = true;
    scene.on("b:1", COMMIT, move |_| {
        let reply = if busy { Reply::code(ResponseCode::SYSTEM_BUSY) } else { Reply::ok() };
        busy = false;
        Some(reply)
    });
    assert_eq!(reset(&mut scene, ConsumeFrom::FirstOffset).unwrap().len(), 4);
    let commits: Vec<_> = scene.asked_of("b:1", COMMIT).iter().map(|asked| asked.field("queueId")).collect();
    assert_eq!(commits, ["0", "0", "1"]);
}

#[test]
fn smartgos_brokers_are_not_asked_for_a_reset_to_the_end() {
    let mut scene = smartgo_scene();
    let refused = error(reset(&mut scene, ConsumeFrom::LastOffset));
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("(Dialect::Smartgo) do not know resets to the end"), "{refused}");
    assert!(scene.opened.is_empty());
    scene.on("a:1", RESET, |_| Some(table("a", "T", &[(0, 0)]).of_smartgo()));
    assert!(reset(&mut scene, ConsumeFrom::Timestamp(77)).is_ok());
    let asked = scene.asked_of("a:1", RESET)[0];
    assert_eq!(asked.field("timestamp"), "76", "they name the message that is nearest");
    let names: Vec<_> = asked.command.fields.iter().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["Topic", "Group", "Timestamp", "IsForce"], "they refuse what they do not know");
}
