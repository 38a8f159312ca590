//! Several name servers: failover inside one call, those that failed passed over, all of them away, a new list.

use stgclient::simulator::Clients as _;
use stgclient_core::error::ErrorKind;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{ClusterConfig, Force, Forced, Memory, RouteOverride, ServerId};
use stgclient_simulator::{Direction, Patience, World};

use super::stage::{
    FIRST_PAUSE, NAME_SERVER, NOWHERE, OTHER_NAME_SERVER, ROUND_TRIP, SECOND, Stage, consumer, message, producer,
    pull_all, reason,
};

const HOUR: Duration = Duration::from_secs(3600);
const BOTH: &str = "10.0.0.1:9876;10.0.0.2:9876";

#[test]
fn a_dead_name_server_costs_a_call_nothing() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.cluster.stop(ServerId::NameServer(0));
    stage.world.block_on(async {
        // Chance chooses who is asked first, so that many clients spread.
        for _ in 0..8 {
            let (client, took) = stage.timed(stage.client()).await;
            assert!(took <= 5 * ROUND_TRIP, "{took:?}");
            client.admin().topic_route("t").await.expect("the other one answers");
        }
    });
}

#[test]
fn a_hung_name_server_costs_its_share_of_one_call_and_is_then_passed_over() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.world.network().stall(NAME_SERVER, Direction::ToServer, true);
    let mut slow = 0;
    stage.world.block_on(async {
        for _ in 0..8 {
            let (client, took) = stage.timed(stage.client()).await;
            let asked_the_hung_one = took >= SECOND;
            slow += u32::from(asked_the_hung_one);
            assert!(took <= 3 * SECOND / 2 + 5 * ROUND_TRIP, "half of the time is left to the other: {took:?}");
            for _ in 0..20 {
                let (list, took) = stage.timed(client.admin().topic_list()).await;
                list.expect("the other one answers");
                assert!(took <= 2 * ROUND_TRIP, "{took:?}");
                stage.sleep(SECOND).await;
            }
        }
    });
    assert!((1..8).contains(&slow), "{slow}: chance chooses who is asked first");
}

#[test]
fn each_of_several_hung_name_servers_gets_its_share_of_one_call() {
    let stage = Stage::new(3, 1).with_topic("t", 1);
    for address in &stage.cluster.name_servers()[..2] {
        stage.world.network().stall(address, Direction::ToServer, true);
    }
    stage.world.block_on(async {
        for _ in 0..8 {
            let (client, took) = stage.timed(stage.client()).await;
            assert!(took <= 2 * SECOND + 5 * ROUND_TRIP, "{took:?}");
            client.close().await;
        }
    });
}

#[test]
fn a_name_server_that_came_back_is_used_when_the_other_goes() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let admin = client.admin();
        for (down, up) in [(0, 1), (1, 0), (0, 1)] {
            stage.cluster.start(ServerId::NameServer(up), Memory::Kept);
            stage.cluster.stop(ServerId::NameServer(down));
            // It failed a moment ago and is to be passed over, but there is no other.
            let (list, took) = stage.timed(admin.topic_list()).await;
            list.expect("one of them answers");
            assert!(took <= FIRST_PAUSE + 5 * ROUND_TRIP, "{took:?}");
        }
    });
}

#[test]
fn name_servers_that_refuse_fail_a_start_at_once_and_silent_ones_within_its_time() {
    let world = World::new(5);
    let cluster = world.cluster(ClusterConfig::with_servers(2, 1));
    let machine = world.machine();
    world.block_on(async {
        let begin = world.now().mono;
        let refused = machine.client("10.9.9.1:1;10.9.9.2:1;10.9.9.3:1").connect().await;
        let error = refused.expect_err("nobody is there");
        assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NameServersUnavailable, 3));
        for attempt in error.attempts() {
            assert!(attempt.outcome.contains("refused"), "{error}");
        }
        assert!(world.now().mono.since(begin) < SECOND);

        for address in cluster.name_servers() {
            world.network().partition(&address, true);
        }
        let begin = world.now().mono;
        let error = machine.client(BOTH).connect().await.expect_err("nobody answers");
        assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NameServersUnavailable, 2));
        assert_eq!(world.now().mono.since(begin), 3 * SECOND);
        assert!(error.is_retryable());
        world.network().heal();
        machine.client(BOTH).connect().await.expect("all is well again").close().await;
    });
    world.run_for(SECOND);
    assert_eq!((world.tasks(), world.network().links()), (0, 0), "failed starts leave nothing");
}

#[test]
fn sends_and_pulls_go_on_by_the_known_routes_while_all_name_servers_are_away_for_hours() {
    let stage = Stage::new(2, 2).with_topic("t", 2);
    let patience = Patience { time: 4 * HOUR, ..Patience::default() };
    let done = stage.world.try_block_on(patience, async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.cluster.stop(ServerId::NameServer(0));
        stage.world.network().partition(OTHER_NAME_SERVER, true);
        for _ in 0..3 * 12 {
            stage.sleep(HOUR / 12 - SECOND).await;
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("by the known route");
            assert_eq!(took, ROUND_TRIP);
        }
        // A broker that breaks meanwhile is found again by what is known of it.
        stage.cluster.stop(ServerId::Broker(0));
        for _ in 0..4 {
            producer.send(message("t")).await.expect("there is another");
        }
        stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        stage.sleep(20 * SECOND).await;
        let before = stage.stored("broker-a", "t");
        for _ in 0..4 {
            producer.send(message("t")).await.expect("by the known route");
        }
        assert!(stage.stored("broker-a", "t") > before, "the broker is used again");
        let unknown = producer.send(message("never-heard-of")).await;
        assert_eq!(reason(&unknown).0, ErrorKind::NameServersUnavailable);

        stage.cluster.start(ServerId::NameServer(0), Memory::Kept);
        stage.world.network().heal();
        // Name servers that were away for hours are not asked more often than every half minute.
        stage.sleep(31 * SECOND).await;
        assert_eq!(pull_all(&consumer, "t").await.expect("all is well again").len(), 1 + 36 + 4 + 4);
        producer.send(message("never-heard-of")).await.expect("all is well again");
    });
    done.unwrap_or_else(|stuck| panic!("{stuck}"));
}

#[test]
fn a_name_server_that_is_not_ready_is_passed_over_for_one_that_is() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.world.block_on(async {
        for not_ready in [0, 1] {
            stage.cluster.name_server(not_ready, |server| server.override_route(None, RouteOverride::NotReady));
            let (client, took) = stage.timed(stage.client()).await;
            assert!(took <= 5 * ROUND_TRIP, "{took:?}");
            let (sent, took) = stage.timed(async { producer(&client).await.send(message("t")).await }).await;
            sent.expect("the other one knows");
            assert!(took <= 10 * ROUND_TRIP, "{took:?}");
            stage.cluster.heal();
        }
    });
}

#[test]
fn name_servers_that_are_all_not_ready_fail_a_call_with_what_they_said() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for forced in [
            Forced::Refuse(ResponseCode::SYSTEM_ERROR, "name server not ready".into()),
            Forced::Refuse(ResponseCode::SYSTEM_BUSY, "name server not ready".into()),
        ] {
            let force = Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], forced);
            stage.cluster.name_server(0, |server| server.force(force));
            let (failed, took) = stage.timed(producer.send(message("t"))).await;
            assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));
            let text = failed.unwrap_err().to_string();
            assert!(text.contains("name server not ready"), "{text}");
            assert_eq!(took, 3 * SECOND, "it waits until one is");
            stage.cluster.heal();
        }
        producer.send(message("t")).await.expect("it is ready");
    });
}

#[test]
fn a_new_list_of_name_servers_counts_at_once_and_the_old_ones_are_left() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.machine.client(NAME_SERVER).connect().await.unwrap();
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        assert_eq!(stage.world.network().links(), 2);
        stage.cluster.stop(ServerId::NameServer(0));
        let (failed, _) = stage.timed(client.admin().topic_list()).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));

        client.set_name_servers(OTHER_NAME_SERVER).expect("an address");
        let (list, took) = stage.timed(client.admin().topic_list()).await;
        list.expect("the new one answers");
        assert!(took <= 2 * ROUND_TRIP, "{took:?}");

        // From one that is well to one that is well.
        stage.cluster.start(ServerId::NameServer(0), Memory::Kept);
        client.set_name_servers(NAME_SERVER).expect("an address");
        client.admin().topic_list().await.expect("the new one answers");
        stage.sleep(60 * SECOND).await;
        assert_eq!(stage.world.network().links(), 2, "nobody needs the old one any more");
        producer.send(message("t")).await.expect("all is well");

        let wrong = client.set_name_servers("nowhere").unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidArgument);
        client.admin().topic_list().await.expect("the list is as it was");
    });
}

#[test]
fn a_client_that_was_given_only_wrong_name_servers_recovers_with_right_ones() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        client.set_name_servers(NOWHERE).expect("an address");
        let failed = producer.send(message("t")).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NOWHERE)));
        client.set_name_servers(NAME_SERVER).expect("an address");
        producer.send(message("t")).await.expect("all is well");
    });
}
