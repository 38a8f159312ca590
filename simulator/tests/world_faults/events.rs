//! What an application can follow of its client: events and the state of its connections.

use stgclient::{Client, ClientEvent, ClientState, Events, MessageModel};
use stgclient_servers::{Memory, ServerId};

use super::stage::{BROKER_A, BROKER_B, NAME_SERVER, OTHER_NAME_SERVER, SECOND, Stage, message, producer};

/// A client that has sent to both brokers.
async fn connected(stage: &Stage) -> Client {
    let client = stage.client().await;
    let producer = producer(&client).await;
    for _ in 0..4 {
        producer.send(message("t")).await.expect("all is well");
    }
    client
}

/// What is told until `is_last`.
async fn told(events: &mut Events, is_last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event.to_string());
        if told.last().is_some_and(|last| is_last(last)) {
            break;
        }
    }
    told
}

#[test]
fn events_begin_with_what_stands_and_tell_what_ends_and_comes_back() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = connected(&stage).await;
        let mut events = client.events();
        let mut first = Vec::new();
        for _ in 0..3 {
            first.push(events.next().await.expect("it stands").to_string());
        }
        first.sort();
        let mut all = [BROKER_A, BROKER_B, NAME_SERVER].map(|address| format!("connected to {address}"));
        all.sort();
        assert_eq!(first, all);
        stage.cluster.stop(ServerId::Broker(0));
        let lost = told(&mut events, |event| event.starts_with("disconnected")).await;
        assert!(lost[0].starts_with(&format!("disconnected from {BROKER_A}: ")), "{lost:?}");
        assert!(lost[0].len() > format!("disconnected from {BROKER_A}: ").len(), "it says why: {lost:?}");
        stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        let producer = producer(&client).await;
        for _ in 0..40 {
            producer.send(message("t")).await.expect("one is there");
            stage.sleep(SECOND).await;
        }
        let back = told(&mut events, |event| event == format!("connected to {BROKER_A}")).await;
        assert!(back.iter().all(|event| !event.contains(BROKER_B)), "nothing happened to the other: {back:?}");
        client.close().await;
        let mut last = Vec::new();
        while let Some(event) = events.next().await {
            last.push(event);
        }
        let ended = |address: &str| {
            let of = |event: &ClientEvent| matches!(event, ClientEvent::Disconnected { address: known, .. } if known.to_string() == address);
            last.iter().filter(|event| of(event)).count()
        };
        assert_eq!([BROKER_A, BROKER_B, NAME_SERVER].map(ended), [1, 1, 1], "{last:?}");
    });
}

#[test]
fn a_server_that_cannot_be_reached_is_told_with_the_reason() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let mut events = client.events();
        stage.world.network().refuse(BROKER_A, true);
        let producer = producer(&client).await;
        for _ in 0..4 {
            producer.send(message("t")).await.expect("the other one is there");
        }
        let refused = told(&mut events, |event| event.contains("cannot be reached")).await;
        let last = refused.last().expect("it is told");
        assert!(last.starts_with(BROKER_A) && last.contains("refused"), "{last}");
    });
}

#[test]
fn a_name_server_is_lost_once_and_only_if_it_had_answered() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let mut events = client.events();
        let asked = match events.next().await {
            Some(ClientEvent::Connected { address }) => address.to_string(),
            other => panic!("{other:?}"),
        };
        stage.cluster.stop(ServerId::NameServer(usize::from(asked != NAME_SERVER)));
        for _ in 0..100 {
            client.admin().topic_list().await.expect("the other one answers");
            stage.sleep(SECOND).await;
        }
        client.close().await;
        let all = told(&mut events, |_| false).await;
        let lost: Vec<_> = all.iter().filter(|event| event.starts_with("the name server")).collect();
        assert_eq!(lost.len(), 1, "{all:?}");
        assert!(lost[0].starts_with(&format!("the name server {asked} does not answer: ")), "{all:?}");
        assert!([NAME_SERVER, OTHER_NAME_SERVER].contains(&&*asked));
    });
}

#[test]
fn a_route_that_changes_is_told_and_one_that_stays_is_not() {
    let stage = Stage::new(1, 1).with_topic("t", 1).with_topic("u", 1);
    stage.world.block_on(async {
        let client = connected(&stage).await;
        producer(&client).await.send(message("u")).await.expect("all is well");
        let mut events = client.events();
        stage.sleep(100 * SECOND).await;
        client.admin().create_topic("t").queues(3).await.expect("it is changed");
        stage.sleep(100 * SECOND).await;
        client.close().await;
        let all = told(&mut events, |_| false).await;
        let changed: Vec<_> = all.iter().filter(|event| event.contains("route")).collect();
        assert_eq!(changed, ["the route of t has changed"]);
    });
}

#[test]
fn a_warning_is_told_once() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let mut events = client.events();
        let consumer = client.push_consumer("g").subscribe("t", "*").message_model(MessageModel::Broadcasting);
        let consumer = consumer.concurrently(|_| async { Err("it is not wanted".into()) });
        let consumer = consumer.start().await.expect("it starts");
        let producer = producer(&client).await;
        for _ in 0..5 {
            producer.send(message("t")).await.expect("all is well");
        }
        stage.sleep(10 * SECOND).await;
        assert_eq!(consumer.status().failed.values().sum::<u64>(), 5);
        client.close().await;
        let mut warned = Vec::new();
        while let Some(event) = events.next().await {
            if let ClientEvent::Warned(notice) = event {
                warned.push(notice.what);
            }
        }
        warned.sort_unstable();
        assert_eq!(warned, ["a broadcasting consumer drops what failed", "a message was not consumed"]);
    });
}

#[test]
fn who_is_too_slow_hears_how_many_are_missing_and_the_newest() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let mut events = client.events();
        for _ in 0..200 {
            stage.world.network().reset(NAME_SERVER);
            stage.sleep(SECOND).await;
            client.admin().topic_list().await.expect("it is there again");
        }
        let Some(ClientEvent::Missed(missed)) = events.next().await else { panic!("nothing is missing") };
        let mut rest = Vec::new();
        client.close().await;
        while let Some(event) = events.next().await {
            rest.push(event);
        }
        assert!(matches!(rest.last(), Some(ClientEvent::Disconnected { .. })), "the newest are there");
        let more: u64 = rest
            .iter()
            .filter_map(|event| if let ClientEvent::Missed(more) = event { Some(*more) } else { None })
            .sum();
        let left = rest.iter().filter(|event| !matches!(event, ClientEvent::Missed(_))).count() as u64;
        // 200 that ended and came back, the first connection, and its end.
        assert!(missed + more + left >= 402, "{missed} and {more} and {left}");
        assert!(left <= 257, "{left}");
    });
}

#[test]
fn the_state_says_what_stands_and_what_is_away() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = connected(&stage).await;
        assert_eq!(client.state(), ClientState::Connected);
        stage.world.network().partition(BROKER_A, true);
        let producer = producer(&client).await;
        for _ in 0..20 {
            producer.send(message("t")).await.expect("the other one is there");
            stage.sleep(SECOND).await;
        }
        assert_eq!(client.state(), ClientState::Degraded);
        stage.world.network().partition(BROKER_A, false);
        stage.cluster.stop(ServerId::Broker(0));
        stage.cluster.stop(ServerId::Broker(1));
        stage.cluster.stop(ServerId::NameServer(0));
        producer.send(message("t")).await.expect_err("nobody is there");
        assert_eq!(client.state(), ClientState::Disconnected);
        for server in [ServerId::NameServer(0), ServerId::Broker(0), ServerId::Broker(1)] {
            stage.cluster.start(server, Memory::Kept);
        }
        for _ in 0..60 {
            let _unless_it_is_away_still = producer.send(message("t")).await;
            stage.sleep(SECOND).await;
        }
        assert_eq!(client.state(), ClientState::Connected);
        client.close().await;
        assert_eq!(client.state(), ClientState::Closed);
    });
}

#[test]
fn a_topic_that_is_gone_is_told_whoever_deleted_it() {
    for is_own in [false, true] {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = client.push_consumer("g").subscribe("t", "*").concurrently(|_| async { Ok(()) });
            let consumer = consumer.start().await.expect("it starts");
            consumer.ready().await.expect("it is ready");
            let mut events = client.events();
            stage.sleep(10 * SECOND).await;
            let administrator = if is_own { client.clone() } else { stage.client().await };
            administrator.admin().delete_topic("t").await.expect("it is gone");
            stage.sleep(100 * SECOND).await;
            client.close().await;
            let mut changed = Vec::new();
            while let Some(event) = events.next().await {
                if let ClientEvent::RouteChanged { topic } = event {
                    changed.push(topic.to_string());
                }
            }
            assert_eq!(changed, ["t"], "by its own administrator: {is_own}");
        });
    }
}

#[test]
fn who_follows_a_client_that_is_closed_hears_nothing_and_that_it_is_over() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        client.close().await;
        assert!(client.events().next().await.is_none());
    });
}
