//! What administrators ask about consumer groups: of whom, page by page, and what the answers add up to.

use super::dialects::smartgo_scene;
use super::scene::ms;
use super::servers::{self, Asked, Reply, broker_data};
use super::*;
use crate::admin::GroupLag;
use crate::routes::route::Permission;
use crate::wire::body::{self, ConsumeStats, ConsumedOffsets, QueueKey};
use crate::wire::code::{RequestCode, ResponseCode};

const LAG: RequestCode = RequestCode::GET_CONSUME_STATS;
const GROUPS: RequestCode = RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG;

fn ask_groups(scene: &mut Scene) -> Result<Vec<String>, Error> {
    let operation = scene.client.groups(scene.now);
    scene.wait(operation)
}

/// A page of groups, of this version of the broker's.
fn page(names: &[String], version: i64) -> Reply {
    let groups: Vec<_> = names.iter().map(|name| format!(r#""{name}":{{"groupName":"{name}"}}"#)).collect();
    Reply::ok().body(format!(
        r#"{{"dataVersion":{{"counter":{version},"stateVersion":0,"timestamp":5}},"subscriptionGroupTable":{{{}}}}}"#,
        groups.join(",")
    ))
}

fn names(range: core::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("g{number:02}")).collect()
}

/// What a broker of 5.4.0 gives that has these groups and pages of four (`SubscriptionGroupManager.subGroupTable`).
fn paged(asked: &Asked, all: &[String], version: i64) -> Reply {
    let is_same = asked.field("dataVersion").contains(&format!(r#""counter":{version},"#));
    let begin = if is_same { asked.field("groupSeq").parse().unwrap() } else { 0 };
    let end = all.len().min(begin + 4);
    page(&all[begin.min(end)..end], version).field("totalGroupNum", all.len())
}

#[test]
fn groups_are_those_of_all_masters_each_once_and_sorted() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.clusters.broker_addr_table.insert("b".to_owned(), broker_data("b", &[0, 1]));
    scene.on("a:1", GROUPS, |_| Some(page(&["z".to_owned(), "m".to_owned()], 1).after(ms(50))));
    scene.on("b:1", GROUPS, |_| Some(page(&["m".to_owned(), "a".to_owned()], 1).field("totalGroupNum", 2)));
    assert_eq!(ask_groups(&mut scene).unwrap(), ["a", "m", "z"]);
    assert!(scene.asked_of("b:2", GROUPS).is_empty(), "a slave has what its master has");
}

#[test]
fn a_broker_that_gives_groups_by_pages_is_asked_for_all_of_them() {
    // Of 5, Java's client would take the first four for all.
    for count in [0, 3, 4, 5, 8, 9] {
        let mut scene = scene_of(&["a"]);
        let all = names(0..count);
        let known = all.clone();
        scene.on("a:1", GROUPS, move |asked| Some(paged(asked, &known, 7)));
        assert_eq!(ask_groups(&mut scene).unwrap(), all);
        let asked = scene.asked_of("a:1", GROUPS);
        assert_eq!(asked.len(), count.div_ceil(4).max(1));
        assert_eq!(asked[0].field("groupSeq"), "0");
        assert!(asked[0].command.fields.get("dataVersion").is_none());
        assert!(asked.iter().all(|asked| asked.field("maxGroupNum") == "2000"));
    }
}

#[test]
fn groups_that_change_between_two_pages_are_listed_from_the_beginning() {
    let mut scene = scene_of(&["a"]);
    let mut count = 0;
    scene.on("a:1", GROUPS, move |asked| {
        count += 1;
        let (all, version) = if count == 1 { (names(0..9), 1) } else { (names(3..9), 2) };
        Some(paged(asked, &all, version))
    });
    assert_eq!(ask_groups(&mut scene).unwrap(), names(3..9));
}

#[test]
fn a_list_of_groups_that_does_not_end_is_an_error() {
    let odd: [fn(&Asked) -> Reply; 4] = [
        |_| page(&names(0..4), 1).field("totalGroupNum", 5),
        |_| page(&names(0..4), 1).field("totalGroupNum", i32::MAX),
        |_| page(&names(0..4), 1).field("totalGroupNum", "many"),
        |_| Reply::ok().body("[]"),
    ];
    for reply in odd {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", GROUPS, move |asked| Some(reply(asked)));
        let error = error(ask_groups(&mut scene));
        assert_eq!((error.kind(), error.address().unwrap().as_str()), (ErrorKind::MalformedAnswer, "a:1"), "{error}");
        // A page that brings nothing has the first asked for again, a few times.
        assert!(scene.asked_of("a:1", GROUPS).len() <= 10);
    }
    // One whose groups never stay the same is asked as long as there is time.
    let mut scene = scene_of(&["a"]);
    let mut version = 0;
    scene.on("a:1", GROUPS, move |asked| {
        version += 1;
        Some(paged(asked, &names(0..9), version).after(ms(100)))
    });
    assert_eq!((kind(ask_groups(&mut scene)), millis(&scene)), (ErrorKind::Timeout, 12_000));
}

#[test]
fn one_broker_that_does_not_list_its_groups_fails_the_list() {
    let mut scene = scene_of(&["a", "b"]);
    scene.on("a:1", GROUPS, |_| Some(page(&names(0..1), 1)));
    scene.on("b:1", GROUPS, |_| Some(Reply::code(ResponseCode::NO_PERMISSION).remark("not you")));
    let error = error(ask_groups(&mut scene));
    assert_eq!(error.to_string(), "list of groups: NO_PERMISSION (16): not you (at b:1)");
}

#[test]
fn smartgos_servers_are_not_asked_what_they_do_not_know_of_groups() {
    let mut scene = smartgo_scene();
    let error = error(ask_groups(&mut scene));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("(Dialect::Smartgo) do not know lists of groups"), "{error}");
    assert!(scene.opened.is_empty());
}

/// What a broker says of a group: queue, offset of the broker, offset of the group.
fn consumed(broker: &str, offsets: &[(&str, i32, i64, i64)]) -> Reply {
    let offsets = offsets.iter().map(|(topic, queue_id, broker_offset, consumer_offset)| {
        let key = QueueKey { broker_name: broker.to_owned(), queue_id: *queue_id, topic: (*topic).to_owned() };
        let (broker_offset, consumer_offset) = (*broker_offset, *consumer_offset);
        (key, ConsumedOffsets { broker_offset, consumer_offset, last_timestamp: 5, pull_offset: 0 })
    });
    Reply::ok().body(body::to_vec(&ConsumeStats { consume_tps: 0.0, offset_table: offsets.collect() }))
}

fn ask_lag(scene: &mut Scene) -> Result<GroupLag, Error> {
    let operation = scene.client.group_lag(scene.now, "C");
    scene.wait(operation)
}

/// The brokers `a`, `b` and `c`, of which the first two have the group's retry topic.
fn scene_of_group() -> Scene {
    let mut scene = scene_of(&["a", "b", "c"]);
    scene.book.route("%RETRY%C", &["a", "b"], 1);
    ["a:1", "b:1", "c:1"].iter().for_each(|at| scene.on(at, LAG, |_| Some(consumed("x", &[]))));
    scene
}

#[test]
fn the_lag_of_a_group_is_that_of_all_brokers_with_its_retry_topic_together() {
    let mut scene = scene_of_group();
    scene.on("a:1", LAG, |_| Some(consumed("a", &[("T", 0, 10, 7), ("T", 1, 4, 4)]).after(ms(50))));
    scene.on("b:1", LAG, |_| Some(consumed("b", &[("T", 0, 100, 20), ("%RETRY%C", 0, 3, 1)])));
    let lag = ask_lag(&mut scene).unwrap();
    let shown: Vec<_> = lag.queues.iter().map(|(queue, at)| (queue.to_string(), at.lag(), at.last_timestamp)).collect();
    let expected = [("%RETRY%C@b:0", 2, 5), ("T@a:0", 3, 5), ("T@a:1", 0, 5), ("T@b:0", 80, 5)];
    assert_eq!(shown, expected.map(|(queue, lag, at)| (queue.to_owned(), lag, at)));
    assert_eq!((lag.total(), lag.of_topic("T"), lag.of_topic("U")), (85, 83, 0));
    assert!(scene.asked_of("c:1", LAG).is_empty());
    assert_eq!(scene.asked_of("a:1", LAG)[0].field("consumerGroup"), "C");
}

#[test]
fn while_a_master_is_away_its_slave_tells_the_lag() {
    let mut scene = scene_of_group();
    scene.server("b:2");
    let route = servers::route_by(vec![broker_data("a", &[0, 1]), broker_data("b", &[1])], 1, Permission::READ_WRITE);
    scene.book.routes.insert("%RETRY%C".to_owned(), route);
    scene.on("b:2", LAG, |_| Some(consumed("b", &[("T", 0, 9, 0)])));
    assert_eq!(ask_lag(&mut scene).unwrap().total(), 9);
    assert_eq!((scene.asked_of("a:1", LAG).len(), scene.asked_of("a:2", LAG).len()), (1, 0));
}

#[test]
fn a_group_without_a_retry_topic_is_looked_for_at_all_brokers() {
    let mut scene = scene_of_group();
    scene.book.routes.remove("%RETRY%C");
    scene.on("c:1", LAG, |_| Some(consumed("c", &[("T", 0, 9, 2)])));
    assert_eq!(ask_lag(&mut scene).unwrap().total(), 7);
    assert_eq!(scene.asked_of("a:1", LAG).len(), 1);
}

#[test]
fn a_group_that_nobody_knows_is_not_found_and_one_without_offsets_has_no_lag() {
    let mut scene = scene_of_group();
    assert_eq!(ask_lag(&mut scene), Ok(GroupLag::default()));
    scene.book.routes.remove("%RETRY%C");
    let error = error(ask_lag(&mut scene));
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::GroupNotFound, false));
    assert!(error.to_string().contains("lag of group C"), "{error}");
    let operation = scene.client.group_lag(scene.now, "no group");
    assert_eq!(kind(scene.wait(operation)), ErrorKind::InvalidArgument);
}

#[test]
fn numbers_in_a_lag_that_no_broker_would_give_do_no_harm() {
    let mut scene = scene_of_group();
    let odd = [("T", -1, 5, 0), ("T", 0, -5, 7), ("T", 1, i64::MAX, i64::MIN), ("T", 2, i64::MAX, 0), ("T", 3, 9, -1)];
    scene.on("a:1", LAG, move |_| Some(consumed("a", &odd)));
    let lag = ask_lag(&mut scene).unwrap();
    let lags: Vec<_> = lag.queues.values().map(|at| at.lag()).collect();
    assert_eq!((lags, lag.total()), (vec![0, i64::MAX as u64, i64::MAX as u64, 9], u64::MAX));
    scene.on("b:1", LAG, |_| Some(Reply::ok().body("{")));
    let error = error(ask_lag(&mut scene));
    assert_eq!((error.kind(), error.address().unwrap().as_str()), (ErrorKind::MalformedAnswer, "b:1"));
}
