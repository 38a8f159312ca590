//! Consuming: what is wanted of a queue, what came, and which queues are whose.

pub mod allocation;
pub(crate) mod pull;
mod received;
mod tags;

pub use pull::{PullOptions, PullStatus, Pulled};
pub use received::{PullBatch, ReceivedMessage, RefusedMessage, RefusedReason};
pub use tags::TagExpression;
