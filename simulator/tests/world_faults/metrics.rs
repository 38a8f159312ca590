//! What a client counts of itself.

use stgclient::{Client, SendCounters};
use stgclient_core::time::Duration;
use stgclient_servers::{Force, Forced};
use stgclient_simulator::Direction;

use super::stage::{BROKER_A, SECOND, Stage, begun, message, producer, queue};

fn sends(client: &Client, broker: &str) -> SendCounters {
    client.metrics().sends.get(broker).copied().unwrap_or_default()
}

#[test]
fn sends_are_counted_once_by_their_outcome_at_the_broker_of_the_last_try() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (a, b) = (queue("broker-a", 0), queue("broker-b", 0));
        for _ in 0..3 {
            producer.send_to(message("t"), a.clone()).await.expect("all is well");
        }
        producer.send_to(message("t"), b.clone()).await.expect("all is well");
        let count = |counters: SendCounters| (counters.send_ok, counters.failed, counters.tries);
        assert_eq!((count(sends(&client, "broker-a")), count(sends(&client, "broker-b"))), ((3, 0, 3), (1, 0, 1)));
        let forced =
            [Forced::FlushDiskTimeout, Forced::FlushSlaveTimeout, Forced::FlushSlaveTimeout, Forced::SlaveNotAvailable];
        for forced in forced {
            stage.on_broker_a(|broker| broker.force(Force::sends(forced).times(1)));
            producer.send_to(message("t"), a.clone()).await.expect("it is stored");
        }
        producer.send_oneway_to(message("t"), a.clone()).await.expect("it is written");
        // Refused for good, and withdrawn.
        producer.send_to(message("t"), queue("broker-a", 7)).await.expect_err("there is no such queue");
        stage.world.network().delay(BROKER_A, SECOND);
        drop(begun(producer.send_to(message("t"), a.clone())).await);
        let counters = sends(&client, "broker-a");
        assert_eq!(
            (counters.flush_disk_timeout, counters.flush_slave_timeout, counters.slave_not_available),
            (1, 2, 1)
        );
        assert_eq!((counters.oneway, counters.cancelled, counters.send_ok), (1, 1, 3));
        let all = client.metrics().all_sends();
        assert_eq!((all.failed, all.total()), (1, 11));
        assert_eq!(client.metrics().send_latency.count(), 8, "those with a receipt");
    });
}

#[test]
fn tries_and_the_time_of_all_of_them_are_counted() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..2 {
            producer.send(message("t")).await.expect("all is well");
        }
        let quick = client.metrics();
        assert!(quick.send_latency.at_most(1.0).is_some_and(|most| most <= Duration::from_millis(1)));
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        for _ in 0..2 {
            producer.send(message("t")).await.expect("the other one answers");
        }
        let metrics = client.metrics();
        let (a, b) = (sends(&client, "broker-a"), sends(&client, "broker-b"));
        assert_eq!((a.tries + b.tries, metrics.all_sends().send_ok, metrics.all_sends().failed), (5, 4, 0));
        assert_eq!(metrics.send_latency.count(), 4);
        let share = Duration::from_millis(1500);
        assert!(metrics.send_latency.sum() >= share && metrics.send_latency.sum() < 2 * share, "{metrics:?}");
        assert!(metrics.send_latency.at_most(1.0).is_some_and(|most| most >= share));
    });
}

#[test]
fn what_is_under_way_and_what_went_over_connections_is_counted() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let sender = client.producer("producers").max_waiting(2, 1 << 20).start().await.expect("a producer");
        sender.send_to(message("t"), queue("broker-a", 0)).await.expect("all is well");
        let before = client.metrics();
        assert_eq!((before.connections, before.connects, before.reconnects), (2, 2, 0));
        assert!(before.bytes_sent > 300 && before.bytes_received > 300, "{before:?}");
        stage.world.network().delay(BROKER_A, SECOND / 10);
        let mut under_way = Vec::new();
        for _ in 0..5 {
            under_way.push(begun(sender.send_to(message("t"), queue("broker-a", 0))).await);
        }
        let metrics = client.metrics();
        assert_eq!((metrics.messages_in_flight, metrics.bytes_in_flight, metrics.messages_in_line), (2, 10, 3));
        for send in under_way {
            send.await.expect("it is slow only");
        }
        let metrics = client.metrics();
        assert_eq!((metrics.messages_in_flight, metrics.bytes_in_flight, metrics.messages_in_line), (0, 0, 0));
        assert!(metrics.bytes_sent >= before.bytes_sent + 5 * 100);
        stage.world.network().delay(BROKER_A, Duration::ZERO);
        stage.world.network().reset(BROKER_A);
        stage.sleep(SECOND).await;
        sender.send_to(message("t"), queue("broker-a", 0)).await.expect("it is there again");
        assert_eq!((client.metrics().connects, client.metrics().reconnects), (3, 1));
    });
}

#[test]
fn what_is_counted_of_a_broker_that_is_gone_and_of_a_consumer_that_is_closed_stays_counted() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consume = async |fails: bool| {
            let consumer = client.push_consumer("g").subscribe("t", "*");
            let handler = move |_| async move { if fails { Err("it is not wanted".into()) } else { Ok(()) } };
            let consumer = consumer.concurrently(handler).start().await.expect("it starts");
            consumer.ready().await.expect("it is ready");
            consumer
        };
        let first = consume(false).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        stage.sleep(SECOND).await;
        let now = client.metrics().consumers["g"];
        assert_eq!((now.pulled, now.consumed, now.failed, now.lag), (4, 4, 0, Some(0)));
        // Its own and the retry topic's, each at two brokers.
        assert!(now.queues >= 2 && now.assigned >= 2 && now.revoked == 0, "{now:?}");
        first.close().await;
        let closed = client.metrics().consumers["g"];
        assert_eq!((closed.consumed, closed.queues, closed.lag, closed.revoked), (4, 0, None, closed.assigned));
        let second = consume(true).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        stage.sleep(SECOND).await;
        let both = client.metrics().consumers["g"];
        assert_eq!((both.consumed, both.failed, both.sent_back), (4, 4, 4), "{both:?}");
        second.close().await;
        let before = client.metrics().all_sends();
        stage.cluster.stop(stgclient_servers::ServerId::Broker(1));
        stage.sleep(200 * SECOND).await;
        client.admin().topic_route("t").await.expect("it is there");
        producer.send(message("t")).await.expect("all is well");
        stage.sleep(200 * SECOND).await;
        let metrics = client.metrics();
        assert_eq!(metrics.sends["broker-b"].total(), 4, "{metrics:?}");
        assert_eq!(metrics.all_sends().send_ok, before.send_ok + 1);
    });
}

#[test]
fn a_consumer_that_has_no_room_for_more_is_counted_as_flow_controlled() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = client.push_consumer("g").subscribe("t", "*").configure(|config| config.max_cached_messages = 5);
        let messages = consumer.stream().start().await.expect("it starts");
        messages.consumer().ready().await.expect("it is ready");
        producer.send(message("t")).await.expect("all is well");
        stage.sleep(SECOND).await;
        assert_eq!(client.metrics().consumers["g"].flow_controlled, 0);
        for _ in 0..10 {
            producer.send(message("t")).await.expect("all is well");
        }
        stage.sleep(SECOND).await;
        let full = client.metrics().consumers["g"];
        assert!(full.flow_controlled >= 1 && full.lag >= Some(5), "{full:?}");
        for _ in 0..11 {
            assert!(messages.next().await.expect("it is open").ack());
        }
    });
}
