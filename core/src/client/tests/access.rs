//! Access control: who signs what, and what becomes of a refusal.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};

use super::scene::ms;
use super::servers::{Asked, Reply, stored};
use super::*;
use crate::admin::{Placement, TopicSettings};
use crate::consumer::{MessageSelector, PullOptions};
use crate::credentials::Credentials;
use crate::queue::MessageQueue;
use crate::wire::code::{RequestCode, ResponseCode};

fn credentials() -> Credentials {
    Credentials::new("user", "first secret").security_token("a token")
}

/// One name server and brokers, and a client with credentials.
fn secured_scene(brokers: &[&str]) -> Scene {
    let mut scene = scene_of(brokers);
    scene.client.set_credentials(Some(credentials()));
    scene
}

/// Whether a request carries the right signature, computed here from what the server has read.
fn is_signed_with(asked: &Asked, secret: &str) -> bool {
    let mut fields: Vec<_> = asked.command.fields.iter().collect();
    let Some((name, signature)) = fields.pop() else {
        return false;
    };
    fields.sort();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    fields.iter().for_each(|(_, value)| mac.update(value.as_bytes()));
    mac.update(&asked.command.body);
    let mut expected = [0; 28];
    STANDARD.encode_slice(mac.finalize().into_bytes(), &mut expected).unwrap();
    name == "Signature" && signature.as_bytes() == expected && asked.field("AccessKey") == "user"
}

#[test]
fn every_request_is_signed_whomever_it_goes_to() {
    let mut scene = secured_scene(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    send_and_wait(&mut scene, producer).unwrap();
    let now = scene.now;
    let queue = MessageQueue::new("T", "a", 0);
    scene.client.send_oneway(now, producer, message(), SendOptions::default()).unwrap();
    let operations = [
        scene.client.connect(now).id(),
        scene.client.pull(now, consumer, queue.clone(), MessageSelector::all(), 0, PullOptions::default()).id(),
        scene.client.max_offset(now, queue.clone()).id(),
        scene.client.commit_group_offset(now, "C", queue, 1).id(),
        scene.client.topic_list(now).id(),
        scene.client.cluster_info(now).id(),
        scene.client.topic_statistics(now, "T").id(),
        scene.client.create_topic(now, "new", TopicSettings::default(), Placement::default()).id(),
        scene.client.delete_topic(now, "old", Placement::default()).id(),
    ];
    for operation in operations {
        // How they end is another matter.
        _ = scene.wait_for(operation);
    }
    scene.run_for(ms(31_000));
    scene.client.close(scene.now, ms(1000));
    scene.settle();
    for asked in &scene.asked {
        assert!(is_signed_with(asked, "first secret"), "{}", asked.code());
        assert_eq!(asked.field("SecurityToken"), "a token");
    }
    let mut codes: Vec<i32> = scene.asked.iter().map(|asked| asked.code().0).collect();
    codes.sort_unstable();
    codes.dedup();
    let sends = scene.asked_of("a:1", RequestCode::SEND_MESSAGE_V2);
    assert_eq!(sends.iter().filter(|asked| asked.command.is_oneway()).count(), 1);
    // Send, pull, commit, create, heartbeat, unregister, offset, route, clusters, statistics, topics, two deletions.
    assert_eq!(codes, [11, 15, 17, 30, 34, 35, 105, 106, 202, 206, 215, 216, 310]);
}

#[test]
fn a_client_without_credentials_says_nothing_of_itself() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    for asked in &scene.asked {
        for name in ["AccessKey", "SecurityToken", "Signature"] {
            assert_eq!(asked.command.fields.get(name), None);
        }
    }
}

#[test]
fn each_try_is_signed_anew_with_the_credentials_of_its_moment() {
    let mut scene = secured_scene(&["a", "b"]);
    let busy = |_: &Asked| Some(Reply::code(ResponseCode::SYSTEM_BUSY).after(ms(100)));
    scene.on("a:1", RequestCode::SEND_MESSAGE_V2, busy);
    scene.on("b:1", RequestCode::SEND_MESSAGE_V2, busy);
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 3, ..ProducerConfig::default() });
    let operation = send(&mut scene, producer, SendOptions::default());
    // The first try has its answer, the second one not yet.
    scene.run_for(ms(150));
    let second = Credentials::new("user", "second secret").security_token("another token");
    scene.client.set_credentials(Some(second));
    error(scene.wait(operation));
    let tries: Vec<_> = scene.asked.iter().filter(|asked| asked.code() == RequestCode::SEND_MESSAGE_V2).collect();
    assert_eq!(tries.len(), 3);
    assert!(is_signed_with(tries[0], "first secret") && is_signed_with(tries[1], "first secret"));
    // Another broker, another signature.
    assert_ne!(tries[0].field("Signature"), tries[1].field("Signature"));
    assert!(is_signed_with(tries[2], "second secret"));
    assert_eq!(tries[2].field("SecurityToken"), "another token");
    // On the same connection as the first.
    assert_eq!(tries[0].connection, tries[2].connection);
}

#[test]
fn a_connection_that_is_made_later_has_the_credentials_of_now() {
    let mut scene = secured_scene(&["a"]);
    scene.client.set_credentials(Some(Credentials::new("user", "second secret")));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    assert!(scene.asked.iter().all(|asked| is_signed_with(asked, "second secret")));
    scene.client.set_credentials(None);
    send_and_wait(&mut scene, producer).unwrap();
    let last = scene.asked_of("a:1", RequestCode::SEND_MESSAGE_V2).pop().unwrap();
    assert_eq!(last.command.fields.get("Signature"), None);
}

#[test]
fn a_send_that_access_control_refuses_is_not_tried_again_and_says_what_to_do() {
    let acl = "org.apache.rocketmq.acl.common.AclException: No acl config for user, ...";
    for (code, remark) in [(ResponseCode::NO_PERMISSION, "check signature failed."), (ResponseCode::SYSTEM_ERROR, acl)]
    {
        let mut scene = secured_scene(&["a", "b"]);
        for broker in ["a:1", "b:1"] {
            scene.on(broker, RequestCode::SEND_MESSAGE_V2, move |_| Some(Reply::code(code).remark(remark)));
        }
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let error = send_and_wait(&mut scene, producer).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::AccessDenied, false));
        assert_eq!((error.code(), error.remark()), (Some(code), Some(remark)));
        assert!(error.to_string().starts_with("send to topic T: access denied"), "{error}");
        assert!(error.address().is_some() && error.broker_name().is_some());
        let sends = scene.asked.iter().filter(|asked| asked.code() == RequestCode::SEND_MESSAGE_V2);
        assert_eq!(sends.count(), 1);
    }
}

#[test]
fn a_name_server_that_refuses_the_credentials_fails_the_start() {
    let mut scene = secured_scene(&[]);
    scene.on("ns:1", RequestCode::GET_ROUTEINFO_BY_TOPIC, |_| {
        Some(Reply::code(ResponseCode::NO_PERMISSION).remark("check signature failed."))
    });
    let operation = scene.client.connect(scene.now);
    let error = error(scene.wait(operation));
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(error.address().map(|address| address.as_str()), Some("ns:1"));
}

#[test]
fn nothing_that_can_be_shown_shows_a_secret() {
    let mut scene = secured_scene(&["a"]);
    scene.on("a:1", RequestCode::SEND_MESSAGE_V2, |asked| Some(stored(asked).after(ms(100))));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(50));
    // Its bytes wait to be written.
    scene.client.send(scene.now, producer, message(), SendOptions::default()).unwrap();
    let mut config = ClientConfig::new(Vec::new());
    config.credentials = Some(credentials());
    let shown = format!("{:?} {:#?} {config:?} {:?}", scene.client, scene.client, credentials());
    assert!(shown.contains("user"), "the access key is no secret");
    for secret in ["secret", "a token"] {
        assert!(!shown.contains(secret), "{secret}");
        // As Debug writes bytes.
        let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        assert!(!shown.contains(&bytes.join(", ")), "{secret}");
    }
    scene.wait(operation).unwrap();
}
