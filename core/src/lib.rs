//! The RocketMQ remoting protocol and every decision of a client, without I/O.
#![forbid(unsafe_code)]

pub mod time;
pub mod wire;
