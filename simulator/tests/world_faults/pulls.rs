//! Pulls and offsets under faults: long polls across cuts and restarts, memory that is lost, reads that are tried again.

use stgclient_core::consumer::{PullOptions, PullStatus};
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::Message;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{ClusterConfig, Force, Forced, Memory, ServerId};
use stgclient_simulator::Direction;

use super::stage::{
    BROKER_A, FIRST_PAUSE, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, pull_all, queue, reason,
    waiting,
};

const A: ServerId = ServerId::Broker(0);

#[test]
fn a_long_poll_is_answered_as_soon_as_there_is_a_message_and_otherwise_when_it_was_to_wait_no_longer() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        let (empty, took) = stage.timed(consumer.pull_with(&queue, "*", 0, waiting(20 * SECOND))).await;
        let empty = empty.expect("an answer");
        assert_eq!((empty.status, empty.next_offset, empty.messages.len()), (PullStatus::NoNewMessage, 0, 0));
        assert!(took >= 20 * SECOND && took <= 25 * SECOND, "{took:?}");

        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(200 * SECOND))).await;
        stage.sleep(150 * SECOND).await;
        // Other requests do not wait behind it on the same connection.
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("all is well");
        assert_eq!(took, ROUND_TRIP);
        let (found, took) = stage.timed(held).await;
        assert_eq!(found.expect("an answer").messages.len(), 1);
        assert!(took <= ROUND_TRIP, "{took:?}");
    });
}

#[test]
fn a_long_poll_outlives_a_short_cut_of_the_network() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        let queue = queue("broker-a", 0);
        let held = begun(consumer.pull_with(&queue, "*", 1, waiting(20 * SECOND))).await;
        stage.sleep(SECOND).await;
        stage.world.network().partition(BROKER_A, true);
        let sending = producer.send(message("t"));
        stage.sleep(2 * SECOND).await;
        stage.world.network().heal();
        sending.await.expect("in its time");
        assert_eq!(held.await.expect("on the same connection").messages.len(), 1);
        assert_eq!(client.counters().connects, 2);
    });
}

#[test]
fn a_long_poll_across_a_long_cut_ends_within_its_time_and_the_next_one_is_well() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        consumer.max_offset(&queue).await.expect("all is well");
        let begin = stage.world.now().mono;
        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(20 * SECOND))).await;
        stage.sleep(SECOND).await;
        stage.world.network().partition(BROKER_A, true);
        let failed = held.await;
        assert_eq!(reason(&failed), (ErrorKind::Timeout, Some(BROKER_A)));
        let took = stage.world.now().mono.since(begin);
        assert_eq!(took, 30 * SECOND, "the time to wait, and the time for the answer");
        stage.sleep(30 * SECOND).await;
        stage.world.network().heal();
        stage.sleep(10 * SECOND).await;
        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(20 * SECOND))).await;
        producer.send(message("t")).await.expect("all is well again");
        assert_eq!(held.await.expect("all is well again").messages.len(), 1);
    });
}

#[test]
fn a_long_poll_outlives_a_broker_that_restarts_with_its_memory() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        for _ in 0..3 {
            producer.send(message("t")).await.expect("all is well");
        }
        let queue = queue("broker-a", 0);
        let held = begun(consumer.pull_with(&queue, "*", 3, waiting(20 * SECOND))).await;
        stage.sleep(SECOND).await;
        stage.cluster.stop(A);
        stage.cluster.start(A, Memory::Kept);
        stage.sleep(SECOND).await;
        producer.send(message("t")).await.expect("all is well again");
        let found = held.await.expect("asked again on a new connection");
        assert_eq!((found.messages.len(), found.messages[0].queue_offset()), (1, 3));
    });
}

#[test]
fn after_a_broker_lost_its_memory_an_offset_is_illegal_and_the_right_one_is_told() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        for _ in 0..10 {
            producer.send(message("t")).await.expect("all is well");
        }
        let queue = queue("broker-a", 0);
        consumer.commit_offset(&queue, 10).await.expect("all is well");
        let held = begun(consumer.pull_with(&queue, "*", 10, waiting(20 * SECOND))).await;
        stage.sleep(SECOND).await;
        stage.cluster.stop(A);
        stage.cluster.start(A, Memory::Lost);
        stage.on_broker_a(|broker| broker.create_topic("t", 1)).unwrap();
        let illegal = held.await.expect("asked again, and answered");
        assert_eq!((illegal.status, illegal.next_offset), (PullStatus::OffsetIllegal, 0));
        assert_eq!(consumer.committed_offset(&queue).await.expect("an answer"), None);
        producer.send(message("t")).await.expect("all is well again");
        let illegal = consumer.pull(&queue, "*", 10, 32).await.expect("an answer");
        assert_eq!((illegal.status, illegal.next_offset), (PullStatus::OffsetIllegal, 1), "too far: from the end");
        let next = consumer.pull(&queue, "*", illegal.min_offset, 32).await.expect("an answer");
        assert_eq!((next.status, next.next_offset), (PullStatus::Found, 1));
    });
}

#[test]
fn messages_that_the_broker_dropped_are_passed_over_and_all_that_are_kept_come() {
    let mut config = ClusterConfig::with_servers(1, 1);
    config.brokers[0].limits.message_bytes = 50_000;
    let stage = Stage::of(config).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").compression(None).start().await.unwrap();
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        for number in 0..200_u32 {
            let mut body = number.to_be_bytes().to_vec();
            body.resize(1000, 0);
            producer.send(Message::new("t", body)).await.expect("old ones give way");
        }
        let first = consumer.pull(&queue, "*", 0, 32).await.expect("an answer");
        assert_eq!(first.status, PullStatus::OffsetIllegal);
        assert_eq!(first.next_offset, first.min_offset);
        assert!(first.min_offset > 100 && first.max_offset == 200, "{first:?}");
        let bodies = pull_all(&consumer, "t").await.expect("all that are kept");
        let numbers: Vec<u64> =
            bodies.iter().map(|body| u64::from(u32::from_be_bytes(body[..4].try_into().unwrap()))).collect();
        assert_eq!(numbers, (first.min_offset..200).collect::<Vec<_>>());
        let beyond = consumer.pull(&queue, "*", 500, 32).await.expect("an answer");
        assert_eq!((beyond.status, beyond.next_offset), (PullStatus::OffsetIllegal, 200));
    });
}

#[test]
fn a_pull_that_brings_nothing_wanted_says_where_to_go_on() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        // The hashes of these two tags are the same, and brokers compare hashes.
        for tag in ["BB", "other", "BB"] {
            producer.send(message("t").tag(tag)).await.expect("all is well");
        }
        let none = consumer.pull(&queue, "Aa", 0, 32).await.expect("an answer");
        assert_eq!((none.status, none.next_offset, none.messages.len()), (PullStatus::NoMatchedMessage, 3, 0));
        let none = consumer.pull(&queue, "third", 0, 32).await.expect("an answer");
        assert_eq!((none.status, none.next_offset), (PullStatus::NoMatchedMessage, 3));
        let some = consumer.pull(&queue, "BB || third", 0, 32).await.expect("an answer");
        assert_eq!((some.status, some.next_offset, some.messages.len()), (PullStatus::Found, 3, 2));
        let none = consumer.pull(&queue, "BB", 3, 32).await.expect("an answer");
        assert_eq!((none.status, none.next_offset), (PullStatus::NoNewMessage, 3));
    });
}

#[test]
fn what_only_reads_and_what_may_be_said_twice_is_asked_again_when_a_connection_ends() {
    for number in 0..7 {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let stage = Stage::new(1, 1).with_topic("t", 1);
            stage.world.block_on(async {
                let client = stage.client().await;
                let consumer = consumer(&client).await;
                let queue = queue("broker-a", 0);
                producer(&client).await.send(message("t")).await.expect("all is well");
                consumer.commit_offset(&queue, 1).await.expect("all is well");
                stage.sleep(SECOND).await;
                stage.world.network().break_after(BROKER_A, direction, 10);
                let call = async {
                    match number {
                        0 => consumer.pull(&queue, "*", 0, 1).await.map(|batch| batch.next_offset),
                        1 => consumer.min_offset(&queue).await.map(|offset| offset + 1),
                        2 => consumer.max_offset(&queue).await,
                        3 => consumer.offset_at(&queue, u64::MAX / 4).await,
                        4 => consumer.committed_offset(&queue).await.map(|offset| offset.unwrap_or_default()),
                        5 => consumer.commit_offset(&queue, 1).await.map(|()| 1),
                        _ => consumer.pull_with(&queue, "*", 0, waiting(SECOND)).await.map(|batch| batch.next_offset),
                    }
                };
                let (answer, took) = stage.timed(call).await;
                assert_eq!(answer.expect("the second try"), 1, "call {number}");
                assert!(took <= FIRST_PAUSE + 5 * ROUND_TRIP, "call {number}: {took:?}");
                assert_eq!(stage.on_broker_a(|broker| broker.committed("consumers", "t", 0)), Some(1));
            });
        }
    }
}

#[test]
fn a_read_from_a_broker_that_refuses_ends_after_three_tries_with_the_reason() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.network().refuse(BROKER_A, true);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        let (failed, took) = stage.timed(consumer.pull(&queue, "*", 0, 1)).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(BROKER_A)));
        assert!(took < SECOND, "two pauses: {took:?}");
        stage.world.network().heal();
        consumer.pull(&queue, "*", 0, 1).await.expect("all is well");
    });
}

#[test]
fn a_read_that_waits_for_its_connection_ends_at_its_own_time() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.network().partition(BROKER_A, true);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let quick = PullOptions::new().timeout(SECOND);
        let (failed, took) = stage.timed(consumer.pull_with(&queue("broker-a", 0), "*", 0, quick)).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(BROKER_A)));
        assert_eq!(took, SECOND);
    });
}

#[test]
fn what_a_broker_refuses_is_told_with_its_code_and_asked_once() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        for code in [ResponseCode::NO_PERMISSION, ResponseCode::SYSTEM_ERROR, ResponseCode(31_000)] {
            let refuse = Forced::Refuse(code, "because".into());
            stage.on_broker_a(|broker| broker.force(Force::requests([RequestCode::PULL_MESSAGE], refuse).times(1)));
            let (failed, took) = stage.timed(consumer.pull(&queue, "*", 0, 1)).await;
            let error = failed.unwrap_err();
            assert_eq!((error.kind(), error.code(), error.remark()), (ErrorKind::Refused, Some(code), Some("because")));
            assert_eq!(error.address().map(|address| address.as_str()), Some(BROKER_A));
            assert!(took <= 4 * ROUND_TRIP);
            consumer.pull(&queue, "*", 0, 1).await.expect("the next one");
        }
        for count in [0, 1025] {
            let (failed, took) = stage.timed(consumer.pull(&queue, "*", 0, count)).await;
            assert_eq!((reason(&failed), took), ((ErrorKind::InvalidArgument, None), Duration::ZERO));
        }
    });
}

#[test]
fn a_commit_that_fails_says_so_and_the_next_one_counts() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        producer(&client).await.send(message("t")).await.expect("all is well");
        let lost = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], Forced::Lost);
        stage.on_broker_a(|broker| broker.force(lost));
        let (failed, took) = stage.timed(consumer.commit_offset(&queue, 1)).await;
        assert_eq!(reason(&failed), (ErrorKind::Timeout, Some(BROKER_A)));
        assert_eq!(took, 3 * SECOND);
        stage.cluster.heal();
        consumer.commit_offset(&queue, 1).await.expect("all is well again");
        assert_eq!(consumer.committed_offset(&queue).await.expect("all is well again"), Some(1));
    });
}

#[test]
fn many_long_polls_on_one_connection_wait_side_by_side() {
    let stage = Stage::new(1, 1).with_topic("t", 16);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let queues = consumer.queues("t").await.unwrap();
        let mut held = Vec::new();
        for queue in &queues {
            held.push(begun(consumer.pull_with(queue, "*", 0, waiting(60 * SECOND))).await);
        }
        stage.sleep(SECOND).await;
        assert_eq!(stage.on_broker_a(|broker| broker.usage().held_pulls), 16);
        for queue in queues.iter().rev() {
            producer.send_to(message("t"), queue.clone()).await.expect("all is well");
        }
        for held in held {
            assert_eq!(held.await.expect("its own message").messages.len(), 1);
        }
        assert_eq!(stage.world.network().links(), 2);
    });
}
