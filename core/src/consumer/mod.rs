//! Consuming: what is wanted of a queue, what came, and for push consumers whose queues they are.

pub mod allocation;
mod inner_batches;
mod process_queue;
pub(crate) mod pull;
pub mod push;
mod received;
mod selector;

pub use pull::{PullOptions, PullStatus, Pulled};
pub use received::{PullBatch, ReceivedMessage, RefusedMessage, RefusedReason};
pub use selector::{MessageSelector, Selects};
