//! The whole client: connections, routes, producers, consumers and administration, composed.
//!
//! Three kinds of verb: `handle_*` says what the world did, `poll_*` asks what the world should do, and the others are
//! what the user wants. Any number of inputs may come before the outputs are drained.
//!
//! Its floors, from below: `base` has ids, signals and events; `network` the connections; `routing` where things are;
//! `presence` what brokers know of us; `session` drives these; `operations` say what they want; `driver` has the [`Client`], and
//! `verbs` what is wanted of it.

mod base;
mod driver;
mod lines;
mod network;
mod operations;
mod presence;
mod push_consuming;
mod routing;
mod session;
mod verbs;

pub use base::client_event::{ClientEvent, ClientState};
pub use base::config::{ClientConfig, Identity, LEAST_TIME};
pub use base::event::{Action, Event, SendError};
pub use base::ids::{BrokerQuestion, ConnectionId, OperationId, ProducerId, PullConsumerId, PushConsumerId};
pub use base::value::{Given, Outcome, Pending, Value};
pub use driver::Client;

#[cfg(test)]
mod tests;
