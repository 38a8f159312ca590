//! Topics: created, found, changed, counted, deleted.

use stgclient::{Dialect, ErrorKind, Message, Permission, Placement};
use stgclient_tests::{Bench, eventually};

use super::{bench, cluster};

#[tokio::test]
async fn a_new_topic_has_the_queues_that_were_asked_for() {
    let bench = bench(5).await;
    let route = bench.admin().topic_route(&bench.topic).await.unwrap();
    let queues = &route.queues[..];
    assert_eq!(queues.len(), 1);
    assert_eq!((queues[0].read, queues[0].write, queues[0].permission), (5, 5, Permission::READ_WRITE));
    let broker = &route.brokers[0];
    assert_eq!(broker.addresses[&0].as_str(), bench.cluster.broker());
    let numbers: Vec<_> = bench.queues().await.iter().map(|queue| queue.queue_id).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_topic_can_be_placed_in_a_cluster_or_at_a_broker() {
    let bench = bench(1).await;
    let route = bench.admin().topic_route(&bench.topic).await.unwrap();
    let broker = &route.brokers[0];
    let clusters = bench.admin().cluster_info().await.unwrap().cluster_addr_table;
    let (cluster, _) = clusters.first_key_value().expect("a cluster");
    for placement in [
        Placement::Cluster(cluster.clone()),
        Placement::Broker(broker.name.to_string()),
        Placement::Address(broker.addresses[&0].clone()),
    ] {
        let topic = bench.unique("placed");
        bench.admin().create_topic(&topic).queues(2).at(placement.clone()).await.unwrap();
        let queues =
            eventually("the placed topic has a route", async || bench.consumer.queues(&topic).await.ok()).await;
        assert_eq!(queues.len(), 2, "{placement:?}");
        bench.admin().delete_topic(&topic).at(placement).await.unwrap();
    }
}

#[tokio::test]
async fn a_topic_in_an_unknown_cluster_or_at_an_unknown_broker_is_refused_by_name() {
    let bench = bench(1).await;
    let create = |placement| bench.admin().create_topic("nowhere").at(placement);
    let error = create(Placement::Cluster("NoSuchCluster".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let text = error.to_string();
    assert!(text.contains("NoSuchCluster") && text.contains("DefaultCluster"), "{text}");
    let error = create(Placement::Broker("no-such-broker".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerNotFound);
    assert!(error.to_string().contains("no-such-broker"), "{error}");
}

#[tokio::test]
async fn creating_a_topic_again_changes_it_and_keeps_its_messages() {
    let bench = bench(2).await;
    let receipt = bench.send(bench.message("kept")).await;
    bench.admin().create_topic(&bench.topic).queues(6).await.unwrap();
    bench.await_queues(6).await;
    assert_eq!(&bench.pull_sent(&receipt).await.body()[..], b"kept");
}

#[tokio::test]
async fn a_topic_can_be_created_after_a_template_of_ones_choice() {
    let bench = Bench::without_topic(cluster().await).await;
    bench.admin().create_topic(&bench.topic).template("DefaultCluster").queues(3).await.unwrap();
    bench.await_queues(3).await;
}

#[tokio::test]
async fn a_topic_without_queues_or_with_too_many_is_refused() {
    let bench = Bench::without_topic(cluster().await).await;
    for queues in [0, 65_537] {
        let error = bench.admin().create_topic(&bench.topic).queues(queues).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

#[tokio::test]
async fn a_topic_of_the_servers_own_can_neither_be_created_nor_deleted_and_the_error_says_why() {
    let bench = Bench::without_topic(cluster().await).await;
    if !bench.cluster.may_be_harmed() {
        return;
    }
    if bench.cluster.dialect() == Dialect::Smartgo {
        // They would do it.
        for topic in
            ["MY_DEFAULT_TOPIC", "SELF_TEST_TOPIC", "BenchmarkTest", "OFFSET_MOVED_EVENT", "DefaultCluster", "broker-a"]
        {
            let created = bench.admin().create_topic(topic).queues(1).await.unwrap_err();
            let deleted = bench.admin().delete_topic(topic).await.unwrap_err();
            for error in [created, deleted] {
                assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
                assert!(error.to_string().contains("Dialect::Smartgo"), "{error}");
            }
        }
        // A first message still creates a topic.
        bench.send(bench.message("first")).await;
        return;
    }
    let error = bench.admin().create_topic(bench.cluster.dialect().default_topic()).queues(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.remark().unwrap().contains("conflict with system topic"), "{error}");
    assert_eq!(error.address().unwrap().as_str(), bench.cluster.broker());
}

#[tokio::test]
async fn the_topic_list_is_sorted_and_has_what_was_created() {
    let bench = bench(1).await;
    let topics = bench.admin().topic_list().await.unwrap();
    assert!(topics.is_sorted());
    let default_topic = bench.cluster.dialect().default_topic();
    assert!(topics.contains(&bench.topic) && topics.iter().any(|topic| topic == default_topic), "{topics:?}");
}

#[tokio::test]
async fn a_deleted_topic_is_gone_and_may_be_deleted_again() {
    let bench = bench(2).await;
    bench.send(bench.message("lost")).await;
    for _ in 0..2 {
        bench.admin().delete_topic(&bench.topic).await.unwrap();
        eventually("the topic is gone", async || {
            let error = bench.admin().topic_route(&bench.topic).await.err()?;
            assert_eq!(error.kind(), ErrorKind::TopicNotFound, "{error}");
            Some(())
        })
        .await;
        assert!(!bench.admin().topic_list().await.unwrap().contains(&bench.topic));
    }
}

#[tokio::test]
async fn a_topic_that_was_deleted_can_be_created_anew_without_its_messages_but_with_them_at_smartgos() {
    let bench = bench(1).await;
    let receipt = bench.send(bench.message("first life")).await;
    bench.await_messages(&receipt.queue, 1).await;
    bench.admin().delete_topic(&bench.topic).await.unwrap();
    bench.admin().create_topic(&bench.topic).queues(1).await.unwrap();
    bench.await_queues(1).await;
    // A broker may not take messages the moment that its topic's files are being deleted.
    let receipt = eventually("the new topic takes messages", async || {
        bench.producer.send(bench.message("second life")).await.ok()
    })
    .await;
    let kept = u64::from(bench.cluster.dialect() == Dialect::Smartgo);
    assert_eq!(receipt.queue_offset, kept);
    assert_eq!(&bench.pull_sent(&receipt).await.body()[..], b"second life");
}

#[tokio::test]
async fn statistics_count_each_queues_messages() {
    let bench = bench(3).await;
    let queue = bench.queue(1).await;
    for number in 0..4 {
        bench.send_to(&queue, bench.message(format!("message {number}"))).await;
    }
    bench.await_messages(&queue, 4).await;
    let statistics = bench.admin().topic_statistics(&bench.topic).await.unwrap();
    assert_eq!((statistics.queues.len(), statistics.messages()), (3, 4));
    let of_queue = statistics.queues[&queue];
    assert_eq!((of_queue.min_offset, of_queue.max_offset), (0, 4));
    assert!(of_queue.last_update_timestamp > 1_700_000_000_000, "{of_queue:?}");
    assert!(statistics.queues.iter().all(|(other, offsets)| *other == queue || offsets.max_offset == 0));
}

#[tokio::test]
async fn cluster_information_names_clusters_brokers_and_their_addresses() {
    let bench = Bench::without_topic(cluster().await).await;
    let info = bench.admin().cluster_info().await.unwrap();
    assert!(info.cluster_addr_table.get("DefaultCluster").expect("it is there").contains("broker-a"));
    assert_eq!(
        info.broker_addr_table.get("broker-a").expect("it is there").broker_addrs.get(&0).expect("it is there"),
        bench.cluster.broker()
    );
}

#[tokio::test]
async fn an_unknown_topic_is_not_found_whatever_is_asked_about_it() {
    let bench = Bench::without_topic(cluster().await).await;
    let (admin, topic) = (bench.admin(), &bench.topic);
    let queue = stgclient::MessageQueue::new(topic.as_str(), "broker-a", 0);
    let errors = [
        ("route", admin.topic_route(topic).await.unwrap_err()),
        ("statistics", admin.topic_statistics(topic).await.unwrap_err()),
        ("queues", bench.consumer.queues(topic).await.unwrap_err()),
        ("pull", bench.consumer.pull(&queue, "*", 0, 1).await.unwrap_err()),
    ];
    for (what, error) in errors {
        assert_eq!(error.kind(), ErrorKind::TopicNotFound, "{what}: {error}");
        assert!(error.to_string().contains(topic), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_first_message_creates_an_unknown_topic() {
    let bench = Bench::without_topic(cluster().await).await;
    let receipt = bench.send(bench.message("first")).await;
    bench.await_queues(4).await;
    assert_eq!(&bench.pull_sent(&receipt).await.body()[..], b"first");
}

#[tokio::test]
async fn a_topic_that_a_message_creates_has_as_many_queues_as_the_producer_wants() {
    for queues in [1, 2, 7] {
        let bench = Bench::without_topic(cluster().await).await;
        let producer = bench.producer_builder().configure(|config| config.default_topic_queues = queues);
        let producer = producer.start().await.unwrap();
        // So many that each queue of the default topic would have its turn.
        for number in 0..10 {
            let message = Message::new(bench.topic.as_str(), format!("message {number}"));
            producer.send(message).await.unwrap_or_else(|error| panic!("with {queues} queues: {error}"));
        }
        bench.await_queues(queues as usize).await;
        assert_eq!(bench.pull_all(10).await.len(), 10);
    }
}
