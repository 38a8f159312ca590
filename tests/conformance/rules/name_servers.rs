//! Several name servers, some of them dead.

// How long a dead one takes is what these tests are about.
#![allow(clippy::disallowed_types)]

use std::time::{Duration, Instant};

use stgclient::{Client, Dialect, ErrorKind};
use stgclient_tests::Bench;

use super::{bench, cluster};

#[tokio::test]
async fn a_dead_name_server_beside_a_live_one_is_passed_over() {
    let bench = bench(1).await;
    let (dead, live) = (bench.cluster.dead_name_server(), bench.cluster.name_server());
    // Which one is asked first is left to chance.
    for name_servers in [format!("{dead};{live}"), format!("{live};{dead}"), format!("{dead};{live};{dead}")] {
        for _ in 0..4 {
            let client = bench.cluster.builder(&name_servers).connect().await.unwrap();
            let consumer = client.pull_consumer("any").start().await.unwrap();
            assert_eq!(consumer.queues(&bench.topic).await.unwrap().len(), 1);
            assert!(client.admin().topic_list().await.unwrap().contains(&bench.topic));
            client.close().await;
        }
    }
}

#[tokio::test]
async fn everything_works_when_the_first_of_two_name_servers_is_dead() {
    let bench = bench(1).await;
    let name_servers = format!("{};{}", bench.cluster.dead_name_server(), bench.cluster.name_server());
    let client = bench.cluster.builder(&name_servers).connect().await.unwrap();
    let topic = bench.unique("over-one-name-server");
    client.admin().create_topic(&topic).queues(1).await.unwrap();
    let producer = client.producer("any").start().await.unwrap();
    let receipt = producer.send(stgclient::Message::new(topic.as_str(), "body")).await.unwrap();
    assert_eq!(bench.pull_sent(&receipt).await.body(), "body");
    // When the dead one comes back, brokers tell it their topics, and this is none of them any more.
    client.admin().delete_topic(&topic).await.unwrap();
    assert!(!client.admin().topic_list().await.unwrap().contains(&topic));
}

#[tokio::test]
async fn without_a_live_name_server_connecting_fails_with_who_was_asked() {
    let cluster = cluster().await;
    let dead = cluster.dead_name_server();
    let timeout = Duration::from_secs(5);
    let started = Instant::now();
    let error = cluster.builder(dead).request_timeout(timeout).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.address().unwrap().as_str()), (ErrorKind::NameServersUnavailable, dead));
    assert!(error.to_string().contains("connection refused"), "{error}");
    let two = format!("{dead};localhost:{}", dead.rsplit_once(':').unwrap().1);
    let error = cluster.builder(&two).request_timeout(timeout).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NameServersUnavailable, 2), "{error}");
    assert!(started.elapsed() < 2 * timeout, "it took {:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_no_address_is_refused_with_the_reason() {
    for text in ["", ";", "localhost", "localhost:x", "localhost:0", "http://localhost:9876"] {
        let error = Client::connect(text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}: {error}");
        assert!(error.to_string().contains("is no address"), "{error}");
    }
}

#[tokio::test]
async fn a_new_list_of_name_servers_is_used_at_once() {
    let bench = Bench::new(cluster().await, 1).await;
    let dead = bench.cluster.dead_name_server();
    let client = bench.other_client().await;
    client.set_name_servers(dead).unwrap();
    let error = client.admin().topic_list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServersUnavailable, "{error}");
    client.set_name_servers(bench.cluster.name_server()).unwrap();
    assert!(client.admin().topic_list().await.unwrap().contains(&bench.topic));
    let error = client.set_name_servers("nonsense").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(client.admin().topic_list().await.is_ok(), "a list that is refused changes nothing");
}

#[tokio::test]
async fn a_client_of_the_other_dialect_is_told_which_one_to_set() {
    let cluster = cluster().await;
    let (other, advice) = match cluster.dialect() {
        Dialect::Apache => (Dialect::Smartgo, "leave the client's dialect at Dialect::Apache"),
        Dialect::Smartgo => (Dialect::Apache, "set the client's dialect to Dialect::Smartgo"),
    };
    let error = Client::builder(cluster.name_server()).dialect(other).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::WrongDialect, false), "{error}");
    assert!(error.to_string().contains(advice), "{error}");
}

#[tokio::test]
async fn a_brokers_port_is_told_from_a_name_servers() {
    let cluster = cluster().await;
    let broker = cluster.broker();
    let error = cluster.builder(broker).request_timeout(Duration::from_secs(3)).connect().await.unwrap_err();
    assert!(error.to_string().contains("name server's address"), "{error}");
    if cluster.dialect() == Dialect::Smartgo {
        // Its brokers say nothing to what they do not know.
        return assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
    }
    assert_eq!(error.kind(), ErrorKind::NotANameServer);
    for name_servers in [[broker, cluster.name_server()], [cluster.name_server(), broker]] {
        let client = cluster.builder(&name_servers.join(";")).connect().await.unwrap();
        assert!(client.admin().topic_list().await.is_ok());
        client.close().await;
    }
}
