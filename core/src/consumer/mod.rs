//! Pulling: what is wanted of a queue, and what came.

pub(crate) mod pull;
mod received;
mod tags;

pub use pull::{PullOptions, PullStatus, Pulled};
pub use received::{PullBatch, ReceivedMessage, RefusedMessage, RefusedReason};
pub use tags::TagExpression;
