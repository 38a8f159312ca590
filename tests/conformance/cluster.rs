//! The cluster that a test runs on: a real one that was started before, or an embedded one of the test's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, ClientBuilder, HeaderCodec};

/// A cluster of one name server and one broker, and how clients write their headers to it.
#[derive(Debug)]
pub struct Cluster {
    codec: HeaderCodec,
    name_server: String,
    dead_name_server: String,
    broker: String,
    /// It ends with the test.
    _embedded: Option<EmbeddedCluster>,
}

impl Cluster {
    /// The cluster that `tests/servers/with-cluster` has started.
    pub fn apache(codec: HeaderCodec) -> Self {
        let variable = |name| {
            let unset = "is not set: run this below tests/servers/with-cluster";
            std::env::var(name).unwrap_or_else(|_| panic!("{name} {unset}"))
        };
        Self {
            codec,
            name_server: variable("STGCLIENT_NAME_SERVER"),
            dead_name_server: variable("STGCLIENT_DEAD_NAME_SERVER"),
            broker: variable("STGCLIENT_BROKER"),
            _embedded: None,
        }
    }

    /// An embedded cluster on real sockets.
    pub async fn embedded(codec: HeaderCodec) -> Self {
        let cluster = EmbeddedCluster::builder().start().await.expect("ports are free");
        Self {
            codec,
            name_server: cluster.name_server_address().to_owned(),
            // Nobody listens there: it is the port of a service that no system offers any more.
            dead_name_server: "127.0.0.1:1".to_owned(),
            broker: cluster.broker_addresses()[0].clone(),
            _embedded: Some(cluster),
        }
    }

    /// The name server, `host:port`.
    pub fn name_server(&self) -> &str {
        &self.name_server
    }

    /// Where no name server listens, `host:port`.
    pub fn dead_name_server(&self) -> &str {
        &self.dead_name_server
    }

    /// The broker, `host:port`.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// A client of these name servers, still to be set up.
    pub fn builder(&self, name_servers: &str) -> ClientBuilder {
        Client::builder(name_servers).header_codec(self.codec).request_timeout(Duration::from_secs(10))
    }

    /// A client.
    pub async fn client(&self) -> Client {
        self.builder(&self.name_server).connect().await.expect("the name server answers")
    }
}

/// A name that nobody else uses: several tests share a real cluster, and several runs may.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{what}-{:x}-{:x}-{count}", std::process::id(), since.as_millis())
}
