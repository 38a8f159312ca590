//! The async API of stgclient, once for every host.
//!
//! A [`Client`] drives the state machine of `stgclient-core`; a [`Host`] gives it sockets, a clock and tasks. Users of
//! tokio add the crate `stgclient`, which is this one on a tokio host.
#![forbid(unsafe_code)]

mod admin;
mod bounds;
mod client;
mod connection;
mod consumer_place;
mod effects;
mod guard;
mod handle;
mod host;
mod link;
mod lock;
mod log;
mod offset_store;
mod operation;
mod producer;
mod pull_consumer;
mod push_consumer;
mod rotation;
mod shared;
mod state;
mod sync;
mod tasks;
mod timers;
mod waiting;

pub use admin::{Admin, CreateTopic, DeleteTopic};
pub use bounds::{BoxFuture, MaybeSend, MaybeSync};
pub use client::{Client, ClientBuilder};
pub use host::{EmbeddedHost, Host, Observation, TlsHost};
pub use link::{Link, Output};
#[cfg(feature = "measure-lock")]
pub use lock::LockTimes;
pub use offset_store::{MemoryOffsets, OffsetStore};
pub use producer::{Producer, ProducerBuilder, Sending, SendingOneway};
pub use pull_consumer::{PullConsumer, PullConsumerBuilder};
pub use push_consumer::{
    Committing, Delivered, Deliveries, PushConsumer, PushConsumerBuilder, ReconsumeLater, StartPushConsumer,
    StartStream, SuspendCurrentQueue,
};
pub use stgclient_core::consumer::push::RetryDelay;

#[doc(hidden)]
pub use lock::holds_lock;
pub use stgclient_core as core;
