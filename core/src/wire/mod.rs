//! Bytes to values and back: frames, headers, typed requests and answers, bodies, stored messages, compression.
//! Knows no state and no time.

pub mod body;
pub mod code;
pub mod command;
pub mod compression;
pub mod dialect;
mod eight;
pub mod fields;
pub mod frame;
mod header;
pub mod java;
pub mod json;
pub mod message;
pub mod odd;
pub mod request;
pub mod signature;
