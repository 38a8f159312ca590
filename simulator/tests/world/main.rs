//! The world: time, tasks, the network's rules, and that a seed decides everything.

mod clients;
mod determinism;
mod half_open;
mod machines;
mod network;
mod requests;
mod time;
mod wire;
