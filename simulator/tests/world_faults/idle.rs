//! Connections that nobody needs for a while are closed, made again on use, and cost nothing meanwhile.

use stgclient_core::time::Duration;
use stgclient_servers::{Memory, ServerId};
use stgclient_simulator::Patience;

use super::stage::{
    BROKER_A, NAME_SERVER, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, queue, waiting,
};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_connection_that_nobody_needs_is_closed_after_two_minutes_and_made_again_on_use() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let links = || stage.world.network().links();
        stage.sleep(119 * SECOND).await;
        assert_eq!(links(), 1, "the name server's, two minutes are not over");
        stage.sleep(2 * SECOND).await;
        assert_eq!(links(), 0);
        let (list, took) = stage.timed(client.admin().topic_list()).await;
        list.expect("on a new connection");
        assert_eq!(took, 2 * ROUND_TRIP);

        // An administrator has no groups that brokers would have to hear of.
        client.admin().create_topic("u").await.expect("all is well");
        assert_eq!(links(), 2);
        stage.sleep(121 * SECOND).await;
        assert_eq!(links(), 0);
        client.admin().create_topic("v").await.expect("on new connections");
        assert_eq!(client.counters().connects, 5);
    });
}

#[test]
fn a_connection_on_which_somebody_waits_is_not_idle() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(600 * SECOND))).await;
        stage.sleep(500 * SECOND).await;
        producer(&client).await.send(message("t")).await.expect("all is well");
        assert_eq!(held.await.expect("on the same connection").messages.len(), 1);
        assert_eq!(client.counters().connects, 2);
    });
}

#[test]
fn heartbeats_keep_a_brokers_connection_for_as_long_as_its_topic_is_in_use() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..5 {
            let (sent, _) = stage.timed(producer.send(message("t"))).await;
            sent.expect("all is well");
            stage.sleep(500 * SECOND).await;
        }
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("all is well");
        assert_eq!((took, client.counters().connects), (ROUND_TRIP, 2));
    });
}

#[test]
fn a_connection_that_broke_while_nobody_looked_is_made_again_before_the_next_send() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        for address in [BROKER_A, NAME_SERVER] {
            stage.world.network().reset(address);
        }
        stage.sleep(31 * SECOND).await;
        assert_eq!(stage.world.network().links(), 2, "heartbeats and routes have connected again");
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("all is well");
        assert_eq!(took, ROUND_TRIP);
    });
}

#[test]
fn a_client_left_alone_for_a_day_costs_little_and_is_there_when_it_is_needed() {
    let stage = Stage::new(2, 2).with_topic("t", 1);
    let patience = Patience { time: 48 * HOUR, ..Patience::default() };
    let done = stage.world.try_block_on(patience, async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        consumer.queues("t").await.expect("all is well");
        let tasks = stage.world.tasks();
        stage.sleep(12 * HOUR).await;
        // All servers are restarted meanwhile, as they are now and then.
        for server in [ServerId::NameServer(0), ServerId::NameServer(1), ServerId::Broker(0), ServerId::Broker(1)] {
            stage.cluster.stop(server);
            stage.sleep(60 * SECOND).await;
            stage.cluster.start(server, Memory::Kept);
        }
        stage.sleep(12 * HOUR).await;
        assert!(stage.world.tasks() <= tasks && stage.world.network().links() <= 4);
        for _ in 0..4 {
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("all is well");
            assert!(took <= 5 * ROUND_TRIP, "{took:?}");
        }
        client.close().await;
        assert_eq!(stage.world.tasks(), 0);
    });
    done.unwrap_or_else(|stuck| panic!("{stuck}"));
}
