//! A cluster whose process has no descriptors left waits until some are given back, and does not log itself to death. The test runs
//! itself again as a process that may have few of them.
// A test waits for what other threads do, by a real clock, and is a process of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stgclient::Client;
use stgclient::embedded::EmbeddedCluster;
use tokio::net::TcpStream;
use tracing::span;

const NAME: &str = "a_cluster_without_descriptors_waits_a_little_and_goes_on_when_there_are_some";

/// Counts warnings.
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_cluster_without_descriptors_waits_a_little_and_goes_on_when_there_are_some() {
    if std::env::var_os("STGCLIENT_FEW_DESCRIPTORS").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(with_few());
    }
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\" --exact \"$1\""]).arg(std::env::current_exe().unwrap()).arg(NAME);
    let output = command.env("STGCLIENT_FEW_DESCRIPTORS", "1").output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

async fn with_few() {
    let warnings = Arc::<AtomicUsize>::default();
    tracing::subscriber::set_global_default(Warnings(Arc::clone(&warnings))).unwrap();
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let address = cluster.name_server_address().to_owned();
    let mut streams = Vec::new();
    while let Ok(stream) = TcpStream::connect(&address).await {
        streams.push(stream);
    }
    // The last ones are connected, and nobody can take them. Each warning comes a pause after the one before.
    let (since, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(20));
    let before = warnings.load(Ordering::Relaxed);
    while warnings.load(Ordering::Relaxed) < before + 4 {
        assert!(Instant::now() < deadline, "nobody is told that there are no descriptors");
        tokio::task::yield_now().await;
    }
    assert!(since.elapsed() >= Duration::from_millis(250), "four warnings within {:?}", since.elapsed());
    drop(streams);
    let client = Client::connect(&address).await.expect("there are descriptors again");
    client.close().await;
    cluster.close().await;
}
