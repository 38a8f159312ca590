//! Name servers and brokers in memory, without I/O: commands go in, encoded frames come out, time is an argument.
//!
//! [`Cluster`] is the face. Whoever drives it, a socket loop or a simulated network, tells it who connected and which
//! commands came, and then takes [`Cluster::poll_output`] until it is empty; when the moment of [`Cluster::poll_timeout`] has come, it
//! calls [`Cluster::handle_timeout`], and takes the output again, as after everything else that it tells. Of who does not read what
//! is written, [`Cluster::set_room`] is told. [`Serving`](serving::Serving) does all of that for hosts with streams.
//!
//! ```
//! use std::net::SocketAddr;
//! use stgclient_core::time::Now;
//! use stgclient_servers::{Cluster, ClusterConfig, ServerId};
//!
//! let now = Now::default();
//! let mut cluster = Cluster::new(now, ClusterConfig::default());
//! let peer = cluster.connected(now, ServerId::NameServer(0), SocketAddr::from(([127, 0, 0, 1], 50000)))?;
//! // for each command that a `stgclient_core::wire::frame::FrameReader` finds in the peer's bytes:
//! // cluster.receive(now, peer, command);
//! while let Some((peer, bytes)) = cluster.poll_output() {
//!     // write `bytes` to the connection of `peer`
//! }
//! cluster.closed(now, peer);
//! # Ok::<(), stgclient_servers::Refused>(())
//! ```
//!
//! What a server answers follows Apache RocketMQ 5.4.0; where a rule is not obvious, the code names the Java class. With
//! [`Dialect::Smartgo`](stgclient_core::wire::dialect::Dialect) it follows smartgo's, as far as they were seen to differ.

#![forbid(unsafe_code)]

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}

mod broker;
mod budget;
mod cluster;
mod config;
mod force;
mod forces;
mod name_server;
mod named;
mod needed;
mod nullable;
mod output;
mod peer;
mod refusal;
mod reply;
mod request_faults;
pub mod serving;
mod settings;
mod smartgo;
pub mod sql92;
mod table;

pub use broker::{Broker, BrokerUsage};
pub use cluster::{Cluster, Memory};
pub use config::{BrokerConfig, ClusterConfig, Limits};
pub use force::{Force, Forced, Malformed};
pub use name_server::{NameServer, RouteOverride};
pub use peer::{Peer, Refused, ServerId};
pub use request_faults::RequestFaults;
