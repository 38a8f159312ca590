//! The cluster reached in-process: no sockets, only a pipe for each connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use stgclient_core::address::Address;
use stgclient_core::client::Identity;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::time::{Instant, Now};
use stgclient_runtime::{BoxFuture, EmbeddedHost, Host, Link};
use stgclient_simulator::server::{ClusterConfig, ServerId};
use tokio::sync::watch;

use super::connection;
use super::served::{self, Served};
use crate::{Tokio, socket};

/// How many bytes a pipe holds.
const PIPE: usize = 256 * 1024;

/// A host whose connections lead into a cluster of its own.
#[derive(Debug)]
struct InProcess {
    tokio: Tokio,
    served: Arc<Served>,
    servers: Vec<(ServerId, String)>,
    /// Dropped with the host, which ends the cluster's tasks.
    stop: watch::Sender<()>,
}

impl EmbeddedHost for Tokio {
    async fn start_cluster() -> Result<(Arc<dyn Host>, Vec<Address>), Error> {
        let config = ClusterConfig::default();
        let name_servers = config.name_servers.iter().map(|address| address.parse()).collect::<Result<_, _>>();
        let name_servers = name_servers.map_err(|error: stgclient_core::address::AddressError| {
            Error::new(ErrorKind::InvalidArgument, error.to_string())
        })?;
        let served = Served::new(config);
        let servers = served.with(|cluster| cluster.servers().map(|(id, address)| (id, address.to_owned())).collect());
        let (stop, stopped) = watch::channel(());
        let tokio = Self::default();
        tokio.run(served::run_timers(Arc::downgrade(&served), stopped));
        Ok((Arc::new(InProcess { tokio, served, servers, stop }), name_servers))
    }
}

impl Host for InProcess {
    fn now(&self) -> Now {
        self.tokio.now()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tokio.spawn(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        self.tokio.sleep_until(at)
    }

    fn connect(&self, link: Link) {
        let server = self.servers.iter().find(|(_, address)| address == link.address().as_str());
        let Some((server, _)) = server else {
            return link.closed("there is no such server in the embedded cluster");
        };
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stopped = self.stop.subscribe();
        self.tokio.run(connection::serve(theirs, *server, client, Arc::clone(&self.served), stopped));
        self.tokio.run(socket::drive(ours, link));
    }

    fn identity(&self) -> Identity {
        self.tokio.identity()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }
}
