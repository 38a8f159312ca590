//! A broker that hangs, or is dead, beside one that lives: who does not need it does not notice.

use std::time::{Duration, Instant};

use stgclient::embedded::{EmbeddedCluster, Force, Forced, RouteOverride};
use stgclient::{Client, ErrorKind, Message, MessageQueue, QueueChoice};
use stgclient_core::wire::body::{BrokerData, Permission, QueueData, TopicRouteData};
use stgclient_core::wire::code::RequestCode;

use crate::wrong::Wrong;

/// Two brokers with the topic `T`; `broker-b` takes everything in and answers nothing any more.
async fn with_a_hung_broker() -> (EmbeddedCluster, Client) {
    let cluster = EmbeddedCluster::builder().brokers(2).start().await.unwrap();
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.admin().create_topic("T").queues(4).await.unwrap();
    let everything = RequestCode::ALL.iter().map(|(code, _)| *code);
    let hung = Force::requests(everything, Forced::Lost);
    cluster.with(|cluster| cluster.broker("broker-b").unwrap().force(hung));
    (cluster, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_broker_holds_up_no_message_to_another() {
    let (cluster, client) = with_a_hung_broker().await;
    let producer = client.producer("producer").send_timeout(Duration::from_secs(20)).start().await.unwrap();
    let at = |broker, number| QueueChoice::Queue(MessageQueue::new("T", broker, number));
    let waiting = tokio::spawn(producer.send_to(Message::new("T", "hangs"), at("broker-b", 0)));
    for number in 0..100 {
        producer.send_to(Message::new("T", "body"), at("broker-a", number % 4)).await.unwrap();
    }
    assert!(!waiting.is_finished(), "those to the other broker had to wait for it");
    waiting.abort();
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_hung_broker_fails_a_message_that_wants_it_in_time() {
    let (cluster, client) = with_a_hung_broker().await;
    let timeout = Duration::from_millis(500);
    let producer = client.producer("producer").send_timeout(timeout).start().await.unwrap();
    let started = Instant::now();
    let queue = QueueChoice::Queue(MessageQueue::new("T", "broker-b", 0));
    let error = producer.send_to(Message::new("T", "body"), queue).await.unwrap_err();
    assert_eq!((error.kind(), error.broker_name()), (ErrorKind::Timeout, Some("broker-b")), "{error}");
    assert!(started.elapsed() >= timeout && started.elapsed() < crate::SOON);
    client.close().await;
    cluster.close().await;
}

/// A route of the topic `T` that names two brokers.
fn route(addresses: [&str; 2]) -> TopicRouteData {
    let mut route = TopicRouteData::default();
    for (name, address) in ["broker-a", "broker-b"].iter().zip(addresses) {
        let broker = BrokerData {
            broker_addrs: [(0, address.to_owned())].into(),
            broker_name: (*name).to_owned(),
            cluster: "DefaultCluster".to_owned(),
            enable_acting_master: false,
        };
        let queues = QueueData {
            broker_name: (*name).to_owned(),
            perm: Permission::READ_WRITE,
            read_queue_nums: 4,
            write_queue_nums: 4,
            ..QueueData::default()
        };
        route.broker_datas.push(broker);
        route.queue_datas.push(queues);
    }
    route
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_broker_that_routes_still_name_costs_nobody_time() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.admin().create_topic("T").queues(4).await.unwrap();
    let dead = RouteOverride::Route(route([&cluster.broker_addresses()[0], "127.0.0.1:1"]));
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(Some("T"), dead));
    let producer = client.producer("producer").send_timeout(Duration::from_secs(20)).start().await.unwrap();
    let started = Instant::now();
    let sends: Vec<_> = (0..200).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    for send in sends {
        assert_eq!(&*send.await.unwrap().queue.broker_name, "broker-a");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_are_connected_side_by_side() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.admin().create_topic("T").queues(4).await.unwrap();
    let silent = Wrong::Silent.serve().await;
    let both = RouteOverride::Route(route([&cluster.broker_addresses()[0], &silent]));
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(Some("T"), both));
    let producer = client.producer("producer").send_timeout(Duration::from_secs(20)).start().await.unwrap();
    // All begin while neither broker is connected.
    let sends: Vec<_> = (0..4)
        .flat_map(|number| ["broker-b", "broker-a"].map(|broker| MessageQueue::new("T", broker, number)))
        .map(|queue| (queue.clone(), producer.send_to(Message::new("T", "body"), queue)))
        .collect();
    for (_, send) in sends.into_iter().filter(|(queue, _)| &*queue.broker_name == "broker-a") {
        send.await.unwrap();
    }
    client.close().await;
    cluster.close().await;
}
