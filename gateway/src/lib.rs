//! A door into a RocketMQ cluster for pages and whoever else comes by WebSocket: each tunnel is one connection to a name server or a
//! broker.
//!
//! It is deny by default: who comes in, where tunnels lead, and which requests go through is what the configuration says and nothing more.
//! What it knows of the protocol is `stgclient-core`.
#![forbid(unsafe_code)]

mod asked;
#[cfg(feature = "door")]
mod asking;
mod boundaries;
#[cfg(feature = "door")]
mod bounds;
#[cfg(feature = "door")]
mod certificates;
#[cfg(feature = "door")]
mod cluster_tls;
#[cfg(feature = "door")]
mod config;
#[cfg(feature = "door")]
mod dialing;
#[cfg(feature = "door")]
mod door;
#[cfg(feature = "door")]
mod doorkeeper;
mod fields;
#[cfg(feature = "door")]
mod gateway;
mod inspection;
mod keeping;
#[cfg(feature = "door")]
mod known;
#[cfg(feature = "door")]
mod metrics;
#[cfg(feature = "door")]
mod networks;
#[cfg(feature = "door")]
mod operation;
#[cfg(feature = "door")]
mod places;
#[cfg(feature = "door")]
mod read_ahead;
#[cfg(feature = "door")]
mod refusals;
mod rules;
#[cfg(feature = "door")]
mod shared;
#[cfg(feature = "door")]
mod targets;
#[doc(hidden)]
pub mod trial;
#[cfg(feature = "door")]
mod tunnel;
mod visitor;
#[cfg(feature = "door")]
mod whereabouts;

#[cfg(feature = "door")]
pub use config::{Config, ConfigError};
#[cfg(feature = "door")]
pub use dialing::Resolver;
#[cfg(feature = "door")]
pub use gateway::{Gateway, Handle};
