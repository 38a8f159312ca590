//! stgclient for JavaScript: the client of `stgclient` on a host whose clock, timers and connections are JavaScript's. What a developer
//! sees is hand-written above it, in `npm/src`; this gives it calls that end, objects and errors.
//!
//! JavaScript is called only where nothing of the client is borrowed or locked. The application's own functions among it are handlers
//! and listeners, which have tasks of their own, functions that choose a queue, and stores.
#![cfg(target_family = "wasm")]

mod admin;
mod calls;
mod client;
mod connections;
mod consumer;
mod decompression;
mod failure;
mod host;
mod js;
mod messages;
mod metrics;
mod offsets;
mod producer;
mod promises;
mod pull;
mod rotation;
mod slots;
mod tasks;
mod timers;
mod values;
