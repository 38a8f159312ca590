//! What brokers say to a send: four statuses that are receipts, codes that another try may overcome, codes that none does.

use std::sync::{Arc, Mutex};

use stgclient_core::error::ErrorKind;
use stgclient_core::producer::{Message, SendStatus};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{Force, Forced};

use super::stage::{BROKER_A, ROUND_TRIP, SECOND, Stage, consumer, message, producer, pull_all};
use super::wire;

#[test]
fn a_status_that_is_not_quite_ok_is_a_receipt_and_no_other_try() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        for (forced, status) in [
            (Some(Forced::FlushDiskTimeout), SendStatus::FlushDiskTimeout),
            (Some(Forced::FlushSlaveTimeout), SendStatus::FlushSlaveTimeout),
            (Some(Forced::SlaveNotAvailable), SendStatus::SlaveNotAvailable),
            (None, SendStatus::SendOk),
        ] {
            let before = stage.stored("broker-a", "t");
            if let Some(forced) = forced {
                stage.on_broker_a(|broker| broker.force(Force::sends(forced).times(1)));
            }
            let receipt = producer.send(message("t")).await.expect("a receipt");
            assert_eq!(receipt.status, status);
            assert_eq!(receipt.queue_offset, before as u64);
            assert_eq!(stage.stored("broker-a", "t"), before + 1);
        }
    });
}

/// What becomes of a send whose first tries are answered with this code, at the only broker.
fn refused(code: ResponseCode, times: u32) -> Result<SendStatus, (ErrorKind, Option<ResponseCode>, usize)> {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let forced = Forced::Refuse(code, "the words of the broker".into());
    stage.on_broker_a(|broker| broker.force(Force::sends(forced).times(times)));
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        assert!(took <= SECOND / 2, "{code}: {took:?}");
        sent.map(|receipt| receipt.status).map_err(|error| {
            assert_eq!(error.remark(), Some("the words of the broker"));
            assert_eq!((error.broker_name(), error.address().unwrap().as_str()), (Some("broker-a"), BROKER_A));
            (error.kind(), error.code(), error.attempts().len())
        })
    })
}

#[test]
fn a_code_that_may_pass_is_tried_three_times_and_the_last_one_is_told() {
    for code in [
        ResponseCode::SYSTEM_ERROR,
        ResponseCode::SYSTEM_BUSY,
        ResponseCode::SERVICE_NOT_AVAILABLE,
        ResponseCode::TOPIC_NOT_EXIST,
        ResponseCode::NO_BUYER_ID,
        ResponseCode::NOT_IN_CURRENT_UNIT,
    ] {
        assert_eq!(refused(code, 1), Ok(SendStatus::SendOk), "{code}");
        assert_eq!(refused(code, 2), Ok(SendStatus::SendOk), "{code}");
        assert_eq!(refused(code, 3), Err((ErrorKind::Refused, Some(code), 3)), "{code}");
    }
    // A server that is about to stop has not tried.
    assert_eq!(refused(ResponseCode::GO_AWAY, 3), Ok(SendStatus::SendOk));
}

#[test]
fn a_code_that_no_try_overcomes_is_told_at_once() {
    for code in [
        ResponseCode::NO_PERMISSION,
        ResponseCode::MESSAGE_ILLEGAL,
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
        ResponseCode(207),
        ResponseCode(31_000),
        ResponseCode(-1),
    ] {
        assert_eq!(refused(code, 1), Err((ErrorKind::Refused, Some(code), 0)), "{code}");
    }
}

#[test]
fn a_busy_broker_of_two_costs_a_send_one_try() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for forced in [Forced::busy(), Forced::service_not_available()] {
            stage.on_broker_a(|broker| broker.force(Force::sends(forced)));
            for _ in 0..20 {
                let (sent, took) = stage.timed(producer.send(message("t"))).await;
                let receipt = sent.expect("the other broker takes it");
                assert_eq!(&*receipt.queue.broker_name, "broker-b");
                assert!(took <= 4 * ROUND_TRIP, "{took:?}");
                stage.sleep(SECOND).await;
            }
            stage.cluster.heal();
        }
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::no_permission()).times(1)));
        let mut refused = 0;
        for _ in 0..2 {
            refused += u32::from(producer.send(message("t")).await.is_err());
        }
        assert_eq!(refused, 1, "what is not permitted is not tried elsewhere");
        assert_eq!(pull_all(&consumer(&client).await, "t").await.unwrap().len(), 41, "nothing was stored twice");
    });
}

#[test]
fn a_topic_that_may_not_be_written_is_refused_by_its_broker_with_the_code() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.on_broker_a(|broker| broker.force(Force::sends(Forced::no_permission()).on_topic("t")));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..3 {
            let (failed, took) = stage.timed(producer.send(message("t"))).await;
            let error = failed.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode::NO_PERMISSION)));
            assert!(!error.is_retryable());
            assert!(took <= 4 * ROUND_TRIP, "{took:?}");
        }
        producer.send(message("u")).await.expect("another topic is not concerned");
        assert_eq!(client.counters().connects, 2);
    });
}

#[test]
fn every_try_says_the_same_but_for_its_number() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let script = wire::broker(RequestCode::SEND_MESSAGE_V2, move |request| {
        let fields: Vec<_> =
            request.fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let mut log = log.lock().unwrap();
        log.push((request.opaque, fields, request.body.clone()));
        let busy = log.len() < 3;
        wire::at_once(if busy { wire::answer(request, 2, "{}", &[]) } else { wire::stored(request) })
    });
    stage.world.serve(BROKER_A, script);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        let receipt = producer.send(Message::new("t", "body").tag("a").key("k")).await.expect("the third try");
        let seen = seen.lock().unwrap();
        let opaques: Vec<i32> = seen.iter().map(|(opaque, ..)| *opaque).collect();
        assert!(opaques.windows(2).all(|pair| pair[0] < pair[1]), "{opaques:?}");
        for (_, fields, body) in seen.iter() {
            assert_eq!((fields, body), (&seen[0].1, &seen[0].2));
            let properties = fields.iter().find(|(name, _)| name == "i").map(|(_, value)| value.as_str()).unwrap();
            assert!(properties.contains(&receipt.message_id.to_string()), "{properties}");
        }
    });
}
