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
mod failure;
mod host;
mod js;
mod messages;
mod metrics;
mod offsets;
mod producer;
mod pull;
mod rotation;
mod timers;
mod values;

/// Whoever waits is told of a panic wherever it is: most of what runs here nobody has called.
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| js::panicked(&panic.to_string())));
}
