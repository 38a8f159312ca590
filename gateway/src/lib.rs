//! A door into a RocketMQ cluster for pages and whoever else comes by WebSocket: each tunnel is one connection to a name server or a
//! broker.
//!
//! It is deny by default: who comes in, where tunnels lead, and which requests go through is what the configuration says and nothing more.
//! What it knows of the protocol is `stgclient-core`.
#![forbid(unsafe_code)]

mod asked;
mod boundaries;
#[cfg(feature = "door")]
mod door;
mod fields;
mod inspection;
mod keeping;
mod rules;
#[doc(hidden)]
pub mod trial;
mod visitor;

#[cfg(feature = "door")]
pub use door::{Config, ConfigError, Gateway, Handle, Resolver};
