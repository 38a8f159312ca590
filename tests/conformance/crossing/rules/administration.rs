//! Apache's administration tool and we see what the other does.

use stgclient::ErrorKind;
use stgclient_tests::{Bench, eventually};

use super::{bench, cluster};
use crate::java::mqadmin;

#[tokio::test]
async fn it_lists_the_topics_that_we_create() {
    let bench = bench(1).await;
    let text = mqadmin(&["topicList", "-n", bench.cluster.name_server()]).await;
    assert!(text.lines().any(|line| line.trim() == bench.topic), "{text}");
}

#[tokio::test]
async fn it_shows_the_route_of_our_topic() {
    let bench = bench(5).await;
    let text = mqadmin(&["topicRoute", "-n", bench.cluster.name_server(), "-t", &bench.topic]).await;
    let broker = format!("0:\"{}\"", bench.cluster.broker());
    for part in [&*broker, "\"brokerName\":\"broker-a\"", "\"readQueueNums\":5", "\"writeQueueNums\":5", "\"perm\":6"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[tokio::test]
async fn it_counts_our_messages() {
    let bench = bench(2).await;
    let queue = bench.queue(1).await;
    for number in 0..3 {
        bench.send_to(&queue, bench.message(number.to_string())).await;
    }
    bench.await_messages(&queue, 3).await;
    let text = mqadmin(&["topicStatus", "-n", bench.cluster.name_server(), "-t", &bench.topic]).await;
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("broker-a")) {
        rows.push(line.split_whitespace().take(4).collect::<Vec<_>>());
    }
    assert_eq!(rows, [["broker-a", "0", "0", "0"], ["broker-a", "1", "0", "3"]], "{text}");
}

#[tokio::test]
async fn it_shows_the_cluster() {
    let cluster = cluster().await;
    let text = mqadmin(&["clusterList", "-n", cluster.name_server()]).await;
    let row = text.lines().find(|line| line.starts_with("DefaultCluster")).unwrap_or_else(|| panic!("{text}"));
    let columns: Vec<_> = row.split_whitespace().take(5).collect();
    assert_eq!(columns, ["DefaultCluster", "broker-a", "0", cluster.broker(), "V5_4_0"]);
}

#[tokio::test]
async fn it_shows_how_servers_are_and_how_they_are_set_up() {
    let cluster = cluster().await;
    let broker = ["-n", cluster.name_server(), "-b", cluster.broker()];
    // `name : value` or `name = value`, with spaces for alignment.
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.split([' ', ':', '=']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line[name.len()..].trim_start_matches([' ', ':', '=']).trim().to_owned()
    };
    let text = mqadmin(&[&["brokerStatus"], &broker[..]].concat()).await;
    assert_eq!((value(&text, "brokerVersionDesc"), value(&text, "brokerActive")), ("V5_4_0".into(), "true".into()));
    let text = mqadmin(&[&["getBrokerConfig"], &broker[..]].concat()).await;
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let names = ["brokerName", "brokerClusterName", "brokerId", "brokerRole", "listenPort", "enablePropertyFilter"];
    let values = ["broker-a", "DefaultCluster", "0", "ASYNC_MASTER", &port(cluster.broker()), "true"];
    assert_eq!(names.map(|name| value(&text, name)), values.map(str::to_owned));
    let text = mqadmin(&["getNamesrvConfig", "-n", cluster.name_server()]).await;
    let values = [port(cluster.name_server()), "false".to_owned()];
    assert_eq!(["listenPort", "orderMessageEnable"].map(|name| value(&text, name)), values);
}

#[tokio::test]
async fn we_use_and_miss_the_topics_that_it_creates_changes_and_deletes() {
    let bench = Bench::without_topic(cluster().await).await;
    let name_server = bench.cluster.name_server();
    let update = async |place: [&str; 2], queues: &str| {
        let topic = ["updateTopic", "-n", name_server, "-t", &bench.topic, "-r", queues, "-w", queues];
        let text = mqadmin(&[&topic[..], &place].concat()).await;
        assert!(text.contains("success"), "{text}");
    };
    update(["-c", "DefaultCluster"], "3").await;
    bench.await_queues(3).await;
    let receipt = bench.send(bench.message("body")).await;
    assert_eq!(bench.pull_sent(&receipt).await.body(), "body");
    update(["-b", bench.cluster.broker()], "6").await;
    bench.await_queues(6).await;

    let text = mqadmin(&["deleteTopic", "-n", name_server, "-c", "DefaultCluster", "-t", &bench.topic]).await;
    assert_eq!(text.matches("success").count(), 2, "{text}");
    eventually("the topic is gone", async || {
        let error = bench.admin().topic_route(&bench.topic).await.err()?;
        (error.kind() == ErrorKind::TopicNotFound).then_some(())
    })
    .await;
    assert!(!bench.admin().topic_list().await.unwrap().contains(&bench.topic));
}

#[tokio::test]
async fn it_does_not_find_the_topic_that_we_have_deleted() {
    let bench = bench(1).await;
    bench.admin().delete_topic(&bench.topic).await.unwrap();
    let text = mqadmin(&["topicRoute", "-n", bench.cluster.name_server(), "-t", &bench.topic]).await;
    assert!(text.contains("No topic route info"), "{text}");
}

#[tokio::test]
async fn the_broker_lists_a_producer_until_its_client_is_closed() {
    let bench = bench(1).await;
    let client = bench.other_client().await;
    let group = bench.unique("listed");
    let producer = client.producer(&group).start().await.unwrap();
    producer.send(bench.message("body")).await.unwrap();
    let arguments = ["producerConnection", "-n", bench.cluster.name_server(), "-g", &group, "-t", &bench.topic];
    eventually("the producer is listed", async || {
        let text = mqadmin(&arguments).await;
        // The columns: client id, address, language, version.
        (text.contains("127.0.0.1:") && text.contains("RUST") && text.contains("V5_4_0")).then_some(())
    })
    .await;
    client.close().await;
    let text = mqadmin(&arguments).await;
    assert!(text.contains("not exist"), "{text}");
}
