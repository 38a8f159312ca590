//! The async API of stgclient, once for every host.
//!
//! A [`Client`] drives the state machine of `stgclient-core`; a [`Host`] gives it sockets, a clock and tasks. Users of
//! tokio add the crate `stgclient`, which is this one on a tokio host.
#![forbid(unsafe_code)]

mod admin;
mod client;
mod effects;
mod guard;
mod host;
mod link;
mod lock;
mod operation;
mod producer;
mod pull_consumer;
mod push_consumer;
mod rotation;
mod shared;
mod sync;
mod tasks;
mod timers;
mod waiting;

pub use admin::{Admin, CreateTopic, DeleteTopic};
pub use client::{Client, ClientBuilder};
pub use host::{BoxFuture, EmbeddedHost, Host, MaybeSend, MaybeSync, Observation, TlsHost};
pub use link::{Link, Output};
#[cfg(feature = "measure-lock")]
pub use lock::LockTimes;
pub use producer::{Producer, ProducerBuilder, Sending, SendingOneway};
pub use pull_consumer::{PullConsumer, PullConsumerBuilder};
pub use push_consumer::{
    Committing, Delivered, Deliveries, MemoryOffsets, OffsetStore, PushConsumer, PushConsumerBuilder, ReconsumeLater,
    StartPushConsumer, StartStream, SuspendCurrentQueue,
};
pub use stgclient_core::consumer::push::RetryDelay;

#[doc(hidden)]
pub use lock::holds_lock;
pub use stgclient_core as core;
