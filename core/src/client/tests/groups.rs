//! What administrators ask about consumer groups: of whom, page by page, and what the answers add up to.

use super::dialects::smartgo_scene;
use super::scene::ms;
use super::servers::{Asked, Reply, broker_data};
use super::*;
use crate::wire::code::{RequestCode, ResponseCode};

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
        assert_eq!((asked[0].field("groupSeq"), asked[0].field("dataVersion")), ("0".into(), String::new()));
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
        assert!(scene.asked_of("a:1", GROUPS).len() <= 2);
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
