//! Servers that take connections and do not answer, or answer late, or end in the middle: each call has its time.

use std::sync::atomic::{AtomicBool, Ordering};

use stgclient::simulator::Clients as _;
use stgclient::{Client, ConsumeFrom, PullConsumer};
use stgclient_core::consumer::PullOptions;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};
use stgclient_simulator::{Direction, Reaction};

use super::stage::{
    BROKER_A, FIRST_PAUSE, NAME_SERVER, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, queue, reason,
    single_try_producer, waiting,
};
use super::wire;

const MICROSECOND: Duration = Duration::from_micros(1);

/// A broker with the topic `t`, whose process is stopped or goes on.
fn stop_process(stage: &Stage, is_stopped: bool) {
    stage.world.network().stall(BROKER_A, Direction::ToServer, is_stopped);
}

#[test]
fn a_send_to_a_broker_that_accepts_and_never_answers_ends_within_its_time() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stop_process(&stage, true);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::Timeout, Some(BROKER_A)));
        assert_eq!(failed.unwrap_err().broker_name(), Some("broker-a"));
        assert_eq!(took, 3 * SECOND);

        stop_process(&stage, false);
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("the client is back with the broker");
        assert!(took <= 2 * FIRST_PAUSE + 2 * ROUND_TRIP, "it was given up twice: {took:?}");
    });
}

/// How the `number`th kind of call to a broker went, and how long it may take.
async fn call(client: &Client, consumer: &PullConsumer, number: usize) -> (Result<(), Error>, Duration) {
    let queue = queue("broker-a", 0);
    let admin = client.admin();
    let quick = PullOptions::new().timeout(SECOND);
    match number {
        0 => (consumer.pull(&queue, "*", 0, 1).await.map(drop), 10 * SECOND),
        1 => (consumer.pull_with(&queue, "*", 0, waiting(5 * SECOND)).await.map(drop), 15 * SECOND),
        2 => (consumer.pull_with(&queue, "*", 0, quick).await.map(drop), SECOND),
        3 => (consumer.min_offset(&queue).await.map(drop), 3 * SECOND),
        4 => (consumer.max_offset(&queue).await.map(drop), 3 * SECOND),
        5 => (consumer.offset_at(&queue, 0).await.map(drop), 3 * SECOND),
        6 => (consumer.committed_offset(&queue).await.map(drop), 3 * SECOND),
        7 => (consumer.commit_offset(&queue, 0).await, 3 * SECOND),
        8 => (admin.create_topic("u").await, 6 * SECOND),
        9 => (admin.delete_topic("u").await, 6 * SECOND),
        10 => (admin.groups().await.map(drop), 12 * SECOND),
        11 => (admin.lag("consumers").await.map(drop), 9 * SECOND),
        12 => (admin.messages_by_key("t", "k").await.map(drop), 12 * SECOND),
        13 => (admin.message_by_id("0A00010100002A9F0000000000000000").await.map(drop), 6 * SECOND),
        14 => (admin.reset_offsets("consumers", "t", ConsumeFrom::FirstOffset).await.map(drop), 30 * SECOND),
        _ => (admin.topic_statistics("t").await.map(drop), 6 * SECOND),
    }
}
const CALLS: usize = 16;

#[test]
fn every_call_on_a_connection_that_falls_silent_ends_within_its_own_time() {
    for number in 0..CALLS {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = consumer(&client).await;
            consumer.max_offset(&queue("broker-a", 0)).await.expect("all is well");
            stop_process(&stage, true);
            let ((failed, limit), took) = stage.timed(call(&client, &consumer, number)).await;
            assert_eq!(reason(&failed), (ErrorKind::Timeout, Some(BROKER_A)), "call {number}");
            assert!(took <= limit && took >= limit - ROUND_TRIP, "call {number}: {took:?}");
            stop_process(&stage, false);
            call(&client, &consumer, number).await.0.expect("the next one is answered");
        });
    }
}

#[test]
fn every_call_ends_within_its_own_time_while_its_connection_cannot_be_made() {
    for number in 0..CALLS {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = consumer(&client).await;
            stage.world.network().partition(BROKER_A, true);
            let ((failed, limit), took) = stage.timed(call(&client, &consumer, number)).await;
            assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(BROKER_A)), "call {number}");
            assert!(took <= limit, "call {number}: {took:?}");
            stage.world.network().heal();
            // The broker may not have heard of the group yet, and says so.
            let next = call(&client, &consumer, number).await.0;
            let is_unknown = |error: &Error| error.kind() == ErrorKind::GroupNotFound;
            assert!(next.as_ref().err().is_none_or(is_unknown), "the next one is answered: {next:?}");
        });
    }
}

#[test]
fn an_answer_just_in_time_counts_and_one_just_too_late_disturbs_nobody() {
    for (late, is_in_time) in [(MICROSECOND, false), (Duration::ZERO, false), (Duration::ZERO, true)] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = single_try_producer(&client).await;
            producer.send(message("t")).await.expect("all is well");
            let mut delay = 3 * SECOND - ROUND_TRIP + late;
            if is_in_time {
                delay -= MICROSECOND;
            }
            stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(delay)).times(1)));
            let last_moment = begun(producer.send(message("t"))).await;
            // Answers in between show that the broker is alive, so that its connection stays.
            for _ in 0..5 {
                stage.sleep(SECOND / 2).await;
                producer.send(message("t")).await.expect("not concerned");
            }
            let sent = last_moment.await;
            if is_in_time {
                sent.expect("in time is in time");
            } else {
                assert_eq!(reason(&sent), (ErrorKind::Timeout, Some(BROKER_A)), "{late:?}");
            }
            stage.sleep(SECOND).await;
            producer.send(message("t")).await.expect("not concerned");
            let counters = client.counters();
            assert_eq!((counters.unexpected_answers, counters.connects), (u64::from(!is_in_time), 2), "{late:?}");
            assert_eq!(stage.stored("broker-a", "t"), 8, "sent once each, in time or not");
        });
    }
}

#[test]
fn a_pull_answered_too_late_is_over_and_the_next_one_gets_its_own_answer() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let (first, second) = (queue("broker-a", 0), queue("broker-a", 1));
        producer.send_to(message("t"), first.clone()).await.unwrap();
        let late = Forced::Delay(SECOND + SECOND / 2);
        stage.on_broker_a(|broker| broker.force(Force::requests([RequestCode::PULL_MESSAGE], late).times(1)));
        let quick = PullOptions::new().timeout(SECOND);
        let pull = begun(consumer.pull_with(&first, "*", 0, quick)).await;
        stage.sleep(SECOND / 2).await;
        // A sign of life keeps the connection.
        assert_eq!(consumer.max_offset(&first).await.unwrap(), 1);
        assert_eq!(reason(&pull.await).0, ErrorKind::Timeout);
        // Under way when the late answer comes.
        let other = begun(consumer.pull_with(&second, "*", 0, waiting(SECOND))).await;
        assert_eq!(other.await.expect("its own answer").messages.len(), 0);
        assert_eq!(client.counters().unexpected_answers, 1);
    });
}

#[test]
fn an_answer_cut_in_the_middle_is_a_connection_that_ended_and_the_send_is_tried_again() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let closes = AtomicBool::new(true);
    let script = wire::broker(RequestCode::SEND_MESSAGE_V2, move |request| {
        let answer = wire::stored(request);
        let half = answer.slice(..answer.len() / 2);
        if closes.swap(false, Ordering::Relaxed) {
            return vec![(Duration::ZERO, Reaction::Send(half)), (Duration::ZERO, Reaction::Close)];
        }
        wire::at_once(answer)
    });
    stage.world.serve(BROKER_A, script);
    stage.world.block_on(async {
        let client = stage.client().await;
        let (sent, took) = stage.timed(producer(&client).await.send(message("t"))).await;
        sent.expect("the second try");
        assert!(took <= FIRST_PAUSE + 5 * ROUND_TRIP, "{took:?}");
    });
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_frame_says_so() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let script = wire::broker(RequestCode::SEND_MESSAGE_V2, move |request| {
        let answer = wire::stored(request);
        let half = answer.slice(..answer.len() / 2);
        vec![(Duration::ZERO, Reaction::Send(half)), (Duration::ZERO, Reaction::Close)]
    });
    stage.world.serve(BROKER_A, script);
    stage.world.block_on(async {
        let client = stage.client().await;
        let (failed, took) = stage.timed(producer(&client).await.send(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectionClosed, Some(BROKER_A)));
        let error = failed.unwrap_err();
        assert_eq!(error.attempts().len(), 3);
        assert!(error.to_string().contains("in the middle of a frame"), "{error}");
        assert!(took < SECOND, "three tries and two pauses, the longer 200 ms: {took:?}");
    });
}

#[test]
fn a_reset_in_the_middle_of_a_frame_in_either_direction_costs_one_try() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        for bytes in [1, 3, 40] {
            let stage = Stage::new(1, 1).with_topic("t", 1);
            stage.world.block_on(async {
                let client = stage.client().await;
                let producer = producer(&client).await;
                producer.send(message("t")).await.expect("all is well");
                stage.world.network().break_after(BROKER_A, direction, bytes);
                let (sent, took) = stage.timed(producer.send(message("t"))).await;
                sent.expect("the second try");
                assert!(took <= FIRST_PAUSE + 5 * ROUND_TRIP, "{took:?}");
                let twice = u8::from(direction == Direction::ToClient);
                assert_eq!(stage.stored("broker-a", "t"), 2 + i64::from(twice), "carried out before it was cut");
            });
        }
    }
}

#[test]
fn calls_to_a_name_server_that_never_answers_end_within_their_time() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let admin = client.admin();
        stage.world.network().stall(NAME_SERVER, Direction::ToServer, true);
        for (failed, took) in [
            stage.timed(async { admin.topic_list().await.map(drop) }).await,
            stage.timed(async { admin.cluster_info().await.map(drop) }).await,
            stage.timed(async { admin.topic_route("t").await.map(drop) }).await,
            stage.timed(async { admin.topic_statistics("t").await.map(drop) }).await,
            stage.timed(async { admin.create_topic("u").await }).await,
            stage.timed(async { consumer.queues("t").await.map(drop) }).await,
            stage.timed(async { consumer.max_offset(&queue("broker-a", 0)).await.map(drop) }).await,
            stage.timed(async { producer.send(message("t")).await.map(drop) }).await,
            stage.timed(async { stage.machine.client(NAME_SERVER).connect().await.map(drop) }).await,
        ] {
            let error = failed.unwrap_err();
            let words = error.to_string();
            assert!(matches!(error.kind(), ErrorKind::NameServersUnavailable | ErrorKind::Timeout), "{error:?}");
            assert_eq!(took, 3 * SECOND, "{words}");
        }
        let (failed, took) =
            stage.timed(async { consumer.pull(&queue("broker-a", 0), "*", 0, 1).await.map(drop) }).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));
        assert_eq!(took, 3 * SECOND, "a pull has ten seconds, and a look-up three");

        stage.world.network().stall(NAME_SERVER, Direction::ToServer, false);
        producer.send(message("t")).await.expect("all is well again");
        admin.topic_list().await.expect("all is well again");
    });
}

#[test]
fn the_reason_names_the_name_server_that_did_not_answer() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.network().stall(NAME_SERVER, Direction::ToServer, true);
    stage.world.block_on(async {
        let (failed, took) = stage.timed(stage.machine.client(NAME_SERVER).connect()).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));
        assert_eq!(took, 3 * SECOND);
        let half = stage.machine.client(NAME_SERVER).request_timeout(SECOND / 2);
        let (failed, took) = stage.timed(half.connect()).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));
        assert_eq!(took, SECOND / 2);
    });
    stage.world.network().heal();
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0), "a failed start leaves nothing");
}
