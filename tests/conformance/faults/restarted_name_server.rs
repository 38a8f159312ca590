//! A name server that starts anew knows no topic until the brokers have told it: what a client knows serves on.

use std::time::{Duration, Instant};

use stgclient::Message;
use stgclient_tests::CURRENT;

use super::{bench, create_topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_send_fails_while_a_name_server_is_away_or_has_not_yet_heard_of_the_topics() {
    let mut bench = bench(CURRENT, &["registerNameServerPeriod=10000"]).await;
    create_topic(&bench, 2, 1).await;
    let send = async |bench: &stgclient_tests::Bench, until: Instant| {
        let mut sent = 0;
        while Instant::now() < until {
            let message = Message::new(bench.topic.as_str(), "body");
            bench.producer.send(message).await.unwrap_or_else(|error| panic!("after {sent} sends: {error}"));
            sent += 1;
            // As many as there are failed before the route came back; a few a second are enough.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        sent
    };
    let soon = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert!(send(&bench, soon(1)).await > 0);
    bench.cluster.stop(stgclient_tests::Server::NameServer).await;
    send(&bench, soon(3)).await;
    bench.cluster.start(stgclient_tests::Server::NameServer).await;
    // Longer than brokers take to tell it, and than a client's route lives.
    let sent = send(&bench, soon(35)).await;
    println!("{sent} sends since the name server is back, none failed");
}
