//! A client for the RocketMQ remoting protocol: Apache RocketMQ 4.x and 5.x, and smartgo's servers.
//!
//! ```no_run
//! # async fn run() -> Result<(), stgclient::Error> {
//! use stgclient::{Client, Message};
//!
//! let client = Client::connect("127.0.0.1:9876").await?;
//! client.admin().create_topic("orders").queues(8).await?;
//!
//! let producer = client.producer("shop").start().await?;
//! let receipt = producer.send(Message::new("orders", "hello").tag("paid").key("42")).await?;
//! println!("{} at {}", receipt.status, receipt.queue);
//!
//! let consumer = client.pull_consumer("audit").start().await?;
//! for queue in consumer.queues("orders").await? {
//!     let batch = consumer.pull(&queue, "paid || refunded", 0, 32).await?;
//!     for message in batch.messages {
//!         println!("{:?}", message.body());
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! For clusters that let in whom they know only there are `ClientBuilder::tls` (feature `tls`, on by default) and
//! [`ClientBuilder::credentials`](stgclient_runtime::ClientBuilder::credentials).
//!
//! To smartgo's stgregistry and stgbroker, [`ClientBuilder::dialect`](stgclient_runtime::ClientBuilder::dialect) speaks;
//! [`coming_from_stgclient`] is for who comes from their own client.
//!
//! With the feature `embedded`, `Client::embedded()` starts a whole cluster in memory, for development and tests.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// What the README shows compiles.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../docs/coming-from-stgclient.md")]
pub mod coming_from_stgclient {}
#[cfg(feature = "embedded")]
pub mod embedded;
mod failure;
mod file_offsets;
mod host;
mod resolve;
mod socket;
#[cfg(feature = "tls")]
mod tls;

pub use file_offsets::FileOffsets;
pub use host::Tokio;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder};

/// A client on tokio: see [`stgclient_runtime::Client`].
pub type Client = stgclient_runtime::Client<Tokio>;
/// Sets a [`Client`] up.
pub type ClientBuilder = stgclient_runtime::ClientBuilder<Tokio>;

pub use stgclient_core::address::Address;
pub use stgclient_core::admin::{Placement, QueueStatistics, TopicStatistics};
pub use stgclient_core::client::{ClientConfig, SendError};
pub use stgclient_core::connection::ConnectionCounters;
pub use stgclient_core::consumer::allocation;
pub use stgclient_core::consumer::push::{
    ConsumeFrom, ConsumeOrder, ConsumerStatus, MessageModel, PushConfig, QueueStatus, RetryDelay, Unfinished,
};
pub use stgclient_core::consumer::{
    MessageSelector, PullBatch, PullOptions, PullStatus, ReceivedMessage, RefusedMessage, RefusedReason,
};
pub use stgclient_core::credentials::Credentials;
pub use stgclient_core::error::{Attempt, Error, ErrorKind};
pub use stgclient_core::producer::{
    Backlog, Message, MessageId, ProducerConfig, QueueChoice, QueueSelector, Receipt, SendOptions, SendStatus,
};
pub use stgclient_core::queue::MessageQueue;
pub use stgclient_core::routes::route::{Permission, TopicRoute};
pub use stgclient_core::wire::body::ClusterInfo;
pub use stgclient_core::wire::code::ResponseCode;
pub use stgclient_core::wire::command::HeaderCodec;
pub use stgclient_core::wire::compression::Compression;
pub use stgclient_core::wire::dialect::Dialect;
pub use stgclient_core::wire::message::{OffsetMessageId, UniqueId};
#[cfg(feature = "measure-lock")]
pub use stgclient_runtime::LockTimes;
pub use stgclient_runtime::{
    Admin, Committing, CreateTopic, DeleteTopic, Delivered, Deliveries, MemoryOffsets, OffsetStore, Producer,
    ProducerBuilder, PullConsumer, PullConsumerBuilder, PushConsumer, PushConsumerBuilder, ReconsumeLater, Sending,
    SendingOneway, StartPushConsumer, StartStream, SuspendCurrentQueue,
};
