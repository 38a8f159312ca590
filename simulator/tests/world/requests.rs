//! What a test makes of requests and their answers, and of what servers know.

use std::collections::BTreeSet;
use std::sync::Arc;

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, QueueKey, QueueLockRequest, TopicRouteData};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    GetGroup, GetRouteInfo, InvokeResetOffset, LockQueues, QueryConsumerOffset, UpdateConsumerOffset,
};
use stgclient_servers::{ClusterConfig, Force, Forced, Malformed, RequestFaults};
use stgclient_simulator::{ClusterHandle, Machine, Patience, World};

use super::wire::{Wire, send};

const NAME_SERVER: &str = "10.0.0.1:9876";
const BROKER: &str = "10.0.1.1:10911";
const SECOND: Duration = Duration::from_secs(1);

fn world() -> (World, ClusterHandle, Arc<Machine>) {
    let world = World::new(11);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
    cluster.broker("broker-a", |broker| broker.create_topic("t", 1)).unwrap();
    let machine = world.machine();
    (world, cluster, machine)
}

const ROUTE: GetRouteInfo<'static> =
    GetRouteInfo { topic: std::borrow::Cow::Borrowed("t"), accept_standard_json_only: Some(true) };

fn locks(group: &str) -> Vec<u8> {
    let queue = QueueKey { broker_name: "broker-a".into(), queue_id: 0, topic: "t".into() };
    body::to_vec(&QueueLockRequest {
        client_id: "me".into(),
        consumer_group: group.into(),
        mq_set: [queue].into(),
        ..QueueLockRequest::default()
    })
}

#[test]
fn a_request_is_refused_once_if_it_is_of_this_group() {
    let (world, cluster, machine) = world();
    let once = |code, group: &str| Force::requests([code], Forced::busy()).of_group(group).times(1);
    cluster.broker("broker-a", |broker| {
        broker.force(once(RequestCode::LOCK_BATCH_MQ, "billing"));
        broker.force(once(RequestCode::SEND_MESSAGE_V2, "others"));
        broker.force(once(RequestCode::SEND_MESSAGE_V2, "producers"));
    });
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        for (group, code) in [("audit", 0), ("billing", ResponseCode::SYSTEM_BUSY.0), ("billing", 0)] {
            assert_eq!(wire.ask(&LockQueues {}, &locks(group)).await.unwrap().code, code, "{group}");
        }
        for code in [ResponseCode::SYSTEM_BUSY.0, 0] {
            assert_eq!(wire.ask(&send("t"), b"x").await.unwrap().code, code);
        }
    });
}

#[test]
fn an_answer_can_come_twice() {
    let (world, cluster, machine) = world();
    cluster.broker("broker-a", |broker| broker.force(Force::sends(Forced::Twice).times(1)));
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        let first = wire.ask(&send("t"), b"x").await.unwrap();
        let second = wire.read().await.unwrap();
        assert_eq!((second.opaque, second.code), (first.opaque, 0));
        assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), Some((0, 1)), "carried out once");
    });
}

#[test]
fn an_answer_can_be_malformed_in_three_ways_and_is_a_frame_in_each() {
    let (world, cluster, machine) = world();
    let ask = async |code, malformed| {
        cluster.with(|cluster| {
            let force = Force::requests([code], Forced::Malformed(malformed)).times(1);
            cluster.name_server(0).unwrap().force(force.clone());
            cluster.broker("broker-a").unwrap().force(force);
        });
        if code == RequestCode::SEND_MESSAGE_V2 {
            return Wire::open(&machine, BROKER).await.unwrap().ask(&send("t"), b"x").await.unwrap();
        }
        Wire::open(&machine, NAME_SERVER).await.unwrap().ask(&ROUTE, &[]).await.unwrap()
    };
    world.block_on(async {
        let read = |answer: &Command| body::from_slice::<TopicRouteData>(&answer.body).is_ok();
        for (malformed, is_readable) in
            [(Malformed::TruncatedBody, false), (Malformed::WrongBody, false), (Malformed::WrongHeader, true)]
        {
            let answer = ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, malformed).await;
            assert_eq!((answer.code, read(&answer)), (0, is_readable), "{malformed:?}");
        }
        let receipt = ask(RequestCode::SEND_MESSAGE_V2, Malformed::WrongHeader).await;
        assert_eq!(receipt.fields.get("queueOffset").as_deref(), Some("wrong"));
        assert!(read(&Wire::open(&machine, NAME_SERVER).await.unwrap().ask(&ROUTE, &[]).await.unwrap()));
    });
}

#[test]
fn a_name_server_forgets_a_topic_or_all_until_brokers_come_again() {
    for topic in [Some("t"), None] {
        let (world, cluster, machine) = world();
        world.block_on(async {
            let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
            assert_eq!(wire.ask(&ROUTE, &[]).await.unwrap().code, 0);
            cluster.forget_routes(0, topic);
            assert_eq!(wire.ask(&ROUTE, &[]).await.unwrap().code, ResponseCode::TOPIC_NOT_EXIST.0);
            machine.sleep(31 * SECOND).await;
            assert_eq!(wire.ask(&ROUTE, &[]).await.unwrap().code, 0);
        });
    }
}

#[test]
fn a_topic_vanishes_with_everything_that_is_known_of_it() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        wire.ask(&send("t"), b"x").await.unwrap();
        cluster.with(|cluster| cluster.delete_topic("t"));
        assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), None);
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        assert_eq!(wire.ask(&ROUTE, &[]).await.unwrap().code, ResponseCode::TOPIC_NOT_EXIST.0);
        cluster.with(|cluster| cluster.delete_topic("SELF_TEST_TOPIC"));
        assert!(cluster.broker("broker-a", |broker| broker.offsets("SELF_TEST_TOPIC", 0)).is_some(), "it stays");
    });
}

#[test]
fn an_administrator_sets_a_group_elsewhere() {
    let (world, cluster, machine) = world();
    let reset = |broker: &str| {
        let request = InvokeResetOffset {
            topic: "t".into(),
            group: "billing".into(),
            queue_id: Some(0),
            offset: Some(1),
            timestamp: 0,
            is_force: true,
        };
        cluster
            .with(|cluster| cluster.reset_offset(broker, &request))
            .map(|table| table.into_values().collect::<Vec<_>>())
    };
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        for body in [b"1", b"2"] {
            wire.ask(&send("t"), body).await.unwrap();
        }
        assert_eq!(reset("broker-a"), Err("Group billing does not exist".into()));
        assert_eq!(reset("broker-z"), Err("no such broker".into()));
        let ask = QueryConsumerOffset {
            consumer_group: "billing".into(),
            topic: "t".into(),
            queue_id: 0,
            set_zero_if_not_found: None,
            broker_name: None,
        };
        let commit = UpdateConsumerOffset {
            consumer_group: "billing".into(),
            topic: "t".into(),
            queue_id: 0,
            commit_offset: 2,
            broker_name: None,
        };
        // The group exists once somebody asks for it.
        assert_eq!(wire.ask(&GetGroup { group: "billing".into() }, &[]).await.unwrap().code, 0);
        assert_eq!(wire.ask(&commit, &[]).await.unwrap().code, 0);
        assert_eq!(reset("broker-a"), Ok(vec![1]));
        let answer = wire.ask(&ask, &[]).await.unwrap();
        assert_eq!(answer.fields.get("offset").as_deref(), Some("1"));
    });
}

/// What becomes of 400 requests: the codes of the answers that came, and how many came.
fn drawn(seed: u64, change: impl Fn(&mut RequestFaults)) -> (BTreeSet<i32>, usize) {
    let (world, cluster, machine) = world();
    let mut faults = RequestFaults::drawn(seed, &[RequestCode::SEND_MESSAGE_V2]);
    change(&mut faults);
    cluster.draw_faults(&faults, seed);
    let mut answers = (BTreeSet::new(), 0);
    let mut wire = world.block_on(Wire::open(&machine, BROKER)).unwrap();
    for _ in 0..400 {
        world.block_on(wire.write(&send("t"), b"x")).unwrap();
    }
    let all = async {
        loop {
            let answer = wire.read().await.unwrap();
            answers.0.insert(answer.code);
            answers.1 += 1;
        }
    };
    let patience = Patience { time: 10 * SECOND, ..Patience::default() };
    assert!(world.try_block_on::<()>(patience, all).is_err(), "nothing comes any more");
    answers
}

#[test]
fn faults_of_requests_are_drawn_from_the_seed_and_healed() {
    let as_they_are = |_: &mut RequestFaults| {};
    let all: Vec<_> = (0..12).map(|seed| drawn(seed, as_they_are)).collect();
    assert!(all.iter().any(|(codes, _)| codes.len() == 3) && all.iter().any(|(codes, _)| codes.len() == 1), "{all:?}");
    assert_eq!(all[5], drawn(5, as_they_are));
    let alone = |count: fn(&mut RequestFaults)| {
        drawn(1, |faults| {
            *faults = RequestFaults::NONE;
            count(faults);
        })
    };
    assert_eq!(alone(|_| {}).1, 400);
    assert!(alone(|faults| faults.losses = 100).1 < 390);
    assert!(alone(|faults| faults.lost_answers = 100).1 < 390);
    assert!(alone(|faults| faults.doubles = 100).1 > 410);
    let (world, cluster, machine) = world();
    let mut faults = RequestFaults::NONE;
    faults.losses = 1000;
    cluster.draw_faults(&faults, 1);
    cluster.heal();
    world.block_on(async {
        assert!(Wire::open(&machine, BROKER).await.unwrap().ask(&send("t"), b"x").await.is_ok());
    });
}
