//! A RocketMQ cluster in memory, to test and to develop against: deterministic, without sockets, threads or clocks.
//!
//! [`server`] has name servers and brokers as sans-IO state machines, built on the core's wire.
#![forbid(unsafe_code)]

pub mod server;
mod table;
