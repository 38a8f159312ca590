//! Routes that are empty, wrong, old or new: what a call says then, and how soon a client follows the right one.

use stgclient_core::error::ErrorKind;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{BrokerData, Permission, QueueData, TopicRouteData};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{BrokerConfig, ClusterConfig, Force, Forced, Memory, RouteOverride, ServerId};

use super::stage::{
    BROKER_A, FIRST_PAUSE, NOWHERE, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, pull_all, queue,
    reason,
};

/// The route of a topic with one queue at each of these brokers, whose members listen here.
fn route(brokers: &[(&str, &[(i64, &str)])], permission: Permission) -> TopicRouteData {
    let member = |(id, address): &(i64, &str)| (*id, (*address).to_owned());
    let broker = |(name, members): &(&str, &[(i64, &str)])| BrokerData {
        broker_addrs: members.iter().map(member).collect(),
        broker_name: (*name).to_owned(),
        cluster: "DefaultCluster".into(),
        enable_acting_master: false,
    };
    let queues = |(name, _): &(&str, &[(i64, &str)])| QueueData {
        broker_name: (*name).to_owned(),
        perm: permission,
        read_queue_nums: 1,
        topic_sys_flag: 0,
        write_queue_nums: 1,
    };
    TopicRouteData {
        broker_datas: brokers.iter().map(broker).collect(),
        queue_datas: brokers.iter().map(queues).collect(),
        ..TopicRouteData::default()
    }
}

fn override_route(stage: &Stage, route: RouteOverride) {
    stage.cluster.name_server(0, |server| server.override_route(Some("t"), route));
}

#[test]
fn a_topic_without_a_queue_to_use_says_so_at_once_unless_its_master_is_away() {
    let master: &[_] = &[(0, BROKER_A)];
    let slave: &[_] = &[(1, BROKER_A)];
    let empty = TopicRouteData::default();
    let nobody = TopicRouteData {
        queue_datas: route(&[("broker-a", master)], Permission::READ_WRITE).queue_datas,
        ..empty.clone()
    };
    for (wrong, is_away) in [
        (empty, false),
        (nobody, true),
        (route(&[("broker-a", master)], Permission(0)), false),
        (route(&[("broker-a", slave)], Permission::READ_WRITE), true),
        (route(&[("broker-a", &[])], Permission::READ_WRITE), true),
    ] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        override_route(&stage, RouteOverride::Route(wrong));
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = producer(&client).await;
            for _ in 0..3 {
                let (failed, took) = stage.timed(producer.send(message("t"))).await;
                assert_eq!(reason(&failed).0, ErrorKind::NoQueueAvailable);
                assert!(failed.unwrap_err().to_string().contains("topic t"));
                assert!(if is_away { took == 3 * SECOND } else { took <= 2 * ROUND_TRIP }, "{took:?}");
                stage.sleep(SECOND).await;
            }
            stage.cluster.heal();
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            sent.expect("the first send after the name server is right again");
            assert!(took <= 5 * ROUND_TRIP, "{took:?}");
        });
    }
}

#[test]
fn a_topic_without_a_queue_does_not_make_name_servers_answer_for_every_send() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    override_route(&stage, RouteOverride::Route(TopicRouteData::default()));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (_, took) = stage
            .timed(async {
                let sends: Vec<_> = (0..2000).map(|_| producer.send(message("t"))).collect();
                for failed in sends {
                    assert_eq!(reason(&failed.await).0, ErrorKind::NoQueueAvailable);
                }
            })
            .await;
        // Each of them wants a route that is newer than itself, and one question is enough for all.
        assert!(took <= SECOND, "{took:?}");
    });
}

#[test]
fn a_route_to_nowhere_uses_up_the_time_of_a_send_unless_a_right_one_comes() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    override_route(&stage, RouteOverride::At(NOWHERE.into()));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(NOWHERE)));
        let error = failed.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(took, 3 * SECOND);
        let sending = begun(producer.send(message("t"))).await;
        stage.sleep(SECOND).await;
        stage.cluster.heal();
        let (sent, took) = stage.timed(sending).await;
        sent.expect("who waits for a broker asks for the route again and again");
        assert!(took < SECOND + SECOND / 4, "{took:?}");
    });
}

#[test]
fn a_route_to_an_address_that_never_answers_fails_within_the_time_and_is_then_replaced() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    override_route(&stage, RouteOverride::At(NOWHERE.into()));
    stage.world.network().partition(NOWHERE, true);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(NOWHERE)));
        assert_eq!(took, 3 * SECOND);
        stage.cluster.heal();
        let (failed, took) = stage.timed(producer.send(message("t"))).await;
        assert!(took <= 3 * SECOND, "{took:?}");
        // That try had the route asked for: from now on all is well.
        drop(failed);
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("by the right route");
        assert!(took <= 3 * ROUND_TRIP, "{took:?}");
    });
}

#[test]
fn a_topic_that_only_a_slave_serves_can_be_read_and_not_written() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        override_route(&stage, RouteOverride::Route(route(&[("broker-a", &[(1, BROKER_A)])], Permission::READ_WRITE)));
        stage.sleep(31 * SECOND).await;
        let failed = producer.send(message("t")).await;
        assert_eq!(reason(&failed).0, ErrorKind::NoQueueAvailable);
        assert_eq!(pull_all(&consumer, "t").await.expect("a slave will do").len(), 1);
        // As Java does: who goes on there would get it again.
        consumer.commit_offset(&queue("broker-a", 0), 1).await.expect("a slave keeps offsets too");
        stage.sleep(SECOND).await;
        stage.cluster.heal();
        producer.send(message("t")).await.expect("the master is back");
        consumer.commit_offset(&queue("broker-a", 0), 1).await.expect("the master is back");
    });
}

#[test]
fn a_queue_at_a_broker_that_no_route_names_is_an_error() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        for known_before in [false, true] {
            let (failed, took) = stage.timed(consumer.pull(&queue("broker-x", 0), "*", 0, 1)).await;
            assert_eq!(reason(&failed).0, ErrorKind::BrokerNotFound, "{known_before}");
            assert!(took <= 2 * ROUND_TRIP, "{took:?}");
            let (failed, took) = stage.timed(producer.send_to(message("t"), queue("broker-x", 0))).await;
            assert_eq!(reason(&failed).0, ErrorKind::BrokerNotFound, "{known_before}");
            assert_eq!(took, 3 * SECOND, "it may be one that is away");
            let (failed, _) = stage.timed(producer.send_to(message("t"), queue("broker-a", 7))).await;
            assert_eq!(reason(&failed).0, ErrorKind::NoQueueAvailable, "{known_before}");
            consumer.queues("t").await.expect("the topic itself is there");
        }
    });
}

#[test]
fn a_new_number_of_queues_is_used_within_half_a_minute() {
    let stage = Stage::new(1, 1).with_topic("t", 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        stage.on_broker_a(|broker| broker.create_topic("t", 4)).unwrap();
        stage.sleep(30 * SECOND + ROUND_TRIP).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        for queue in 0..4 {
            let count = stage.on_broker_a(|broker| broker.offsets("t", queue)).map(|(_, max)| max);
            assert_eq!(count, Some(if queue < 2 { 3 } else { 1 }), "queue {queue}");
        }
        assert_eq!(consumer(&client).await.queues("t").await.unwrap().len(), 4);
    });
}

#[test]
fn fewer_queues_are_noticed_within_half_a_minute_and_a_refused_one_before() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.on_broker_a(|broker| broker.create_topic("t", 1)).unwrap();
        let mut failures = 0;
        for _ in 0..40 {
            failures += u32::from(producer.send(message("t")).await.is_err());
            stage.sleep(SECOND).await;
        }
        assert!(failures <= 4, "{failures}: a refusal has the route asked for");
        stage.sleep(30 * SECOND).await;
        for _ in 0..8 {
            producer.send(message("t")).await.expect("by the new route");
        }
    });
}

#[test]
fn a_topic_that_is_created_meanwhile_is_found_by_the_next_call() {
    let stage = Stage::new(1, 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        for _ in 0..3 {
            let (failed, took) = stage.timed(consumer.queues("t")).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::TopicNotFound);
            assert_eq!(took, ROUND_TRIP);
            let failed = consumer.pull(&queue("broker-a", 0), "*", 0, 1).await;
            assert_eq!(reason(&failed).0, ErrorKind::TopicNotFound);
        }
        stage.on_broker_a(|broker| broker.create_topic("t", 3)).unwrap();
        assert_eq!(consumer.queues("t").await.expect("it is there").len(), 3);
        consumer.pull(&queue("broker-a", 2), "*", 0, 1).await.expect("it is there");
    });
}

#[test]
fn a_topic_that_is_deleted_meanwhile_is_created_anew_by_a_send_or_refused_where_brokers_do_not() {
    for creates in [true, false] {
        let mut config = ClusterConfig::with_servers(1, 1);
        config.brokers[0].auto_create_topics = creates;
        let stage = Stage::of(config).with_topic("t", 2);
        stage.world.block_on(async {
            let client = stage.client().await;
            let other = stage.client().await;
            let producer = producer(&client).await;
            let consumer = consumer(&client).await;
            producer.send(message("t")).await.expect("all is well");
            other.admin().delete_topic("t").await.expect("it is there");
            stage.sleep(SECOND).await;
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            assert!(took < SECOND, "{took:?}");
            if creates {
                sent.expect("by the old route, to a topic that the broker creates");
                assert_eq!(pull_all(&consumer, "t").await.unwrap().len(), 1, "the old message went with the topic");
            } else {
                let error = sent.unwrap_err();
                assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode::TOPIC_NOT_EXIST)));
                assert!(error.attempts().is_empty(), "broker and name server agree: no other try");
                // The route is known to be gone now.
                let error = producer.send(message("t")).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TopicNotFound);
                assert_eq!(consumer.queues("t").await.unwrap_err().kind(), ErrorKind::TopicNotFound);
            }
            other.admin().create_topic("t").queues(2).await.expect("a new one");
            producer.send(message("t")).await.expect("the new one");
        });
    }
}

#[test]
fn the_first_send_creates_an_unknown_topic_and_later_sends_use_its_own_route() {
    let stage = Stage::new(1, 2);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let sends: Vec<_> = (0..20).map(|_| producer.send(message("new"))).collect();
        for sending in sends {
            sending.await.expect("whichever of them creates it");
        }
        for _ in 0..20 {
            producer.send(message("new")).await.expect("the topic is there");
        }
        assert_eq!(consumer.queues("new").await.unwrap().len(), 8, "four at each broker");
        assert_eq!(pull_all(&consumer, "new").await.unwrap().len(), 40);
    });
}

#[test]
fn a_broker_at_a_new_address_is_followed_and_the_old_connection_is_closed() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    // The same broker, somewhere else.
    let mut elsewhere = ClusterConfig::with_servers(0, 0);
    elsewhere.brokers = vec![BrokerConfig::new("broker-a", NOWHERE)];
    let elsewhere = stage.world.cluster(elsewhere);
    elsewhere.broker("broker-a", |broker| broker.create_topic("t", 1)).unwrap();
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        assert_eq!(stage.world.network().links(), 2);
        override_route(&stage, RouteOverride::At(NOWHERE.into()));
        stage.sleep(30 * SECOND + 2 * ROUND_TRIP).await;
        for _ in 0..5 {
            producer.send(message("t")).await.expect("at the new address");
        }
        let count = elsewhere.broker("broker-a", |broker| broker.offsets("t", 0));
        assert_eq!(count, Some((0, 5)), "the new route counts");
        assert_eq!(pull_all(&consumer, "t").await.unwrap().len(), 5);
        stage.sleep(61 * SECOND).await;
        assert_eq!(stage.world.network().links(), 2, "the connection to the old address is closed");
    });
}

#[test]
fn a_broker_that_moves_while_it_is_down_is_found_by_the_send_that_notices() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let mut elsewhere = ClusterConfig::with_servers(0, 0);
    elsewhere.brokers = vec![BrokerConfig::new("broker-a", NOWHERE)];
    let elsewhere = stage.world.cluster(elsewhere);
    elsewhere.broker("broker-a", |broker| broker.create_topic("t", 1)).unwrap();
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.sleep(SECOND).await;
        stage.world.network().refuse(BROKER_A, true);
        stage.world.network().reset(BROKER_A);
        override_route(&stage, RouteOverride::At(NOWHERE.into()));
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("its second or third try");
        assert!(took <= 5 * FIRST_PAUSE, "{took:?}");
        assert_eq!(consumer.max_offset(&queue("broker-a", 0)).await.expect("there too"), 1);
    });
}

#[test]
fn a_broker_that_no_route_names_any_more_is_disconnected() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        assert_eq!(stage.world.network().links(), 3);
        override_route(&stage, RouteOverride::Route(route(&[("broker-a", &[(0, BROKER_A)])], Permission::READ_WRITE)));
        // It may only have to register again; then it is believed to be gone.
        stage.sleep(151 * SECOND).await;
        assert_eq!(stage.world.network().links(), 2);
        // And is connected to again when a route names it again.
        stage.cluster.heal();
        stage.sleep(31 * SECOND).await;
        let before = stage.stored("broker-b", "t");
        for _ in 0..4 {
            producer.send(message("t")).await.expect("all is well");
        }
        assert_eq!(stage.stored("broker-b", "t"), before + 2);
    });
}

#[test]
fn a_name_server_that_forgot_everything_does_not_stop_those_who_know() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        // After this its brokers tell it everything again within half a minute.
        stage.cluster.stop(ServerId::NameServer(0));
        stage.cluster.start(ServerId::NameServer(0), Memory::Lost);
        let mut failed = Duration::ZERO;
        for _ in 0..700 {
            let begin = stage.world.now().mono;
            let sent = producer.send(message("t")).await;
            stage.sleep(SECOND / 10).await;
            if sent.is_err() {
                failed += stage.world.now().mono.since(begin);
            }
        }
        assert!(failed <= 30 * SECOND, "{failed:?}");
        producer.send(message("t")).await.expect("all is well again");
    });
}

#[test]
fn one_name_server_with_a_wrong_answer_is_believed_and_one_with_an_error_is_not() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    let busy = Forced::Refuse(ResponseCode::SYSTEM_BUSY, "busy".into());
    stage.cluster.name_server(0, |server| server.force(Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], busy)));
    stage.world.block_on(async {
        for _ in 0..4 {
            let client = stage.client().await;
            client.admin().topic_route("t").await.expect("the other one knows");
        }
    });
}
