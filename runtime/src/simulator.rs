//! A world in virtual time, for tests of an application without a server: clusters, a network with faults, machines, and one seed
//! that decides everything. The clients in it are the same as in production.
//!
//! ```
//! use std::time::Duration;
//!
//! use stgclient::simulator::{Clients as _, ClusterConfig, World};
//! use stgclient::{Error, Message, Producer};
//!
//! /// The application's own code, which runs on tokio and knows nothing of worlds.
//! async fn place_orders(producer: &Producer) -> Result<(), Error> {
//!     for number in 0..3 {
//!         producer.send(Message::new("orders", format!("order {number}"))).await?;
//!         tokio::time::sleep(Duration::from_secs(20 * 60)).await;
//!     }
//!     Ok(())
//! }
//!
//! let world = World::new(7);
//! let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
//! world.run(async {
//!     let client = world.machine().client(&cluster).connect().await?;
//!     client.admin().create_topic("orders").await?;
//!     place_orders(&client.producer("shop").start().await?).await
//! })?;
//! // An hour of the world's; of ours some milliseconds.
//! assert!(world.now().mono.as_micros() > 3_600_000_000);
//! # Ok::<(), Error>(())
//! ```

use std::sync::Arc;

use stgclient_core::address::Addresses;
use stgclient_host::Host;
pub use stgclient_simulator::*;

use crate::client::ClientBuilder;

/// Clients on a machine of a world.
pub trait Clients {
    /// A client on this machine, still to be set up, of the cluster of these name servers: a [`ClusterHandle`]'s, or `host:port` separated
    /// by `;`.
    fn client(&self, name_servers: impl Addresses) -> ClientBuilder;
}

impl Clients for Arc<Machine> {
    fn client(&self, name_servers: impl Addresses) -> ClientBuilder {
        let host: Arc<dyn Host> = Self::clone(self);
        ClientBuilder::on(host, name_servers)
    }
}
