//! Brokers that are gone, cut off, hung or slow: sends go to another one in time, and the broker is used again when it is
//! well.

use std::collections::BTreeSet;

use stgclient::Producer;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::SendOptions;
use stgclient_core::time::Duration;
use stgclient_servers::{Force, Forced, Memory, ServerId};
use stgclient_simulator::Direction;

use super::stage::{
    BROKER_A, BROKER_B, FIRST_PAUSE, ROUND_TRIP, SECOND, Stage, consumer, message, producer, pull_all, queue, reason,
};

const A: ServerId = ServerId::Broker(0);
/// How long a broker is avoided after a try there has failed.
const AVOIDED: Duration = Duration::from_secs(10);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Two brokers with two queues each, to which a producer is connected.
async fn connected(stage: &Stage) -> Producer {
    let producer = producer(&stage.client().await).await;
    send_well(&producer, 4).await;
    // Old enough that a failing send has the route asked for.
    stage.sleep(SECOND).await;
    producer
}

async fn send_well(producer: &Producer, count: u32) {
    for _ in 0..count {
        producer.send(message("t")).await.expect("all is well");
    }
}

/// How the next sends are spread over the two brokers, one after the other.
async fn spread(stage: &Stage, producer: &Producer, count: u32) -> (i64, i64) {
    let stored = || (stage.stored("broker-a", "t"), stage.stored("broker-b", "t"));
    let before = stored();
    send_well(producer, count).await;
    let after = stored();
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn a_broker_that_refuses_costs_a_send_one_try_and_is_used_again_when_it_is_back() {
    for is_named_by_routes in [false, true] {
        let stage = Stage::new(1, 2).with_topic("t", 2);
        stage.world.block_on(async {
            let producer = connected(&stage).await;
            if is_named_by_routes {
                stage.world.network().refuse(BROKER_A, true);
                stage.world.network().reset(BROKER_A);
            } else {
                stage.cluster.stop(A);
            }
            for _ in 0..100 {
                let (sent, took) = stage.timed(producer.send(message("t"))).await;
                sent.expect("the other broker takes it");
                assert!(took <= 5 * ROUND_TRIP, "{took:?}");
                stage.sleep(SECOND).await;
            }
            stage.world.network().heal();
            stage.cluster.start(A, Memory::Kept);
            stage.sleep(LONGEST_PAUSE + AVOIDED).await;
            // The first of these connect to it anew.
            send_well(&producer, 4).await;
            assert_eq!(spread(&stage, &producer, 8).await, (4, 4));
        });
    }
}

#[test]
fn the_only_broker_being_gone_fails_sends_in_time_and_the_client_is_back_soon_after_it() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        send_well(&producer, 1).await;
        stage.cluster.stop(A);
        for _ in 0..60 {
            let (failed, took) = stage.timed(producer.send(message("t"))).await;
            let (kind, _) = reason(&failed);
            // The name servers have noticed too, sooner or later.
            let kinds = [
                ErrorKind::ConnectFailed,
                ErrorKind::ConnectionClosed,
                ErrorKind::NoQueueAvailable,
                ErrorKind::TopicNotFound,
            ];
            assert!(kinds.contains(&kind), "{failed:?}");
            assert!(took <= 3 * SECOND, "{took:?}");
            stage.sleep(SECOND).await;
        }
        stage.cluster.start(A, Memory::Kept);
        let begin = stage.world.now().mono;
        while producer.send(message("t")).await.is_err() {
            stage.sleep(SECOND / 10).await;
        }
        let took = stage.world.now().mono.since(begin);
        assert!(took <= LONGEST_PAUSE + SECOND, "{took:?}");
        send_well(&producer, 10).await;
    });
}

#[test]
fn a_broker_that_restarts_quickly_costs_no_send() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        for _ in 0..20 {
            send_well(&producer, 1).await;
            stage.sleep(SECOND).await;
            stage.cluster.stop(A);
            stage.cluster.start(A, Memory::Kept);
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("its next try");
            assert!(took <= FIRST_PAUSE + 5 * ROUND_TRIP, "{took:?}");
        }
    });
}

#[test]
fn a_reset_fails_everything_under_way_and_every_send_is_tried_again() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        let sends: Vec<_> = (0..50).map(|_| producer.send(message("t"))).collect();
        stage.sleep(ROUND_TRIP / 4).await;
        stage.world.network().reset(BROKER_A);
        for sending in sends {
            sending.await.expect("its next try");
        }
        let took = stage.world.now().mono;
        send_well(&producer, 4).await;
        assert!(stage.world.now().mono.since(took) < SECOND);
    });
}

#[test]
fn one_hung_broker_of_two_gets_half_of_a_sends_time_and_is_then_avoided() {
    for is_partition in [false, true] {
        let stage = Stage::new(1, 2).with_topic("t", 2);
        stage.world.block_on(async {
            let producer = connected(&stage).await;
            let network = stage.world.network();
            if is_partition {
                network.partition(BROKER_A, true);
            } else {
                network.stall(BROKER_A, Direction::ToServer, true);
            }
            let begin = stage.world.now().mono;
            let (mut slow, mut count) = (0, 0);
            while stage.world.now().mono.since(begin) < 100 * SECOND {
                let (sent, took) = stage.timed(producer.send(message("t"))).await;
                sent.expect("the other broker takes it");
                assert!(took <= 3 * SECOND / 2 + 5 * ROUND_TRIP, "{took:?}");
                slow += u32::from(took >= SECOND);
                count += 1;
                stage.sleep(SECOND / 10).await;
            }
            assert!((1..=9).contains(&slow), "{slow} of {count}: it is tried again once in ten seconds at the most");
            network.heal();
            stage.sleep(LONGEST_PAUSE + AVOIDED).await;
            send_well(&producer, 4).await;
            assert_eq!(spread(&stage, &producer, 8).await, (4, 4));
        });
    }
}

#[test]
fn many_sends_at_once_with_one_hung_broker_all_end_well_within_their_time() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let ((), took) = stage
            .timed(async {
                let sends: Vec<_> = (0..500).map(|_| producer.send(message("t"))).collect();
                for sending in sends {
                    sending.await.expect("the other broker takes it");
                }
            })
            .await;
        assert!(took <= 3 * SECOND, "{took:?}");
    });
}

#[test]
fn all_brokers_hung_fails_a_send_at_its_time_with_every_try() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        for address in [BROKER_A, BROKER_B] {
            stage.world.network().stall(address, Direction::ToServer, true);
        }
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        let error = failed.unwrap_err();
        assert_eq!(took, 3 * SECOND);
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::ConnectFailed), "{error:?}");
        let tried: BTreeSet<_> =
            error.attempts().iter().map(|attempt| attempt.address.clone().unwrap().to_string()).collect();
        assert_eq!(tried.len(), 2, "both were tried: {error}");
        stage.world.network().heal();
        stage.sleep(AVOIDED).await;
        send_well(&producer, 8).await;
    });
}

#[test]
fn a_send_has_the_tries_and_the_time_that_it_was_given() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        for address in [BROKER_A, BROKER_B] {
            stage.world.network().refuse(address, true);
        }
        for tries in [1_u32, 2, 5] {
            let producer = client.producer("p").max_tries(tries).send_timeout(5 * SECOND).start().await.unwrap();
            let (failed, took) = stage.timed(producer.send(message("t"))).await;
            assert_eq!(took, 5 * SECOND, "a broker that cannot be reached has not been tried");
            assert_eq!(failed.unwrap_err().attempts().len(), 2, "both were looked for");
        }
        stage.world.network().heal();
        for address in [BROKER_A, BROKER_B] {
            stage.world.network().stall(address, Direction::ToServer, true);
        }
        stage.sleep(60 * SECOND).await;
        let producer = client.producer("p").send_timeout(7 * SECOND).start().await.unwrap();
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        failed.unwrap_err();
        assert_eq!(took, 7 * SECOND);
        let options = SendOptions::new().timeout(SECOND);
        let (failed, took) = stage.timed(producer.send_to(message("t"), options)).await;
        failed.unwrap_err();
        assert_eq!(took, SECOND);
        let options = SendOptions::new().timeout(Duration::ZERO);
        let (failed, took) = stage.timed(producer.send_to(message("t"), options)).await;
        failed.unwrap_err();
        assert_eq!(took, Duration::ZERO);
    });
}

#[test]
fn a_time_for_each_try_bounds_all_but_the_last() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let builder = client.producer("p").configure(|config| config.try_timeout = Some(SECOND / 2));
        let producer = builder.start().await.unwrap();
        send_well(&producer, 1).await;
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Lost).times(2)));
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("the third try");
        // Two tries of half a second, and one that is answered: on a new connection, since nothing was heard on the old one.
        assert!((SECOND..=SECOND + FIRST_PAUSE + 3 * ROUND_TRIP).contains(&took), "{took:?}");
    });
}

#[test]
fn a_send_to_a_given_queue_waits_for_its_broker_and_goes_to_no_other() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        stage.cluster.stop(A);
        let cluster = stage.cluster.clone();
        stage.world.after(FIRST_PAUSE / 4, move |_| cluster.start(A, Memory::Kept));
        let receipt = producer.send_to(message("t"), queue("broker-a", 1)).await.expect("when it is back");
        assert_eq!((&*receipt.queue.broker_name, receipt.queue.queue_id), ("broker-a", 1));
    });
}

#[test]
fn a_slow_broker_is_avoided_by_what_its_answers_took_and_used_again() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        // 600 ms there and back: avoided for 2 s.
        stage.world.network().delay(BROKER_A, Duration::from_millis(300));
        let begin = stage.world.now().mono;
        let mut slow = Vec::new();
        while stage.world.now().mono.since(begin) < 20 * SECOND {
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("slow or quick");
            if took > SECOND / 2 {
                slow.push(stage.world.now().mono);
            }
            stage.sleep(SECOND / 20).await;
        }
        assert!((7..=9).contains(&slow.len()), "{}", slow.len());
        for pair in slow.windows(2) {
            let between = pair[1].since(pair[0]);
            assert!(between >= 2 * SECOND && between < 3 * SECOND, "{between:?}");
        }
        stage.world.network().delay(BROKER_A, Duration::ZERO);
        stage.sleep(2 * SECOND).await;
        assert_eq!(spread(&stage, &producer, 8).await, (4, 4));
    });
}

#[test]
fn slow_brokers_are_not_avoided_by_a_producer_that_does_not_want_it() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let builder = client.producer("p").configure(|config| config.avoid_slow_brokers = false);
        let producer = builder.start().await.unwrap();
        send_well(&producer, 4).await;
        stage.world.network().delay(BROKER_A, Duration::from_millis(300));
        assert_eq!(spread(&stage, &producer, 20).await, (10, 10));
    });
}

#[test]
fn when_every_broker_is_slow_sends_go_on() {
    let stage = Stage::new(1, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let producer = connected(&stage).await;
        for address in [BROKER_A, BROKER_B] {
            stage.world.network().delay(address, Duration::from_millis(500));
        }
        let (a, b) = spread(&stage, &producer, 10).await;
        assert_eq!(a + b, 10);
    });
}

#[test]
fn every_try_of_a_send_carries_the_same_id() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        let consumer = consumer(&stage.client().await).await;
        for name in ["broker-a", "broker-b"] {
            stage.cluster.broker(name, |broker| broker.force(Force::sends(Forced::Unanswered).times(1)));
        }
        let options = SendOptions::new().timeout(60 * SECOND);
        let receipt = producer.send_to(message("t"), options).await.expect("the third try");
        let mut ids = Vec::new();
        for name in ["broker-a", "broker-b"] {
            let batch = consumer.pull(&queue(name, 0), "*", 0, 32).await.unwrap();
            ids.extend(batch.messages.iter().map(|message| message.message_id()));
        }
        assert_eq!(ids, vec![receipt.message_id.to_string(); 3], "stored three times, and known to be one");
    });
}

#[test]
fn a_broker_that_lost_its_memory_takes_messages_again() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        send_well(&producer, 10).await;
        stage.sleep(SECOND).await;
        stage.cluster.stop(A);
        stage.cluster.start(A, Memory::Lost);
        for _ in 0..10 {
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("the topic is created anew");
            assert!(took < SECOND, "{took:?}");
        }
        assert_eq!(pull_all(&consumer, "t").await.unwrap().len(), 10);
    });
}
