//! A client for the RocketMQ remoting protocol: Apache RocketMQ 4.x and 5.x, and smartgo's servers.
//!
//! What comes here is the guide. Every type has its own page below; these are the first ones: [`Client`], [`Producer`],
//! [`PushConsumer`], [`PullConsumer`], [`Admin`], [`Message`], [`Error`].
//!
// What the guide shows runs on a cluster in memory, so there are no tests of it where there is none.
#![cfg_attr(any(not(doctest), feature = "embedded"), doc = include_str!("../docs/guide.md"))]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod callbacks;
mod client;
mod connection;
mod consumer_place;
mod effects;
mod events;
#[cfg(feature = "metrics")]
mod export;
mod guard;
mod handle;
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

/// What the README shows compiles.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../docs/coming-from-java.md")]
pub mod coming_from_java {}
#[doc = include_str!("../docs/coming-from-stgclient.md")]
pub mod coming_from_stgclient {}
#[doc = include_str!("../docs/logs.md")]
pub mod logs {}
/// What a client needs of where it runs, for who wants it to run somewhere new: [`ClientBuilder::on`].
pub mod host {
    pub use stgclient_host::*;
}
#[cfg(feature = "embedded")]
pub use stgclient_tokio::embedded;
#[cfg(feature = "simulator")]
pub mod simulator;

pub use admin::{Admin, CreateTopic, DeleteTopic, MessagesByKey};
pub use client::{Client, ClientBuilder};
pub use events::Events;
#[cfg(feature = "measure-lock")]
pub use lock::LockTimes;
pub use producer::{Producer, ProducerBuilder, Sending, SendingOneway};
pub use pull_consumer::{PullConsumer, PullConsumerBuilder};
pub use push_consumer::{
    Beginning, Committing, Delivered, Deliveries, PushConsumer, PushConsumerBuilder, Rebalanced, ReconsumeLater,
    StartPushConsumer, StartStream, SuspendCurrentQueue,
};
pub use stgclient_core::address::{Address, Addresses};
pub use stgclient_core::admin::{GroupLag, Placement, QueueLag, QueueStatistics, TopicStatistics};
pub use stgclient_core::client::{ClientConfig, ClientEvent, ClientState, Identity, SendError};
pub use stgclient_core::connection::{ConnectionConfig, ConnectionCounters};
pub use stgclient_core::consumer::allocation;
pub use stgclient_core::consumer::push::{
    ConsumeFrom, ConsumeOrder, ConsumerStatus, MessageModel, PushConfig, QueueStatus, RetryDelay, Unfinished,
};
pub use stgclient_core::consumer::{
    MessageSelector, PullBatch, PullOptions, PullStatus, ReceivedMessage, RefusedMessage, RefusedReason, Selects,
};
pub use stgclient_core::credentials::Credentials;
pub use stgclient_core::error::{Attempt, Error, ErrorKind};
pub use stgclient_core::metrics::{ConsumerMetrics, Histogram, Metrics, SendCounters};
pub use stgclient_core::notice::{Notice, Severity};
pub use stgclient_core::producer::{
    Backlog, Body, Message, MessageId, ProducerConfig, QueueChoice, QueueSelector, Receipt, SendOptions, SendStatus,
    TopicName,
};
pub use stgclient_core::queue::MessageQueue;
pub use stgclient_core::routes::route::{Permission, TopicRoute};
pub use stgclient_core::wire::body::{ClusterInfo, ExpressionType};
pub use stgclient_core::wire::code::{RequestCode, ResponseCode};
pub use stgclient_core::wire::command::HeaderCodec;
pub use stgclient_core::wire::compression::Compression;
pub use stgclient_core::wire::dialect::Dialect;
pub use stgclient_core::wire::message::{OffsetMessageId, Properties, PropertiesRef, UniqueId};
pub use stgclient_host::{BoxFuture, MemoryOffsets, OffsetStore};
#[cfg(feature = "tokio")]
pub use stgclient_tokio::FileOffsets;
#[cfg(feature = "tls")]
pub use stgclient_tokio::{Tls, TlsBuilder};
#[cfg(feature = "websocket")]
pub use stgclient_tokio::{Tunnel, TunnelBuilder};

#[doc(hidden)]
pub use lock::holds_lock;
