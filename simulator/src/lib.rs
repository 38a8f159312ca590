//! A RocketMQ cluster in memory, to test and to develop against: deterministic, without sockets, threads or clocks.
//!
//! [`server`] has name servers and brokers as sans-IO state machines, built on the core's wire. [`serving`] has those who are
//! connected to them served by any host. [`world`] has the rest of
//! a world for them and for clients to live in: a clock, a network with faults, tasks, and a seed that decides everything.
#![forbid(unsafe_code)]

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}

pub mod server;
pub mod serving;
mod table;
// A host has to be `Sync`, and in WebAssembly tasks are not even `Send`.
#[cfg(not(target_family = "wasm"))]
pub mod world;
