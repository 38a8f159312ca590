//! Smartgo's dialect: what is written differently, what is refused, and who is told that the servers speak another one.

use std::collections::BTreeMap;

use super::scene::ms;
use super::servers::Reply;
use super::*;
use crate::consumer::push::PushConfig;
use crate::consumer::{MessageSelector, PullOptions};
use crate::credentials::Credentials;
use crate::producer::MessageId;
use crate::queue::MessageQueue;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::HeaderCodec;
use crate::wire::dialect::Dialect;

const ROUTE: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;

pub(super) fn config() -> ClientConfig {
    let mut config = ClientConfig::new(parse_list("ns:1").expect("addresses"));
    config.connection.dialect = Dialect::Smartgo;
    config
}

/// A client of smartgo's servers; those of the scene say yes to everything, whatever names it uses.
pub(super) fn smartgo_scene() -> Scene {
    let mut scene = Scene::new(config(), 1);
    scene.server("ns:1");
    scene.server("a:1");
    scene.book.route("T", &["a"], 2);
    scene
}

#[test]
fn smartgos_servers_tell_an_apache_client_which_dialect_they_speak() {
    let mut scene = scene_of(&["a"]);
    scene.on("ns:1", ROUTE, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("No such field: topic in obj")));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let connect = scene.client.connect(scene.now);
    for error in [error(scene.wait(connect)), send_and_wait(&mut scene, producer).unwrap_err()] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::WrongDialect, false), "{error}");
        assert!(error.to_string().contains("set the client's dialect to Dialect::Smartgo"), "{error}");
        assert_eq!(error.remark(), Some("No such field: topic in obj"));
    }
    // Nothing is tried again.
    assert_eq!((millis(&scene), scene.asked_of("ns:1", ROUTE).len()), (0, 2));
}

#[test]
fn apaches_servers_tell_a_smartgo_client_which_dialect_they_speak() {
    let mut scene = smartgo_scene();
    scene.on("ns:1", RequestCode::GET_KV_CONFIG, |_| {
        Some(
            Reply::code(ResponseCode::SYSTEM_ERROR)
                .remark("RemotingCommandException: the custom field <topic> is null"),
        )
    });
    let connect = scene.client.connect(scene.now);
    let error = error(scene.wait(connect));
    assert_eq!(error.kind(), ErrorKind::WrongDialect);
    assert!(error.to_string().contains("leave the client's dialect at Dialect::Apache"), "{error}");
}

#[test]
fn a_client_of_smartgos_servers_first_asks_for_its_project_and_none_is_normal() {
    for answer in [
        Reply::code(ResponseCode::QUERY_NOT_FOUND).remark("no config item, namespace: PROJECT_CONFIG Key: 127.0.0.1"),
        Reply::ok().field("Value", "project"),
    ] {
        let mut scene = smartgo_scene();
        scene.on("ns:1", RequestCode::GET_KV_CONFIG, move |_| Some(answer.clone().of_smartgo()));
        let connect = scene.client.connect(scene.now);
        assert!(matches!(scene.wait(connect), Ok(())));
        let [asked] = &scene.asked[..] else { panic!("{:?}", scene.asked) };
        assert_eq!((asked.field("namespace"), asked.field("key")), ("PROJECT_CONFIG".into(), "127.0.0.1".into()));
    }
}

#[test]
fn what_smartgos_servers_do_not_know_is_refused_before_anything_is_sent() {
    let (mut binary, mut signed) = (config(), config());
    binary.connection.codec = HeaderCodec::Binary;
    signed.credentials = Some(Credentials::new("user", "secret"));
    let mut errors: Vec<Error> = [binary, signed].into_iter().map(|config| config.check().unwrap_err()).collect();
    assert_eq!(config().check(), Ok(()));

    let mut scene = smartgo_scene();
    let dear = MessageSelector::by_sql("amount > 100").unwrap();
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let queue = MessageQueue::new("T", "a", 0);
    let pull = scene.client.pull(scene.now, consumer, queue, dear.clone(), 0, PullOptions::default());
    errors.push(error(scene.wait(pull)));
    let consumer =
        scene.client.start_push_consumer(scene.now, "P", PushConfig::default(), Vec::new(), BTreeMap::new()).unwrap();
    errors.push(scene.client.subscribe(scene.now, consumer, "T", dear).unwrap_err());
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let later = Message::new("T", "body").delay_level(1);
    errors.push(scene.client.send(scene.now, producer, later, SendOptions::default()).unwrap_err().error);
    let queue = MessageQueue::new("T", "a", 0);
    let check = scene.client.check_subscription(scene.now, "C", queue, MessageSelector::all());
    errors.push(error(scene.wait(check)));
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("(Dialect::Smartgo) do not know"), "{error}");
    }
    assert!(scene.asked.iter().all(|asked| asked.code() != RequestCode::PULL_MESSAGE));
}

#[test]
fn a_message_to_smartgos_brokers_has_their_names_and_no_id_but_its_offsets() {
    let mut scene = smartgo_scene();
    scene.run_for(ms(1));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let receipt = send_and_wait(&mut scene, producer).unwrap();
    assert_eq!(receipt.offset_message_id.map(MessageId::Offset), Some(receipt.message_id));
    let asked = scene.asked_of("a:1", RequestCode::SEND_MESSAGE_V2)[0];
    let names: Vec<_> = asked.command.fields.iter().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"]);
    // Its own topic as the template: a broker that has lost it says so, instead of making one that nobody can use.
    assert_eq!((asked.field("c"), asked.field("i")), (asked.field("b"), String::new()));
    // Born in a whole second.
    assert!(asked.field("g").ends_with("000"), "{}", asked.field("g"));
    let command = &asked.command;
    assert_eq!((command.language.name(), command.version, command.codec), ("GOLANG", 79, HeaderCodec::Json));
}

#[test]
fn where_smartgos_broker_says_0_it_is_asked_for_all_that_it_keeps() {
    let offset = |answer: Reply| {
        let mut scene = smartgo_scene();
        scene.on("a:1", RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 0)));
        scene.on("a:1", RequestCode::GET_ALL_CONSUMER_OFFSET, move |_| Some(answer.clone()));
        let asked = scene.client.group_offset(scene.now, "C", MessageQueue::new("T", "a", 1));
        scene.wait(asked).unwrap()
    };
    assert_eq!(offset(Reply::ok().body(r#"{"offsets":{"T@C":{"1":0}}}"#)), Some(0));
    assert_eq!(offset(Reply::ok().body(r#"{"offsetTable":{"T@C":{"0":3},"T@D":{"1":0}}}"#)), None);
    assert_eq!(offset(Reply::ok().body(r#"{"offsets":null}"#)), None);
    // One that cannot tell is believed.
    assert_eq!(offset(Reply::code(ResponseCode::REQUEST_CODE_NOT_SUPPORTED)), Some(0));
}
