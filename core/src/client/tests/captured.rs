//! A client of smartgo's servers asks for the same things in the same words as their own client was seen to: the fields
//! and bodies of captured requests, but for opaques, ids of clients, and times.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value as Json;

use super::dialects::{config, smartgo_scene};
use super::scene::ms;
use super::servers::{Asked, Reply};
use super::*;
use crate::address::Address;
use crate::admin::{Placement, TopicSettings};
use crate::consumer::MessageSelector;
use crate::consumer::push::{ConsumeOutcome as Consumed, PushConfig, RetryDelay};
use crate::queue::MessageQueue;
use crate::wire::code::{RequestCode as Code, ResponseCode};
use crate::wire::command::{self, Command};

const BROKER: &str = "a:1";
/// The moment of birth in whole seconds, a subscription's version, and the client's id.
const DIFFERENT: [&str; 3] = ["G", "SubVersion", "ClientID"];

const INDEX: &str = include_str!("../../../../tests/corpus/smartgo/index.jsonl");
const FRAMES: &[u8] = include_bytes!("../../../../tests/corpus/smartgo/frames.bin");

fn captured(number: usize) -> Command {
    let line: Json = serde_json::from_str(INDEX.lines().nth(number).expect("a line")).expect("JSON");
    let place = |name: &str| line[name].as_u64().expect("a number") as usize;
    let frame = &FRAMES[place("off") + 4..place("off") + place("len")];
    command::decode(Bytes::from_static(frame)).expect("a frame")
}

/// The fields that are comparable, and the body.
fn says(request: &Command) -> (i32, BTreeMap<String, String>, Json) {
    let fields = request.fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
    let fields = fields.filter(|(name, _)| !DIFFERENT.contains(&&**name)).collect();
    let body = match serde_json::from_slice(&request.body) {
        Ok(body) => comparable(body),
        Err(_) => Json::String(String::from_utf8_lossy(&request.body).into_owned()),
    };
    (request.code, fields, body)
}

/// A heartbeat without its client and its times, its subscriptions in order.
fn comparable(mut heartbeat: Json) -> Json {
    heartbeat["clientID"] = Json::Null;
    for group in heartbeat["consumerDataSet"].as_array_mut().into_iter().flatten() {
        let subscriptions = group["subscriptionDataSet"].as_array_mut().expect("subscriptions");
        subscriptions.sort_by_key(|subscription| subscription["topic"].to_string());
        subscriptions.iter_mut().for_each(|subscription| subscription["subVersion"] = Json::Null);
    }
    heartbeat
}

/// Among what a server was asked is what the captured client asked.
#[track_caller]
fn assert_asked(scene: &Scene, at: &str, number: usize) {
    assert_asked_with(scene, at, number, &[]);
}

/// The same, but for these fields.
#[track_caller]
fn assert_asked_with(scene: &Scene, at: &str, number: usize, others: &[(&str, &str)]) {
    let mut expected = says(&captured(number));
    expected.1.extend(others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let asked: Vec<_> = scene.asked_of(at, Code(expected.0)).iter().map(|asked| says(&asked.command)).collect();
    assert!(asked.contains(&expected), "frame {number}: {expected:?} is not among {asked:?}");
}

/// The captured answer `number`, to each request of its kind that `is_meant`.
fn answer_as_captured(scene: &mut Scene, code: Code, number: usize, is_meant: fn(&Asked) -> bool) {
    let answer = captured(number);
    scene.on(BROKER, code, move |asked| {
        let names = [("nextBeginOffset", "NextBeginOffset"), ("minOffset", "MinOffset"), ("maxOffset", "MaxOffset")];
        let reply = Reply::ok().of_smartgo().body(answer.body.to_vec());
        let field = |name| answer.fields.get(name).unwrap_or_default().into_owned();
        let reply = names.into_iter().fold(reply, |reply, (name, captured)| reply.field(name, field(captured)));
        if asked.field("suspendTimeoutMillis") == "0" && !is_meant(asked) {
            return Some(none_yet(asked));
        }
        is_meant(asked).then_some(reply)
    });
}

/// Our first pull of a queue is not held, theirs is: it is answered, and the next one is like theirs.
fn none_yet(asked: &Asked) -> Reply {
    let reply =
        Reply::code(ResponseCode::PULL_NOT_FOUND).of_smartgo().field("NextBeginOffset", asked.field("queueOffset"));
    reply.field("MinOffset", 0).field("MaxOffset", 0)
}

#[test]
fn connecting_creating_and_sending_are_asked_for_as_captured() {
    let mut scene = smartgo_scene();
    scene.book.route("SgTopic", &["a"], 4);
    let now = scene.now;
    let connect = scene.client.connect(now);
    let settings = TopicSettings { queues: 4, ..TopicSettings::default() };
    let broker: Address = BROKER.parse().expect("an address");
    let create = scene.client.create_topic(now, "SgTopic", settings, Placement::Address(broker));
    let route = scene.client.topic_route(now, "SgTopic");
    for operation in [connect.id(), create.id(), route.id()] {
        assert!(scene.wait_for(operation).is_ok());
    }
    let producer = scene.client.start_producer(scene.now, "sgProducer", ProducerConfig::default()).expect("a producer");
    let queue = |id| SendOptions::from(MessageQueue::new("SgTopic", "a", id));
    let awaited = Message::new("SgTopic", "sync-0").tag("tagA").key("key0");
    let awaited = scene.client.send(scene.now, producer, awaited, queue(0)).expect("a send");
    let oneway = Message::new("SgTopic", "oneway").tag("tagA");
    let oneway = scene.client.send_oneway(scene.now, producer, oneway, queue(1)).expect("a send");
    let max = scene.client.max_offset(scene.now, MessageQueue::new("SgTopic", "a", 1));
    for operation in [awaited.id(), oneway.id(), max.id()] {
        _ = scene.wait_for(operation);
    }
    assert_asked(&scene, "ns:1", 0);
    assert_asked(&scene, BROKER, 4);
    assert_asked(&scene, "ns:1", 9);
    assert_asked(&scene, BROKER, 8);
    assert_asked(&scene, BROKER, 148);
    for send in [11, 30] {
        // Theirs has the default topic made into one that nobody can use, when the topic is not there.
        assert_asked_with(&scene, BROKER, send, &[("C", "SgTopic")]);
    }
}

#[test]
fn consuming_is_asked_for_as_captured() {
    let mut scene = smartgo_scene();
    let client_id = config().identity.client_id();
    scene.on(BROKER, Code::GET_CONSUMER_LIST_BY_GROUP, move |_| {
        Some(Reply::ok().body(format!(r#"{{"consumerIdList":["{client_id}"]}}"#)))
    });
    scene.on(BROKER, Code::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 0)));
    let kept = r#"{"offsets":{"SgTopic@sgPush":{"0":0,"1":0,"2":0,"3":0},"SgRetryT@sgRetry":{"0":0,"1":0}}}"#;
    scene.on(BROKER, Code::GET_ALL_CONSUMER_OFFSET, move |_| Some(Reply::ok().body(kept)));
    // The one message that failed; all other pulls wait.
    answer_as_captured(&mut scene, Code::PULL_MESSAGE, 225, |asked| {
        (asked.field("topic"), asked.field("queueId"), asked.field("queueOffset"))
            == ("SgRetryT".into(), "0".into(), "0".into())
    });
    for (topic, queues) in [("SgTopic", 4), ("SgRetryT", 2), ("%RETRY%sgPush", 1), ("%RETRY%sgRetry", 1)] {
        scene.book.route(topic, &["a"], queues);
    }
    let start = |scene: &mut Scene, group: &str, topic: &str| {
        let consumer =
            scene.client.start_push_consumer(scene.now, group, PushConfig::default(), Vec::new(), BTreeMap::new());
        let consumer = consumer.expect("a consumer");
        scene.client.subscribe(scene.now, consumer, topic, MessageSelector::all()).expect("subscribed");
        scene.run_for(ms(500));
        consumer
    };
    start(&mut scene, "sgPush", "SgTopic");
    let commit = scene.client.commit_group_offset(scene.now, "sgPush", MessageQueue::new("SgTopic", "a", 1), 4);
    assert!(scene.wait(commit).is_ok());
    for request in [57, 60, 62, 268] {
        assert_asked(&scene, BROKER, request);
    }
    // Theirs got one message less than it asked for.
    assert_asked_with(&scene, BROKER, 70, &[("MaxMsgNums", "33")]);

    let failing = start(&mut scene, "sgRetry", "SgRetryT");
    let delivery = scene.client.next_delivery(scene.now, failing, 1).expect("the message");
    let later = Consumed::ReconsumeLater(RetryDelay::default());
    assert!(scene.client.settle(scene.now, failing, delivery.settlement, later));
    scene.run_for(ms(10));
    // Theirs sent it to the name server, where it was lost.
    assert_asked(&scene, BROKER, 228);

    let pulling = scene.client.start_pull_consumer(scene.now, "sgPull").expect("a consumer");
    scene.run_for(ms(10));
    scene.client.close_pull_consumer(scene.now, pulling);
    scene.run_for(ms(10));
    assert_asked(&scene, BROKER, 204);
}
