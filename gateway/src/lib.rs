//! A door into a RocketMQ cluster for pages and whoever else comes by WebSocket: each tunnel is one connection to a name server or a
//! broker.
//!
//! It is deny by default: who comes in, where tunnels lead, and which requests go through is what the configuration says and nothing more.
//! What it knows of the protocol is `stgclient-core`.
#![forbid(unsafe_code)]

mod bounds;
mod certificates;
mod cluster_tls;
mod config;
mod door;
mod doorkeeper;
mod gateway;
mod inspection;
mod metrics;
mod networks;
mod operation;
mod refusals;
mod rules;
mod targets;
mod tunnel;
mod visitor;

pub use config::{Config, ConfigError};
pub use gateway::{Gateway, Handle};
