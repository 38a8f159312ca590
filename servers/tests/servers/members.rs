//! Members of a group hear of each other.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{
    self, ConsumerConnections, ConsumerData, ConsumerSubscription, GroupList, HeartbeatData, MessageModel,
    ProducerConnections, ProducerData, SubscriptionData, SubscriptionGroupConfig, TopicList,
};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::request::{
    CreateTopic, GetConsumerConnections, GetProducerConnections, GetTopicConfig, Heartbeat, NotifyConsumerIdsChanged,
    QuerySubscription, QueryTopicConsumers, QueryTopicsOfConsumer, UnregisterClient, UpdateConsumerOffset, UpdateGroup,
};
use stgclient_servers::{Peer, ServerId};

use super::client::{Bench, code, create_topic, remark};

fn subscription(topic: &str, sub_version: i64) -> SubscriptionData {
    SubscriptionData { sub_version, ..SubscriptionData::by_tags(topic, "*").unwrap() }
}

fn group(subscriptions: &[SubscriptionData]) -> ConsumerData {
    ConsumerData { group_name: "g".into(), subscription_data_set: subscriptions.to_vec(), ..ConsumerData::default() }
}

fn beat(bench: &mut Bench, peer: Peer, client: &str, group: ConsumerData) {
    let data = HeartbeatData {
        client_id: client.into(),
        consumer_data_set: vec![group],
        producer_data_set: vec![ProducerData { group_name: "p".into() }],
        ..HeartbeatData::default()
    };
    let answered = bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data));
    assert_eq!(code(&answered), Code::SUCCESS, "{:?}", answered.remark);
}

/// The groups of which a peer has been told that members came or went.
fn notified(bench: &mut Bench, peer: Peer) -> Vec<String> {
    let read = |command: stgclient_core::wire::command::Command| {
        assert_eq!(RequestCode(command.code), RequestCode::NOTIFY_CONSUMER_IDS_CHANGED);
        assert!(command.is_oneway() && !command.is_response());
        assert_eq!((command.codec, command.version), (HeaderCodec::Json, 493));
        command.header::<NotifyConsumerIdsChanged<'_>>().unwrap().consumer_group.into_owned()
    };
    bench.answers(peer).into_iter().map(read).collect()
}

/// Three members of one group, who have been told of each other.
fn three() -> (Bench, [Peer; 3]) {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let peers = [first, bench.connect(ServerId::Broker(0)), bench.connect(ServerId::Broker(0))];
    for (peer, client) in peers.into_iter().zip(["one", "two", "three"]) {
        beat(&mut bench, peer, client, group(&[subscription("t", 1)]));
    }
    for peer in peers {
        bench.answers(peer);
    }
    (bench, peers)
}

#[test]
fn a_member_that_comes_is_told_to_all_and_itself_before_its_heartbeat_is_answered() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let second = bench.connect(ServerId::Broker(0));
    beat(&mut bench, first, "one", group(&[subscription("t", 1)]));
    assert_eq!(notified(&mut bench, first), ["g"]);
    beat(&mut bench, second, "two", group(&[subscription("t", 1)]));
    assert_eq!((notified(&mut bench, first), notified(&mut bench, second)), (vec!["g".into()], vec!["g".into()]));
    beat(&mut bench, second, "two", group(&[subscription("t", 1)]));
    assert_eq!((notified(&mut bench, first), notified(&mut bench, second)), (vec![], vec![]));
}

#[test]
fn a_member_that_leaves_is_told_to_the_others() {
    let (mut bench, [first, second, third]) = three();
    let leave = UnregisterClient { client_id: "two".into(), producer_group: None, consumer_group: Some("g".into()) };
    assert_eq!(code(&bench.ask(second, &leave)), Code::SUCCESS);
    assert_eq!(notified(&mut bench, second), Vec::<String>::new());
    assert_eq!((notified(&mut bench, first), notified(&mut bench, third)), (vec!["g".into()], vec!["g".into()]));
    bench.close(third);
    assert_eq!(notified(&mut bench, first), ["g"]);
}

#[test]
fn a_member_that_falls_silent_is_told_to_the_others() {
    let (mut bench, [first, ..]) = three();
    bench.pass(Duration::from_secs(60));
    beat(&mut bench, first, "one", group(&[subscription("t", 1)]));
    bench.pass(Duration::from_secs(59));
    assert_eq!(notified(&mut bench, first), Vec::<String>::new());
    bench.pass(Duration::from_secs(11));
    assert_eq!(notified(&mut bench, first), ["g"]);
}

#[test]
fn a_topic_more_or_less_is_told_to_all_and_another_expression_is_not() {
    let (mut bench, [first, second, _]) = three();
    beat(&mut bench, first, "one", group(&[subscription("t", 1), subscription("u", 2)]));
    assert_eq!((notified(&mut bench, first), notified(&mut bench, second)), (vec!["g".into()], vec!["g".into()]));
    beat(&mut bench, first, "one", group(&[subscription("t", 3), subscription("u", 3)]));
    assert_eq!(notified(&mut bench, second), Vec::<String>::new());
    beat(&mut bench, first, "one", group(&[subscription("t", 3)]));
    assert_eq!(notified(&mut bench, second), ["g"]);
}

#[test]
fn the_newest_of_several_members_subscriptions_counts() {
    let (mut bench, [first, second, _]) = three();
    let version = |bench: &mut Bench| {
        let answer = bench.ask(first, &QuerySubscription { group: "g".into(), topic: Some("t".into()) });
        let found: ConsumerSubscription = body::from_slice(&answer.body).unwrap();
        found.subscription_data.map(|data| data.sub_version)
    };
    beat(&mut bench, first, "one", group(&[subscription("t", 3)]));
    beat(&mut bench, second, "two", group(&[subscription("t", 2)]));
    assert_eq!(version(&mut bench), Some(3));
}

#[test]
fn members_that_all_get_every_message_hear_nothing() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let second = bench.connect(ServerId::Broker(0));
    let broadcasting =
        || ConsumerData { message_model: Some(MessageModel::Broadcasting), ..group(&[subscription("t", 1)]) };
    beat(&mut bench, first, "one", broadcasting());
    beat(&mut bench, second, "two", broadcasting());
    bench.close(second);
    assert_eq!(notified(&mut bench, first), Vec::<String>::new());
}

#[test]
fn members_of_a_group_that_is_set_up_so_hear_only_of_those_that_are_cut_off() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let [second, third] = [(); 2].map(|()| bench.connect(ServerId::Broker(0)));
    let settings = SubscriptionGroupConfig {
        group_name: "g".into(),
        notify_consumer_ids_changed_enable: false,
        ..SubscriptionGroupConfig::default()
    };
    bench.ask_with(first, &UpdateGroup {}, &body::to_vec(&settings));
    for (peer, client) in [(first, "one"), (second, "two"), (third, "three")] {
        beat(&mut bench, peer, client, group(&[subscription("t", 1)]));
    }
    let leave = UnregisterClient { client_id: "two".into(), producer_group: None, consumer_group: Some("g".into()) };
    bench.ask(second, &leave);
    assert_eq!(notified(&mut bench, first), Vec::<String>::new());
    // `doChannelCloseEvent` does not ask how the group is set up.
    bench.close(third);
    assert_eq!(notified(&mut bench, first), ["g"]);
}

#[test]
fn the_retry_topic_is_ordered_when_a_topic_is_that_the_group_subscribes_to() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let config = |bench: &mut Bench| {
        let answer = bench.ask(peer, &GetTopicConfig { topic: "%RETRY%g".into() });
        let config: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        (config["order"].clone(), config["readQueueNums"].clone(), config["topicSysFlag"].clone())
    };
    beat(&mut bench, peer, "one", ConsumerData { unit_mode: true, ..group(&[subscription("t", 1)]) });
    assert_eq!(config(&mut bench), (false.into(), 1.into(), 2.into()));
    bench.ask(peer, &CreateTopic { order: true, ..create_topic("t", 1) });
    beat(&mut bench, peer, "one", group(&[subscription("t", 1)]));
    assert_eq!(config(&mut bench), (true.into(), 1.into(), 2.into()));
}

#[test]
fn a_broker_lists_who_is_connected() {
    let (mut bench, [first, ..]) = three();
    let answer = bench.ask(first, &GetConsumerConnections { consumer_group: "g".into() });
    let members: ConsumerConnections = body::from_slice(&answer.body).unwrap();
    let ids: Vec<_> = members.connection_set.iter().map(|member| member.client_id.as_str()).collect();
    assert_eq!(ids, ["one", "two", "three"], "in the order of their ports");
    let member = members.connection_set.first().unwrap();
    assert_eq!((&*member.client_addr, &*member.language, member.version), ("192.0.2.7:50000", "RUST", 493));
    assert_eq!(*members.subscription_table.get("t").expect("it is there"), subscription("t", 1));

    let answer = bench.ask(first, &GetProducerConnections { producer_group: "p".into() });
    let clients: ProducerConnections = body::from_slice(&answer.body).unwrap();
    assert_eq!(clients.connection_set, members.connection_set);

    let answer = bench.ask(first, &GetConsumerConnections { consumer_group: "none".into() });
    assert_eq!((code(&answer), remark(&answer)), (Code::CONSUMER_NOT_ONLINE, "the consumer group[none] not online"));
    let answer = bench.ask(first, &GetProducerConnections { producer_group: "none".into() });
    assert_eq!((code(&answer), remark(&answer)), (Code::SYSTEM_ERROR, "the producer group[none] not exist"));
}

#[test]
fn a_broker_knows_who_consumes_a_topic_and_what_a_group_consumes() {
    let (mut bench, [peer, ..]) = three();
    bench.create_topic(peer, "u", 1);
    beat(&mut bench, peer, "one", group(&[subscription("t", 1), subscription("u", 1)]));
    let commit = UpdateConsumerOffset {
        consumer_group: "TOOLS_CONSUMER".into(),
        topic: "u".into(),
        queue_id: 0,
        commit_offset: 0,
        broker_name: None,
    };
    assert_eq!(code(&bench.ask(peer, &commit)), Code::SUCCESS);
    let groups: GroupList =
        body::from_slice(&bench.ask(peer, &QueryTopicConsumers { topic: "u".into() }).body).unwrap();
    assert!(groups.group_list.iter().eq(["TOOLS_CONSUMER", "g"]));
    let answer = bench.ask(peer, &QueryTopicsOfConsumer { group: "TOOLS_CONSUMER".into() });
    assert!(body::from_slice::<TopicList>(&answer.body).unwrap().topic_list.iter().eq(["u"]));
    let answer = bench.ask(peer, &QuerySubscription { group: "g".into(), topic: Some("u".into()) });
    let found: ConsumerSubscription = body::from_slice(&answer.body).unwrap();
    assert_eq!((found.group.as_str(), found.subscription_data), ("g", Some(subscription("u", 1))));
}
