//! Answers that are frames and yet cannot be understood: the call says so, and its connection goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::SendStatus;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_simulator::{Reaction, Script};

use super::stage::{BROKER_A, NAME_SERVER, ROUND_TRIP, SECOND, Stage, consumer, message, producer, queue, reason};
use super::wire;

/// A broker whose first answer to a request of this kind has these fields and this body, and the later ones are `good`.
/// Counts the requests.
fn wrong_once(
    code: RequestCode,
    fields: &'static str,
    body: &'static [u8],
    good: fn(&Command) -> bytes::Bytes,
) -> (impl Script, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let script = wire::broker(code, move |request| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        wire::at_once(if is_first { wire::answer(request, 0, fields, body) } else { good(request) })
    });
    (script, count)
}

#[test]
fn a_receipt_with_a_missing_or_impossible_field_fails_its_send_alone() {
    for fields in [
        "{}",
        r#"{"queueId":"0","queueOffset":"7"}"#,
        r#"{"msgId":"0A00010100002A9F0000000000000000","queueOffset":"7"}"#,
        r#"{"msgId":"0A00010100002A9F0000000000000000","queueId":"0"}"#,
        r#"{"msgId":"0A00010100002A9F0000000000000000","queueId":"zero","queueOffset":"7"}"#,
        r#"{"msgId":"0A00010100002A9F0000000000000000","queueId":"-1","queueOffset":"7"}"#,
        r#"{"msgId":"0A00010100002A9F0000000000000000","queueId":"0","queueOffset":"99999999999999999999"}"#,
    ] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        let (script, count) = wrong_once(RequestCode::SEND_MESSAGE_V2, fields, &[], wire::stored);
        stage.world.serve(BROKER_A, script);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = producer(&client).await;
            let wrong = producer.send(message("t"));
            let beside = producer.send(message("t"));
            let failed = wrong.await;
            assert_eq!(reason(&failed), (ErrorKind::MalformedAnswer, Some(BROKER_A)), "{fields}");
            assert_eq!(beside.await.expect("not concerned").status, SendStatus::SendOk);
            producer.send(message("t")).await.expect("not concerned");
            assert_eq!(count.load(Ordering::Relaxed), 3, "the broker has it, so it is not sent again");
            assert_eq!(client.counters().connects, 2, "the connection goes on");
        });
    }
}

#[test]
fn a_receipt_without_a_readable_place_is_a_receipt_all_the_same() {
    let fields = r#"{"msgId":"somewhere","queueId":"0","queueOffset":"7"}"#;
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.serve(BROKER_A, wrong_once(RequestCode::SEND_MESSAGE_V2, fields, &[], wire::stored).0);
    stage.world.block_on(async {
        let client = stage.client().await;
        let receipt = producer(&client).await.send(message("t")).await.expect("it is stored");
        assert_eq!((receipt.offset_message_id, receipt.queue_offset), (None, 7));
    });
}

#[test]
fn a_pull_with_a_missing_field_fails_alone() {
    for fields in
        ["{}", r#"{"minOffset":"0","maxOffset":"1"}"#, r#"{"nextBeginOffset":"one","minOffset":"0","maxOffset":"1"}"#]
    {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        let good = |request: &Command| {
            wire::answer(request, 19, r#"{"nextBeginOffset":"0","minOffset":"0","maxOffset":"0"}"#, &[])
        };
        let (script, count) = wrong_once(RequestCode::PULL_MESSAGE, fields, b"body", good);
        stage.world.serve(BROKER_A, script);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = consumer(&client).await;
            let queue = queue("broker-a", 0);
            let (failed, took) = stage.timed(consumer.pull(&queue, "*", 0, 32)).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::MalformedAnswer, "{fields}");
            assert!(took <= 4 * ROUND_TRIP);
            consumer.pull(&queue, "*", 0, 32).await.expect("not concerned");
            assert_eq!(count.load(Ordering::Relaxed), 2);
            assert_eq!(client.counters().connects, 2, "the connection goes on");
        });
    }
}

#[test]
fn an_offset_that_is_missing_or_negative_is_no_offset() {
    for fields in ["{}", r#"{"offset":""}"#, r#"{"offset":"-1"}"#] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        let good = |request: &Command| wire::answer(request, 0, r#"{"offset":"5"}"#, &[]);
        stage.world.serve(BROKER_A, wrong_once(RequestCode::GET_MAX_OFFSET, fields, &[], good).0);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = consumer(&client).await;
            let queue = queue("broker-a", 0);
            let failed = consumer.max_offset(&queue).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::MalformedAnswer, "{fields}");
            assert_eq!(consumer.max_offset(&queue).await.unwrap(), 5);
        });
    }
}

/// Bodies that are no routes.
const NO_ROUTES: [&[u8]; 7] = [
    b"",
    b"hello",
    b"{\"brokerDatas\":[{\"brokerName\":",
    b"{\"brokerDatas\":[{\"brokerName\":\"\xFF\"}}",
    br#"{"brokerDatas":[],"queueDatas":7}"#,
    br#"{"brokerDatas":[{"brokerName":"broker-a","brokerAddrs":{"0":"nowhere"}}],"queueDatas":[]}"#,
    br#"{"brokerDatas":[],"queueDatas":[{"brokerName":"a","readQueueNums":2147483647,"writeQueueNums":1,"perm":6}]}"#,
];

#[test]
fn a_route_that_cannot_be_read_fails_whoever_waits_for_it_and_the_next_one_serves() {
    for body in NO_ROUTES {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        let is_wrong = Arc::new(AtomicU32::new(1));
        let wrong = Arc::clone(&is_wrong);
        let good = br#"{"brokerDatas":[{"brokerName":"broker-a","cluster":"c","brokerAddrs":{"0":"10.0.1.1:10911"}}],
            "queueDatas":[{"brokerName":"broker-a","readQueueNums":1,"writeQueueNums":1,"perm":6}]}"#;
        stage.world.serve(
            NAME_SERVER,
            wire::name_server(move |request| {
                let body = if wrong.load(Ordering::Relaxed) == 1 { body } else { good.as_slice() };
                wire::answer(request, 0, "{}", body)
            }),
        );
        stage.world.block_on(async {
            let text = String::from_utf8_lossy(body);
            let client = stage.client().await;
            let producer = producer(&client).await;
            let consumer = consumer(&client).await;
            let admin = client.admin();
            let (failed, took) = stage.timed(producer.send(message("t"))).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::MalformedAnswer, "{text}");
            assert_eq!(took, ROUND_TRIP);
            let malformed =
                |error: Option<Error>| assert_eq!(error.unwrap().kind(), ErrorKind::MalformedAnswer, "{text}");
            malformed(consumer.queues("t").await.err());
            malformed(consumer.pull(&queue("broker-a", 0), "*", 0, 1).await.err());
            malformed(admin.topic_route("t").await.err());
            malformed(admin.topic_statistics("t").await.err());
            is_wrong.store(0, Ordering::Relaxed);
            producer.send(message("t")).await.expect("the name server is right again");
            consumer.queues("t").await.expect("the name server is right again");

            // What is known already outlives a wrong answer.
            is_wrong.store(1, Ordering::Relaxed);
            stage.sleep(100 * SECOND).await;
            producer.send(message("t")).await.expect("by the known route");
        });
    }
}

#[test]
fn a_cluster_or_a_list_that_cannot_be_read_fails_its_call_alone() {
    let stage = Stage::new(1, 1);
    stage.world.serve(NAME_SERVER, wire::name_server(|request| wire::answer(request, 0, "{}", b"{\"broker")));
    stage.world.block_on(async {
        let client = stage.client().await;
        let admin = client.admin();
        let malformed = |error: Option<Error>| assert_eq!(error.unwrap().kind(), ErrorKind::MalformedAnswer);
        malformed(admin.topic_list().await.err());
        malformed(admin.cluster_info().await.err());
        malformed(admin.create_topic("t").await.err());
        malformed(admin.delete_topic("t").await.err());
        assert_eq!(client.counters().connects, 1, "the connection goes on");
    });
}

#[test]
fn answers_that_nobody_asked_for_are_counted_and_disturb_nobody() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let script = wire::broker(RequestCode::SEND_MESSAGE_V2, |request| {
        let send = |bytes| (std::time::Duration::ZERO, Reaction::Send(bytes));
        let stranger = |opaque: i32| wire::frame(0, wire::header(opaque, 0, "{}").as_bytes(), &[]);
        let without_number = br#"{"code":0,"flag":1}"#;
        vec![
            send(stranger(request.opaque + 1000)),
            send(stranger(-5)),
            send(stranger(i32::MAX)),
            send(wire::frame(0, without_number, &[])),
            send(wire::stored(request)),
            send(wire::stored(request)),
        ]
    });
    stage.world.serve(BROKER_A, script);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for sent in 1..=10 {
            producer.send(message("t")).await.expect("its own answer came too");
            stage.sleep(SECOND / 10).await;
            assert_eq!(client.counters().unexpected_answers, 5 * sent);
        }
        assert_eq!(client.counters().connects, 2);
    });
}

#[test]
fn what_a_server_asks_and_the_client_does_not_know_is_answered_so_and_disturbs_nobody() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let refusals = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&refusals);
    stage.world.serve(BROKER_A, move |_, _, request: &Command| {
        if request.is_response() {
            assert_eq!((request.opaque, request.code), (77, 3), "REQUEST_CODE_NOT_SUPPORTED");
            counted.fetch_add(1, Ordering::Relaxed);
            return Vec::new();
        }
        let asks = |flag| wire::frame(0, format!(r#"{{"code":9999,"opaque":77,"flag":{flag}}}"#).as_bytes(), &[]);
        // A question, a oneway, which nobody answers, and the answer.
        let bytes = [asks(0), asks(2), wire::stored(request)].concat();
        wire::at_once(bytes.into())
    });
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("its answer came");
        stage.sleep(SECOND).await;
        // The heartbeat was answered in the same way.
        assert_eq!((client.counters().unknown_requests, refusals.load(Ordering::Relaxed)), (4, 2));
    });
}
