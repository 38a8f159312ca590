//! A name server that starts anew knows no topic until the brokers have told it: what a client knows serves on.

use std::time::Duration;

use stgclient::Message;
use stgclient_tests::{Bench, CURRENT, Server, within};

use super::{bench, create_topic};

/// A few sends a second show whether any fails.
const PACE: Duration = Duration::from_millis(50);
/// Brokers tell a new name server of their topics within ten seconds here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends until it is so; no send may fail meanwhile. Gives how many there were.
async fn send_until(bench: &Bench, what: &str, mut is_so: impl AsyncFnMut(&Bench) -> bool) -> u32 {
    let (mut sent, mut pace) = (0, tokio::time::interval(PACE));
    within(PATIENCE, what, async || {
        pace.tick().await;
        let message = Message::new(bench.topic.as_str(), "body");
        bench.producer.send(message).await.unwrap_or_else(|error| panic!("{what}, after {sent} sends: {error}"));
        sent += 1;
        is_so(bench).await.then_some(())
    })
    .await;
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_send_fails_while_a_name_server_is_away_or_has_not_yet_heard_of_the_topics() {
    let mut bench = bench(CURRENT, &["registerNameServerPeriod=10000"]).await;
    create_topic(&bench, 2, 1).await;
    let mut few = 0;
    let mut are_few = async |_: &Bench| {
        few += 1;
        few % 40 == 0
    };
    send_until(&bench, "all is well", &mut are_few).await;
    bench.cluster.stop(Server::NameServer).await;
    send_until(&bench, "the name server is away", &mut are_few).await;
    bench.cluster.start(Server::NameServer).await;
    // Whoever asks it now hears that there is no such topic, until the brokers have told it; the client asks too.
    let knows = async |bench: &Bench| bench.admin().topic_route(&bench.topic).await.is_ok();
    let sent = send_until(&bench, "the name server has not heard of the topic", knows).await;
    send_until(&bench, "all is well again", &mut are_few).await;
    println!("{sent} sends while the name server did not know the topic, none failed");
}
