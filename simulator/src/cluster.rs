//! A cluster of a world, from outside.

use std::sync::Arc;

use stgclient_core::address::Addresses;
use stgclient_core::time::Duration;

use super::Shared;
use super::servers::ClusterId;
use stgclient_servers::{Broker, Cluster, ClusterConfig, Memory, NameServer, RequestFaults, ServerId};

/// A cluster of a world. Cheap to clone.
#[derive(Clone)]
pub struct ClusterHandle {
    shared: Arc<Shared>,
    id: ClusterId,
}

impl ClusterHandle {
    pub(super) fn new(shared: &Arc<Shared>, config: ClusterConfig) -> Self {
        let mut state = shared.lock();
        let cluster = Cluster::new(state.course.now(), config);
        let id = state.servers.add(cluster);
        Self { shared: Arc::clone(shared), id }
    }

    /// The addresses of the name servers.
    pub fn name_servers(&self) -> Vec<String> {
        self.addresses(|server| matches!(server, ServerId::NameServer(_)))
    }

    /// The addresses of the brokers.
    pub fn brokers(&self) -> Vec<String> {
        self.addresses(|server| matches!(server, ServerId::Broker(_)))
    }

    fn addresses(&self, wanted: impl Fn(ServerId) -> bool) -> Vec<String> {
        self.with(|cluster| {
            cluster.servers().filter(|(server, _)| wanted(*server)).map(|(_, address)| address.to_owned()).collect()
        })
    }

    /// Looks at the cluster, or changes it.
    pub fn with<R>(&self, change: impl FnOnce(&mut Cluster) -> R) -> R {
        self.shared.with(|state| {
            let result = change(state.servers.cluster(self.id));
            state.servers.write(&mut state.course, &mut state.network, self.id);
            result
        })
    }

    /// Looks at a broker, or changes it.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn broker<R>(&self, name: &str, change: impl FnOnce(&mut Broker) -> R) -> R {
        self.with(|cluster| change(cluster.broker(name).expect("a broker of this name")))
    }

    /// Looks at a name server, or changes it.
    ///
    /// # Panics
    /// When there is no such name server.
    pub fn name_server<R>(&self, index: usize, change: impl FnOnce(&mut NameServer) -> R) -> R {
        self.with(|cluster| change(cluster.name_server(index).expect("a name server at this place")))
    }

    /// Stops a server, as a crash of its process does: its links are reset, and nobody listens.
    pub fn stop(&self, server: ServerId) {
        self.shared.with(|state| {
            state.servers.stop(&mut state.course, &mut state.network, self.id, server);
        });
    }

    /// A server's machine loses its power: its peers hear nothing, not even that a connection ends, and attempts to connect
    /// are not decided. When it is started again, it answers what was sent to the old connections with a reset.
    pub fn lose_power(&self, server: ServerId) {
        self.shared.with(|state| {
            state.servers.lose_power(&mut state.course, &mut state.network, self.id, server);
        });
    }

    /// Starts a server that was stopped or has lost its power.
    pub fn start(&self, server: ServerId, memory: Memory) {
        self.shared.with(|state| {
            state.servers.start(&mut state.course, &mut state.network, self.id, server, memory);
        });
    }

    /// Servers close connections over which nothing has gone for so long, or no longer do. Apache's do after 120 s
    /// (`NettyServerConfig.serverChannelMaxIdleTimeSeconds`); these do not until they are told to.
    pub fn close_idle(&self, max_idle: Option<Duration>) {
        self.shared.with(|state| state.servers.close_idle(&state.course, self.id, max_idle));
    }

    /// Every server draws faults of requests from now on: see [`Cluster::draw_faults`].
    pub fn draw_faults(&self, faults: &RequestFaults, seed: u64) {
        self.with(|cluster| cluster.draw_faults(faults, seed));
    }

    /// A name server forgets a topic, or all of them: see [`Cluster::forget_routes`].
    pub fn forget_routes(&self, name_server: usize, topic: Option<&str>) {
        let now = self.shared.lock().course.now();
        self.with(|cluster| cluster.forget_routes(now, name_server, topic));
    }

    /// Starts every server, with its memory, and takes back everything that servers were forced to.
    pub fn heal(&self) {
        let servers: Vec<ServerId> = self.with(|cluster| cluster.servers().map(|(server, _)| server).collect());
        for server in servers {
            self.start(server, Memory::Kept);
        }
        self.with(|cluster| {
            cluster.brokers().for_each(Broker::clear_forces);
            let mut index = 0;
            while let Some(name_server) = cluster.name_server(index) {
                name_server.clear_forces();
                name_server.clear_overrides();
                index += 1;
            }
        });
    }
}

/// Those of its name servers.
impl Addresses for &ClusterHandle {
    fn joined(&self) -> String {
        self.name_servers().join(";")
    }
}

impl std::fmt::Debug for ClusterHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
