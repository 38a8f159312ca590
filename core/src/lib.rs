//! The RocketMQ remoting protocol and every decision of a client, without I/O.
//!
//! A [`client::Client`] is told what the world did and says what the world should do. It owns no socket, clock, thread
//! or source of chance: the host brings them, whether that is tokio, a JavaScript engine or a test in virtual time.
#![forbid(unsafe_code)]

pub mod address;
pub mod admin;
pub mod client;
pub mod connection;
pub mod consumer;
pub mod credentials;
pub mod error;
pub mod metrics;
pub mod notice;
pub mod producer;
pub mod queue;
pub mod random;
pub mod routes;
pub mod sorted;
pub mod table;
pub mod time;
mod timed_table;
pub mod wire;
