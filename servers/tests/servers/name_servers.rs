//! Name servers, and servers that stop and start.

use std::net::SocketAddr;

use serde_json::Value;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, ClusterInfo, TopicList, TopicRouteData};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::{Command, Head, HeaderCodec};
use stgclient_core::wire::request::{
    DeleteKvConfig, DeleteTopicInBroker, DeleteTopicInNameServer, GetClusterInfo, GetKvConfig, GetKvList, GetRouteInfo,
    GetTopicList, KvConfigAnswer, PutKvConfig,
};
use stgclient_servers::{ClusterConfig, Memory, Peer, Refused, RouteOverride, ServerId};

use super::client::{Bench, DIALECT, code, encoded, remark};

/// A cluster of 2 name servers and 2 brokers, and connections to the first name server and to the first broker.
fn cluster() -> (Bench, Peer, Peer) {
    let mut bench = Bench::new(ClusterConfig::with_servers(2, 2));
    let name_server = bench.connect(ServerId::NameServer(0));
    let broker = bench.connect(ServerId::Broker(0));
    (bench, name_server, broker)
}

fn ask_route(bench: &mut Bench, peer: Peer, topic: &str) -> Command {
    bench.ask(peer, &GetRouteInfo { topic: topic.into(), accept_standard_json_only: None })
}

fn route(bench: &mut Bench, peer: Peer, topic: &str) -> TopicRouteData {
    let answered = ask_route(bench, peer, topic);
    assert_eq!(code(&answered), Code::SUCCESS, "{:?}", answered.remark);
    assert!(serde_json::from_slice::<Value>(&answered.body).is_ok(), "standard JSON");
    body::from_slice(&answered.body).expect("a route")
}

#[test]
fn a_route_names_the_brokers_of_a_topic_and_their_queues() {
    let (mut bench, name_server, broker) = cluster();
    bench.create_topic(broker, "t", 3);
    let of_default = route(&mut bench, name_server, "TBW102");
    assert_eq!((of_default.broker_datas.len(), of_default.queue_datas.len()), (2, 2));
    let answered = ask_route(&mut bench, name_server, "t");
    // Byte for byte what Apache's name server says.
    assert_eq!(
        String::from_utf8(answered.body.to_vec()).unwrap(),
        concat!(
            r#"{"brokerDatas":[{"brokerAddrs":{"0":"10.0.1.1:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","#,
            r#""enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"#,
            r#""readQueueNums":3,"topicSysFlag":0,"writeQueueNums":3}]}"#
        )
    );
}

#[test]
fn an_unknown_topic_has_no_route() {
    let (mut bench, name_server, _) = cluster();
    let answered = ask_route(&mut bench, name_server, "none");
    assert_eq!(code(&answered), Code::TOPIC_NOT_EXIST);
    assert_eq!(
        remark(&answered),
        "No topic route info in name server for the topic: none\nSee \
         https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
    );
}

#[test]
fn old_clients_get_keys_without_quotes() {
    let (mut bench, name_server, _) = cluster();
    let mut ask = |version, accept| {
        let head = Head { version, ..Head::request(DIALECT, RequestCode::GET_ROUTEINFO_BY_TOPIC, 77) };
        let header = GetRouteInfo { topic: "TBW102".into(), accept_standard_json_only: accept };
        bench.give(name_server, &encoded(&head, HeaderCodec::Binary, &header, &[]));
        bench.answer(name_server, 77).unwrap().body
    };
    for (version, accept, is_standard) in [(401, None, true), (400, Some(true), true), (400, None, false)] {
        let body = ask(version, accept);
        assert_eq!(serde_json::from_slice::<Value>(&body).is_ok(), is_standard);
        assert_eq!(body::from_slice::<TopicRouteData>(&body).unwrap().broker_datas.len(), 2);
    }
}

#[test]
fn cluster_info_is_never_standard_json() {
    let (mut bench, name_server, _) = cluster();
    let answered = bench.ask(name_server, &GetClusterInfo {});
    assert!(serde_json::from_slice::<Value>(&answered.body).is_err());
    let info: ClusterInfo = body::from_slice(&answered.body).unwrap();
    let names: Vec<_> = info.cluster_addr_table.get("DefaultCluster").expect("it is there").iter().collect();
    assert_eq!(names, ["broker-a", "broker-b"]);
    assert_eq!(
        info.broker_addr_table.get("broker-b").expect("it is there").broker_addrs.get(&0).expect("it is there"),
        "10.0.1.2:10911"
    );
}

#[test]
fn a_topic_stays_at_the_name_servers_until_it_is_deleted_there() {
    let (mut bench, name_server, broker) = cluster();
    bench.create_topic(broker, "t", 1);
    bench.ask(broker, &DeleteTopicInBroker { topic: "t".into() });
    route(&mut bench, name_server, "t");
    let delete = DeleteTopicInNameServer { topic: "t".into(), cluster_name: None };
    assert_eq!(code(&bench.ask(name_server, &delete)), Code::SUCCESS);
    assert_eq!(code(&ask_route(&mut bench, name_server, "t")), Code::TOPIC_NOT_EXIST);
    let other = bench.connect(ServerId::NameServer(1));
    route(&mut bench, other, "t");
    bench.pass(Duration::from_secs(60));
    assert_eq!(code(&ask_route(&mut bench, name_server, "t")), Code::TOPIC_NOT_EXIST);
}

#[test]
fn a_topic_deleted_only_at_a_name_server_comes_back_with_the_next_registration() {
    let (mut bench, name_server, broker) = cluster();
    bench.create_topic(broker, "t", 1);
    for (cluster_name, expected) in [("Other", Code::SUCCESS), ("DefaultCluster", Code::TOPIC_NOT_EXIST)] {
        let delete = DeleteTopicInNameServer { topic: "t".into(), cluster_name: Some(cluster_name.into()) };
        bench.ask(name_server, &delete);
        assert_eq!(code(&ask_route(&mut bench, name_server, "t")), expected);
    }
    bench.pass(Duration::from_secs(30));
    route(&mut bench, name_server, "t");
}

#[test]
fn the_topic_list_has_every_topic_once() {
    let (mut bench, name_server, broker) = cluster();
    bench.create_topic(broker, "t", 1);
    let answered = bench.ask(name_server, &GetTopicList {});
    let list: TopicList = body::from_slice(&answered.body).unwrap();
    for topic in ["t", "TBW102", "SELF_TEST_TOPIC", "DefaultCluster", "broker-a", "broker-b", "BenchmarkTest"] {
        assert!(list.topic_list.contains(topic), "{topic}");
    }
}

#[test]
fn names_and_values_are_kept() {
    let (mut bench, peer, _) = cluster();
    let get = GetKvConfig { namespace: "n".into(), key: "k".into() };
    let answered = bench.ask(peer, &get);
    assert_eq!((code(&answered), remark(&answered)), (Code::QUERY_NOT_FOUND, "No config item, Namespace: n Key: k"));
    bench.ask(peer, &PutKvConfig { namespace: "n".into(), key: "k".into(), value: "v".into() });
    let answered = bench.ask(peer, &get);
    assert_eq!(answered.header::<KvConfigAnswer<'_>>().unwrap().value.as_deref(), Some("v"));
    let list = bench.ask(peer, &GetKvList { namespace: "n".into() });
    assert_eq!(body::from_slice::<Value>(&list.body).unwrap()["table"]["k"], "v");
    bench.ask(peer, &DeleteKvConfig { namespace: "n".into(), key: "k".into() });
    assert_eq!(code(&bench.ask(peer, &get)), Code::QUERY_NOT_FOUND);
}

#[test]
fn routes_name_the_order_of_a_topic_where_that_is_configured() {
    for (is_enabled, expected) in [(true, Some("broker-a:4")), (false, None)] {
        let mut config = ClusterConfig::default();
        config.order_message_enable = is_enabled;
        let mut bench = Bench::new(config);
        let peer = bench.connect(ServerId::NameServer(0));
        let namespace = "ORDER_TOPIC_CONFIG".into();
        bench.ask(peer, &PutKvConfig { namespace, key: "TBW102".into(), value: "broker-a:4".into() });
        assert_eq!(route(&mut bench, peer, "TBW102").order_topic_conf.as_deref(), expected);
    }
}

#[test]
fn a_test_can_bend_routes() {
    let (mut bench, peer, _) = cluster();
    let bend = |bench: &mut Bench, topic, route| bench.name_server().override_route(topic, route);
    bend(&mut bench, None, RouteOverride::NotReady);
    let answered = ask_route(&mut bench, peer, "TBW102");
    assert_eq!((code(&answered), remark(&answered)), (Code::SYSTEM_ERROR, "name server not ready"));
    bend(&mut bench, Some("TBW102"), RouteOverride::Missing);
    assert_eq!(code(&ask_route(&mut bench, peer, "TBW102")), Code::TOPIC_NOT_EXIST);
    bend(&mut bench, Some("TBW102"), RouteOverride::Route(TopicRouteData::default()));
    assert_eq!(route(&mut bench, peer, "TBW102"), TopicRouteData::default());
    bend(&mut bench, Some("TBW102"), RouteOverride::At("10.9.9.9:1".into()));
    let bent = route(&mut bench, peer, "TBW102");
    assert!(bent.broker_datas.iter().all(|broker| broker.broker_addrs.get(&0).expect("it is there") == "10.9.9.9:1"));
    bench.name_server().clear_overrides();
    assert_eq!(
        route(&mut bench, peer, "TBW102").broker_datas[0].broker_addrs.get(&0).expect("it is there"),
        "10.0.1.1:10911"
    );
}

#[test]
fn a_stopped_broker_leaves_the_routes_and_comes_back_with_or_without_its_memory() {
    let (mut bench, name_server, broker) = cluster();
    bench.create_topic(broker, "t", 1);
    bench.send(broker, "t", 0, "", b"x");
    for (memory, offsets) in [(Memory::Kept, Some((0, 1))), (Memory::Lost, None)] {
        let stopped = bench.cluster.stop(bench.now, ServerId::Broker(0));
        assert!(memory == Memory::Lost || stopped == [broker]);
        assert_eq!(code(&ask_route(&mut bench, name_server, "t")), Code::TOPIC_NOT_EXIST);
        assert_eq!(route(&mut bench, name_server, "TBW102").broker_datas.len(), 1);
        let address = SocketAddr::from(([192, 0, 2, 9], 1));
        assert_eq!(bench.cluster.connected(bench.now, ServerId::Broker(0), address), Err(Refused::Stopped));
        bench.cluster.start(bench.now, ServerId::Broker(0), memory);
        assert_eq!(bench.broker().offsets("t", 0), offsets);
        assert_eq!(route(&mut bench, name_server, "TBW102").broker_datas.len(), 2);
    }
}

#[test]
fn a_name_server_that_lost_its_memory_learns_within_30_seconds() {
    let (mut bench, _, _) = cluster();
    bench.cluster.stop(bench.now, ServerId::NameServer(0));
    bench.cluster.start(bench.now, ServerId::NameServer(0), Memory::Lost);
    let peer = bench.connect(ServerId::NameServer(0));
    assert_eq!(code(&ask_route(&mut bench, peer, "TBW102")), Code::TOPIC_NOT_EXIST);
    bench.pass(Duration::from_secs(30));
    assert_eq!(route(&mut bench, peer, "TBW102").broker_datas.len(), 2);
}
