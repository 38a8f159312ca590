//! Offsets of queues and of groups.

use super::scene::ms;
use super::servers::{self, Asked, Reply, broker_data};
use super::*;
use crate::queue::MessageQueue;
use crate::wire::body::Permission;
use crate::wire::code::{RequestCode, ResponseCode};

type Question = fn(&mut Scene) -> Pending<Option<u64>>;

fn queue() -> MessageQueue {
    MessageQueue::new("T", "a", 1)
}

const QUESTIONS: [(RequestCode, Question); 4] = [
    (RequestCode::GET_MIN_OFFSET, |scene| scene.client.min_offset(scene.now, queue())),
    (RequestCode::GET_MAX_OFFSET, |scene| scene.client.max_offset(scene.now, queue())),
    (RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, |scene| scene.client.offset_at(scene.now, queue(), 77)),
    (RequestCode::QUERY_CONSUMER_OFFSET, |scene| scene.client.group_offset(scene.now, "C", queue())),
];

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

fn commit(scene: &mut Scene) -> Pending<()> {
    scene.client.commit_group_offset(scene.now, "C", queue(), 42)
}

#[test]
fn each_question_gets_its_offset() {
    for (code, ask) in QUESTIONS {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", code, |_| Some(Reply::ok().field("offset", 99)));
        let operation = ask(&mut scene);
        assert_eq!(scene.wait(operation), Ok(Some(99)), "{code}");
        let asked = scene.asked_of("a:1", code)[0];
        for (name, value) in [("topic", "T"), ("queueId", "1"), ("bname", "a")] {
            assert_eq!(asked.field(name), value, "the field {name} of {code}");
        }
    }
}

#[test]
fn the_time_and_the_group_are_told() {
    let mut scene = scene_of(&["a"]);
    for (_, ask) in QUESTIONS {
        let operation = ask(&mut scene);
        _ = scene.wait(operation);
    }
    let field = |scene: &Scene, code, name| scene.asked_of("a:1", code)[0].field(name);
    assert_eq!(field(&scene, RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, "timestamp"), "77");
    assert_eq!(field(&scene, RequestCode::QUERY_CONSUMER_OFFSET, "consumerGroup"), "C");
    assert_eq!(field(&scene, RequestCode::QUERY_CONSUMER_OFFSET, "setZeroIfNotFound"), "false");
}

#[test]
fn a_group_without_an_offset_has_none_and_that_is_no_failure() {
    let mut scene = scene_of(&["a"]);
    let code = RequestCode::QUERY_CONSUMER_OFFSET;
    scene.on("a:1", code, |_| Some(Reply::code(ResponseCode::QUERY_NOT_FOUND).remark("not found")));
    let operation = scene.client.group_offset(scene.now, "C", queue());
    assert_eq!(scene.wait(operation), Ok(None));
    // To the other questions it is one.
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::code(ResponseCode::QUERY_NOT_FOUND)));
    let operation = scene.client.max_offset(scene.now, queue());
    assert_eq!(error(scene.wait(operation)).code(), Some(ResponseCode::QUERY_NOT_FOUND));
}

#[test]
fn an_offset_is_committed_at_the_master_and_at_any_member_while_there_is_none() {
    let mut scene = scene_of(&["a"]);
    let operation = commit(&mut scene);
    assert!(matches!(scene.wait(operation), Ok(())));
    let asked = scene.asked_of("a:1", COMMIT)[0];
    assert_eq!((asked.field("commitOffset"), asked.field("consumerGroup")), ("42".to_owned(), "C".to_owned()));
    let mut scene = scene_of(&["a"]);
    scene.server("a:2");
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[1])], 2, Permission(6)));
    let operation = commit(&mut scene);
    assert!(matches!(scene.wait(operation), Ok(())));
    assert_eq!(scene.asked_of("a:2", COMMIT).len(), 1);
}

#[test]
fn names_that_are_none_are_refused_before_anybody_is_asked() {
    let mut scene = scene_of(&["a"]);
    let operation = scene.client.commit_group_offset(scene.now, "no group", queue(), 1);
    assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::InvalidArgument));
    assert!(scene.opened.is_empty());
}

#[test]
fn a_commit_for_a_group_that_the_broker_does_not_know_yet_is_repeated() {
    let mut scene = scene_of(&["a"]);
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let mut times = 0;
    scene.on("a:1", COMMIT, move |_: &Asked| {
        times += 1;
        Some(if times < 3 { Reply::code(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST) } else { Reply::ok() })
    });
    let operation = commit(&mut scene);
    assert!(scene.wait(operation).is_ok());
    assert!((50..=150).contains(&millis(&scene)));
    // A group that is not ours will never be known.
    scene.on("a:1", COMMIT, |_| Some(Reply::code(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST)));
    let other = scene.client.commit_group_offset(scene.now, "D", queue(), 1);
    assert_eq!(error(scene.wait(other)).code(), Some(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST));
    // And ours fails when its time is over.
    let ours = commit(&mut scene);
    let begun = millis(&scene);
    assert_eq!(error(scene.wait(ours)).code(), Some(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST));
    assert_eq!(millis(&scene) - begun, 3000);
}

/// A consumer of the group `C`, connected to its broker.
fn scene_of_a_consumer() -> Scene {
    let mut scene = scene_of(&["a"]);
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let asked = scene.client.max_offset(scene.now, queue());
    _ = scene.wait(asked);
    scene
}

/// Commits of 4 queues at once, and how many of them the broker has been asked for.
fn commit_at_once(scene: &mut Scene, group: &str) -> (Vec<Pending<()>>, usize) {
    let before = scene.asked_of("a:1", COMMIT).len();
    let queues = (0..4).map(|id| MessageQueue::new("T", "a", id));
    let commits = queues.map(|queue| scene.client.commit_group_offset(scene.now, group, queue, 7)).collect();
    scene.run_for(ms(1));
    let asked = scene.asked_of("a:1", COMMIT).len() - before;
    (commits, asked)
}

#[test]
fn a_groups_first_commit_goes_alone_and_then_they_go_side_by_side() {
    let mut scene = scene_of_a_consumer();
    scene.on("a:1", COMMIT, |_| Some(Reply::ok().after(ms(5))));
    let (commits, asked) = commit_at_once(&mut scene, "C");
    assert_eq!(asked, 1);
    assert!(commits.into_iter().all(|commit| scene.wait(commit).is_ok()));
    assert_eq!(commit_at_once(&mut scene, "C").1, 4);
    // A group that is not ours is not remembered.
    let (commits, asked) = commit_at_once(&mut scene, "D");
    assert!(asked == 1 && commits.into_iter().all(|commit| scene.wait(commit).is_ok()));
    assert_eq!(commit_at_once(&mut scene, "D").1, 1);
}

#[test]
fn when_a_first_commit_fails_or_is_given_up_the_next_goes() {
    let mut scene = scene_of_a_consumer();
    let mut times = 0;
    scene.on("a:1", COMMIT, move |_| {
        times += 1;
        match times {
            1 => None,
            2 => Some(Reply::code(ResponseCode::SYSTEM_ERROR)),
            _ => Some(Reply::ok()),
        }
    });
    let (commits, asked) = commit_at_once(&mut scene, "C");
    assert_eq!(asked, 1);
    scene.client.cancel(scene.now, commits[0]);
    scene.client.cancel(scene.now, commits[3]);
    assert_eq!(error(scene.wait(commits[1])).code(), Some(ResponseCode::SYSTEM_ERROR));
    assert!(scene.wait(commits[2]).is_ok());
    assert_eq!(scene.asked_of("a:1", COMMIT).len(), 3);
}

#[test]
fn a_broker_that_was_away_gets_a_first_commit_again() {
    let mut scene = scene_of(&["a"]);
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let first = commit(&mut scene);
    assert!(scene.wait(first).is_ok());
    scene.on("a:1", COMMIT, |_| Some(Reply::ok().after(ms(5))));
    let (commits, asked) = commit_at_once(&mut scene, "C");
    assert!(asked == 4 && commits.into_iter().all(|commit| scene.wait(commit).is_ok()));
    scene.cut("a:1", "reset");
    let open = scene.client.max_offset(scene.now, queue());
    _ = scene.wait(open);
    assert_eq!(commit_at_once(&mut scene, "C").1, 1);
}

#[test]
fn a_question_without_an_answer_ends_in_its_time() {
    for (code, ask) in QUESTIONS {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", code, |_| None);
        let operation = ask(&mut scene);
        assert_eq!((kind(scene.wait(operation)), millis(&scene)), (ErrorKind::Timeout, 3000), "{code}");
    }
}

#[test]
fn a_question_whose_connection_breaks_is_asked_again() {
    for (code, ask) in QUESTIONS {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", code, |_| None);
        let operation = ask(&mut scene);
        scene.run_for(ms(10));
        scene.on("a:1", code, |_| Some(Reply::ok().field("offset", 1)));
        scene.cut("a:1", "reset");
        assert_eq!(scene.wait(operation), Ok(Some(1)), "{code}");
    }
}

#[test]
fn a_commit_whose_turn_comes_while_its_connection_does_not_stand_waits_for_the_next_one() {
    let mut scene = scene_of(&["a"]);
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let commit = |scene: &mut Scene, queue| {
        scene.client.commit_group_offset(scene.now, "C", MessageQueue::new("T", "a", queue), 7)
    };
    // The first one gets no answer, and the other one waits for it.
    scene.on("a:1", RequestCode::UPDATE_CONSUMER_OFFSET, |_| None);
    let first = commit(&mut scene, 0);
    scene.run_for(ms(100));
    let second = commit(&mut scene, 1);
    scene.run_for(ms(100));
    assert_eq!(scene.asked_of("a:1", RequestCode::UPDATE_CONSUMER_OFFSET).len(), 1);
    // The connection breaks; in the pause after that the first is given up, and it is the other one's turn.
    scene.on("a:1", RequestCode::UPDATE_CONSUMER_OFFSET, |_| Some(Reply::ok()));
    scene.cut("a:1", "reset");
    scene.client.cancel(scene.now, first);
    let begun = millis(&scene);
    assert!(scene.wait(second).is_ok());
    assert!(millis(&scene) - begun <= 150, "{} ms", millis(&scene) - begun);
    // And nothing of it is left in a buffer: the connection speaks.
    let third = commit(&mut scene, 0);
    assert!(scene.wait(third).is_ok());
    assert_eq!(scene.opened.iter().filter(|(_, at)| at.as_str() == "a:1").count(), 2);
}
