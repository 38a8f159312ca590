//! What everything stands on: ids, signals, events, what operations give, and how a client is set up.

pub(super) mod client_event;
pub(super) mod closing;
pub(super) mod config;
mod dialects;
pub(super) mod event;
pub(super) mod ids;
pub(super) mod signal;
pub(super) mod value;
