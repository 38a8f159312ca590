//! Answers that nobody should give: a typed error for whoever asked, and nothing else is disturbed.

use std::collections::BTreeSet;

use super::scene::ms;
use super::servers::{Asked, Reply, stored};
use super::*;
use crate::consumer::{MessageSelector, PullOptions};
use crate::queue::MessageQueue;
use crate::wire::code::RequestCode;

const ROUTE: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;
const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// Bodies that are no JSON, or not the JSON that was asked for.
const BODIES: [&str; 8] = [
    "",
    "x",
    "{",
    "1",
    "null x",
    r#"{"brokerDatas":1,"clusterAddrTable":1,"topicList":1,"offsetTable":1}"#,
    "\u{0}",
    "{]",
];

type Question = fn(&mut Scene) -> OperationId;

fn queue() -> MessageQueue {
    MessageQueue::new("T", "a", 0)
}

fn malformed<T: core::fmt::Debug>(outcome: Result<T, Error>) -> Error {
    let error = error(outcome);
    assert_eq!(error.kind(), ErrorKind::MalformedAnswer, "{error}");
    assert!(!error.is_retryable());
    error
}

/// The same client, the same connections, and everything works.
fn assert_well(scene: &mut Scene) {
    let producer = start_producer(scene, ProducerConfig::default());
    assert!(send_and_wait(scene, producer).is_ok());
    let operation = scene.client.connect(scene.now);
    assert!(scene.wait(operation).is_ok());
    let opened: BTreeSet<_> = scene.opened.iter().map(|(_, at)| at).collect();
    assert_eq!((scene.opened.len(), scene.closed.len()), (opened.len(), 0));
    assert!(scene.events.is_empty());
}

#[test]
fn an_answer_to_a_send_without_its_fields_is_an_error_and_the_send_not_repeated() {
    let answers: [fn(Reply) -> Reply; 5] = [
        |reply| reply,
        |reply| reply.field("msgId", "x"),
        |reply| reply.field("msgId", "x").field("queueId", "one").field("queueOffset", 1),
        |reply| reply.field("msgId", "x").field("queueId", -1).field("queueOffset", 1),
        |reply| reply.field("msgId", "x").field("queueId", 0).field("queueOffset", -1),
    ];
    for answer in answers {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        scene.on("a:1", SEND, move |_| Some(answer(Reply::ok())));
        let error = malformed(send_and_wait(&mut scene, producer));
        assert_eq!(error.address().map(|at| at.as_str()), Some("a:1"));
        assert_eq!(scene.asked_of("a:1", SEND).len(), 1, "the broker has the message");
        scene.on("a:1", SEND, |asked| Some(stored(asked)));
        assert_well(&mut scene);
    }
}

#[test]
fn one_malformed_answer_leaves_those_beside_it_alone() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let mut count = 0;
    scene.on("a:1", SEND, move |asked: &Asked| {
        count += 1;
        Some(if count == 2 { Reply::ok() } else { stored(asked) })
    });
    let operations: Vec<_> = (0..3).map(|_| send(&mut scene, producer, SendOptions::default())).collect();
    let went_well: Vec<_> = operations.into_iter().map(|operation| scene.wait(operation).is_ok()).collect();
    assert_eq!(went_well, [true, false, true]);
    assert_well(&mut scene);
}

#[test]
fn an_answer_about_a_queue_without_its_fields_is_an_error() {
    let questions: [(RequestCode, Question); 5] = [
        (RequestCode::PULL_MESSAGE, |scene| {
            let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
            scene.client.pull(scene.now, consumer, queue(), MessageSelector::all(), 0, PullOptions::default()).id()
        }),
        (RequestCode::GET_MAX_OFFSET, |scene| scene.client.max_offset(scene.now, queue()).id()),
        (RequestCode::GET_MIN_OFFSET, |scene| scene.client.min_offset(scene.now, queue()).id()),
        (RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, |scene| scene.client.offset_at(scene.now, queue(), 1).id()),
        (RequestCode::QUERY_CONSUMER_OFFSET, |scene| scene.client.group_offset(scene.now, "C", queue()).id()),
    ];
    for (code, ask) in questions {
        let mut scene = scene_of(&["a"]);
        for reply in [Reply::ok(), Reply::ok().field("offset", "x").field("nextBeginOffset", "")] {
            scene.on("a:1", code, move |_| Some(reply.clone()));
            let operation = ask(&mut scene);
            malformed(scene.wait_for(operation));
        }
        assert_well(&mut scene);
    }
}

#[test]
fn a_body_of_a_name_server_that_cannot_be_read_is_an_error() {
    let questions: [(RequestCode, Question); 3] = [
        (ROUTE, |scene| scene.client.topic_route(scene.now, "T").id()),
        (RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, |scene| scene.client.topic_list(scene.now).id()),
        (RequestCode::GET_BROKER_CLUSTER_INFO, |scene| scene.client.cluster_info(scene.now).id()),
    ];
    for (code, ask) in questions {
        let mut scene = scene_of(&["a"]);
        for body in BODIES {
            scene.on("ns:1", code, move |_| Some(Reply::ok().body(body)));
            let operation = ask(&mut scene);
            malformed(scene.wait_for(operation));
        }
        scene.server("ns:1").scripts.clear();
        assert_well(&mut scene);
    }
}

#[test]
fn a_route_of_which_nothing_is_left_leaves_the_known_one_as_it_is() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    assert!(send_and_wait(&mut scene, producer).is_ok());
    for body in [
        r#"{"brokerDatas":[{"brokerName":"a","brokerAddrs":5}],"queueDatas":[{"brokerName":"a","perm":6,"writeQueueNums":4}]}"#,
        r#"{"brokerDatas":[{"brokerName":"a","brokerAddrs":{0:"a:1"}}],"queueDatas":[5]}"#,
        r#"{"brokerDatas":[{"brokerName":"a","brokerAddrs":{0:"a:1"}}],"queueDatas":[{"brokerName":"a","perm":"x","writeQueueNums":4}]}"#,
    ] {
        scene.on("ns:1", ROUTE, move |_| Some(Reply::ok().body(body)));
        let operation = scene.client.topic_route(scene.now, "T").id();
        malformed(scene.wait_for(operation));
        scene.run_for(ms(60_000));
        assert!(send_and_wait(&mut scene, producer).is_ok(), "{body}");
    }
}

#[test]
fn a_route_that_cannot_be_followed_fails_sends_and_readers_and_is_asked_for_again() {
    let wrong_address = r#"{"brokerDatas":[{"brokerName":"a","brokerAddrs":{"0":"nowhere"}}]}"#;
    let too_many = r#"{"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":2147483647,"writeQueueNums":1}]}"#;
    let wrong_order = r#"{"orderTopicConf":"a:x"}"#;
    for body in BODIES.into_iter().chain([wrong_address, too_many, wrong_order]) {
        let mut scene = scene_of(&["a"]);
        scene.on("ns:1", ROUTE, move |_| Some(Reply::ok().body(body)));
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let error = malformed(send_and_wait(&mut scene, producer));
        assert!(error.to_string().contains("route"), "{error}");
        let operation = scene.client.queues(scene.now, "T");
        malformed(scene.wait(operation));
        let operation = scene.client.max_offset(scene.now, queue());
        malformed(scene.wait(operation));
        let operation = scene.client.topic_statistics(scene.now, "T");
        malformed(scene.wait(operation));
        assert_eq!(millis(&scene), 0);
        scene.server("ns:1").scripts.clear();
        assert_well(&mut scene);
    }
}

#[test]
fn an_empty_route_is_one_without_queues() {
    for body in ["{}", "{\"brokerDatas\":[],\"queueDatas\":[]}", "{\"brokerDatas\":null}"] {
        let mut scene = scene_of(&["a"]);
        scene.on("ns:1", ROUTE, move |_| Some(Reply::ok().body(body)));
        let producer = start_producer(&mut scene, ProducerConfig::default());
        assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::NoQueueAvailable);
        let operation = scene.client.queues(scene.now, "T");
        assert!(matches!(scene.wait(operation), Ok(queues) if queues.is_empty()));
        let operation = scene.client.max_offset(scene.now, queue());
        assert_eq!(kind(scene.wait(operation)), ErrorKind::BrokerNotFound);
        scene.server("ns:1").scripts.clear();
        scene.run_for(ms(200));
        assert_well(&mut scene);
    }
}

#[test]
fn a_malformed_refresh_leaves_the_last_good_route() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.on("ns:1", ROUTE, |_| Some(Reply::ok().body("{")));
    for _ in 0..3 {
        scene.run_for(ms(30_000));
        assert!(send_and_wait(&mut scene, producer).is_ok());
    }
}

#[test]
fn statistics_and_clusters_that_cannot_be_read_fail_the_task() {
    let mut scene = scene_of(&["a"]);
    for body in BODIES {
        scene.on("a:1", RequestCode::GET_TOPIC_STATS_INFO, move |_| Some(Reply::ok().body(body)));
        let operation = scene.client.topic_statistics(scene.now, "T");
        malformed(scene.wait(operation));
    }
    let nowhere = r#"{"brokerAddrTable":{"a":{"brokerName":"a","brokerAddrs":{"0":"nowhere"}}}}"#;
    for body in BODIES.into_iter().chain([nowhere]) {
        scene.on("ns:1", RequestCode::GET_BROKER_CLUSTER_INFO, move |_| Some(Reply::ok().body(body)));
        let operation = scene.client.delete_topic(scene.now, "U", crate::admin::Placement::Everywhere);
        let failed = scene.wait(operation);
        if body == nowhere {
            // What is odd is passed over, and nobody is left.
            assert_eq!(kind(failed), ErrorKind::BrokerNotFound);
        } else {
            malformed(failed);
        }
    }
    assert_well(&mut scene);
}

#[test]
fn a_broker_that_answers_a_heartbeat_with_nonsense_is_used_all_the_same() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", RequestCode::HEART_BEAT, |_| Some(Reply::ok().field("IS_SUB_CHANGE", "maybe").body("{{{")));
    assert_well(&mut scene);
}
