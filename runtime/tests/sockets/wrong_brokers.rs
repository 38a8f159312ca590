//! Brokers that do wrong: each call ends in time with the reason, and the client goes on when its broker is well.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use stgclient::embedded::{Force, Forced, RouteOverride};
use stgclient::{ErrorKind, Message, MessageQueue, Producer, PullOptions, ResponseCode};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;

use crate::wrong::{self, Wrong};
use crate::{SOON, cluster, eventually};

const TIMEOUT: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_wrong_is_an_error_in_time_with_the_reason_and_no_lasting_harm() {
    join_all(wrong::every().into_iter().map(|(wrong, words)| suffer(wrong, words))).await;
}

/// A cluster whose broker does wrong for a while.
async fn suffer(wrong: Wrong, words: &str) {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").send_timeout(TIMEOUT).start().await.unwrap();
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let address = wrong.clone().serve().await;
    let bent = RouteOverride::At(address.clone());
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(None, bent));

    let started = Instant::now();
    let error = producer.send(Message::new("T", "body")).await.unwrap_err();
    assert!(error.to_string().contains(words) && error.to_string().contains(&address), "{wrong:?}: {error}");
    assert!(error.is_retryable(), "{wrong:?}: {error}");
    let options = PullOptions::new().timeout(TIMEOUT);
    let queue = MessageQueue::new("T", "broker-a", 0);
    let error = consumer.pull_with(&queue, "*", 0, options).await.unwrap_err();
    assert!(error.is_retryable(), "{wrong:?}: {error}");
    assert!(started.elapsed() < SOON, "{wrong:?} took {:?}", started.elapsed());

    cluster.with(|cluster| cluster.name_server(0).unwrap().clear_overrides());
    eventually("messages are sent again", async || producer.send(Message::new("T", "body")).await.ok()).await;
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn an_answer_with_missing_fields_fails_its_call_and_nothing_else() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let queue = producer.send(Message::new("T", "body")).await.unwrap().queue;
    let connects = client.counters().connects;
    // An answer that says SUCCESS and nothing more.
    let bare = || Forced::Refuse(ResponseCode::SUCCESS, String::new());
    let codes = RequestCode::ALL.iter().map(|(code, _)| *code);
    let bare_always = Force::requests(codes.filter(|code| *code != RequestCode::HEART_BEAT), bare());
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(bare_always));
    let errors = [
        producer.send(Message::new("T", "body")).await.unwrap_err(),
        consumer.pull(&queue, "*", 0, 1).await.unwrap_err(),
        consumer.min_offset(&queue).await.unwrap_err(),
        consumer.max_offset(&queue).await.unwrap_err(),
        consumer.offset_at(&queue, 0).await.unwrap_err(),
        consumer.committed_offset(&queue).await.unwrap_err(),
        client.admin().topic_statistics("T").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::MalformedAnswer, "{error}");
    }
    cluster.with(|cluster| {
        cluster.broker("broker-a").unwrap().clear_forces();
        let questions = [
            RequestCode::GET_ROUTEINFO_BY_TOPIC,
            RequestCode::GET_BROKER_CLUSTER_INFO,
            RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        ];
        cluster.name_server(0).unwrap().force(Force::requests(questions, bare()));
    });
    let errors = [
        client.admin().topic_route("T").await.unwrap_err(),
        client.admin().topic_list().await.unwrap_err(),
        client.admin().cluster_info().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::MalformedAnswer, "{error}");
    }
    cluster.with(|cluster| cluster.name_server(0).unwrap().clear_forces());
    producer.send(Message::new("T", "body")).await.unwrap();
    assert_eq!(client.counters().connects, connects, "a connection was closed");
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_oneway_message_that_a_broker_is_too_busy_for_is_counted() {
    let (cluster, client) = cluster("T", 1).await;
    // It answers a oneway message as `BrokerFastFailure` does, and keeps quiet otherwise.
    let busy =
        |request: &Command| request.is_oneway().then(|| wrong::answer(ResponseCode::SYSTEM_BUSY, request.opaque));
    let address = wrong::answering(busy).await;
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(None, RouteOverride::At(address)));
    let producer = client.producer("producer").start().await.unwrap();
    for _ in 0..3 {
        producer.send_oneway(Message::new("T", "body")).await.unwrap();
    }
    eventually("the busy answers are counted", async || (client.counters().busy_oneways == 3).then_some(())).await;
    assert_eq!(client.counters().unexpected_answers, 0);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn answers_that_nobody_waits_for_are_counted_and_disturb_nobody() {
    let (cluster, client) = cluster("T", 1).await;
    let stray: Bytes = [0, 99_999, -7].map(|opaque| wrong::answer(ResponseCode::SUCCESS, opaque)).concat().into();
    let address = wrong::answering(move |_| Some(stray.clone())).await;
    let hasty = Producer::clone(&client.producer("hasty").send_timeout(TIMEOUT).start().await.unwrap());
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(None, RouteOverride::At(address)));
    let error = hasty.send(Message::new("T", "body")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(client.counters().unexpected_answers >= 3);
    assert_eq!(client.counters().busy_oneways, 0);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn an_offset_is_committed_again_when_the_broker_has_not_heard_of_the_group_yet() {
    let (cluster, client) = cluster("T", 1).await;
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let queue = consumer.queues("T").await.unwrap().swap_remove(0);
    let unknown = Forced::Refuse(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "Group consumer not exist!".into());
    let early = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], unknown).times(5);
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(early));
    // Another group is nobody's here: that it does not exist is the answer.
    let error = client.admin().commit_group_offset("other", &queue, 7).await.unwrap_err();
    assert_eq!(error.code(), Some(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST));
    consumer.commit_offset(&queue, 7).await.unwrap();
    assert_eq!(cluster.with(|cluster| cluster.broker("broker-a").unwrap().committed("consumer", "T", 0)), Some(7));
    client.close().await;
    cluster.close().await;
}
