//! Push consumers: messages come to the application, which handles them or takes them from a stream.

mod beginning;
mod builder;
mod consumer;
mod deliveries;
mod dispatch;
mod handler;
mod keeper;
mod listener;
mod task;

pub use beginning::Beginning;
pub use builder::{PushConsumerBuilder, StartPushConsumer, StartStream};
pub use consumer::PushConsumer;
pub use deliveries::{Delivered, Deliveries};
pub use handler::{Committing, ReconsumeLater, SuspendCurrentQueue};
pub use listener::Rebalanced;
