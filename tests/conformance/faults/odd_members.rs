//! A broker that has registered as a member without a number, as a DLedger member does that has not joined its group, and
//! slaves that refuse what only masters do: nothing else suffers from them.

use std::time::Duration;

use stgclient_tests::{CURRENT, eventually};

use super::{bench, create_topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_has_not_joined_its_group_is_passed_over() {
    let mut bench = bench(CURRENT, &[]).await;
    // One of two members never has a majority: it stays without a role, and registers with the number -1.
    let peers = "dLegerPeers=n0-127.0.0.1:20911;n1-127.0.0.1:20912 dLegerSelfId=n0";
    let odd = format!("brokerName=broker-odd enableDLegerCommitLog=true dLegerGroup=broker-odd {peers}");
    bench.cluster.order(&format!("start odd {odd}")).await;
    let info = eventually("the odd one is there", async || {
        let info = bench.admin().cluster_info().await.expect("what is odd is passed over");
        info.cluster_addr_table.values().any(|brokers| brokers.contains("broker-odd")).then_some(info)
    })
    .await;
    assert!(info.broker_addr_table.contains_key("broker-a"), "{info:?}");
    let queues = create_topic(&bench, 2, 1).await;
    for queue in &queues {
        bench.send_to(queue, bench.message("body")).await;
    }
    // The first message to an unknown topic goes by the default topic's route, in which the odd one may be.
    let sent = bench.producer.send(stgclient::Message::new(bench.unique("fresh").as_str(), "first")).await;
    sent.expect("its broker makes the topic");
    bench.admin().delete_topic(&bench.topic).await.expect("it is deleted at all others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_deleted_although_an_old_slave_refuses_to() {
    let mut bench = bench("4.9.7", &["brokerRole=ASYNC_MASTER"]).await;
    bench.cluster.order("start slave brokerName=broker-a brokerId=1 brokerRole=SLAVE slaveReadEnable=true").await;
    create_topic(&bench, 1, 1).await;
    eventually("the slave is in the route", async || {
        let route = bench.admin().topic_route(&bench.topic).await.ok()?;
        route.brokers.iter().any(|broker| broker.addresses.len() == 2).then_some(())
    })
    .await;
    bench.admin().delete_topic(&bench.topic).await.expect("the master has deleted it");
    let deadline = Duration::from_secs(40);
    stgclient_tests::within(deadline, "name servers have forgotten it", async || {
        bench.admin().topic_route(&bench.topic).await.is_err().then_some(())
    })
    .await;
}
