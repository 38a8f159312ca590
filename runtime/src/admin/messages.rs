//! Finding messages by a key.

use std::future::IntoFuture;
use std::sync::Arc;

use stgclient_core::admin::MessageQuery;
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::error::Error;

use super::read;
use crate::handle::Handle;
use crate::operation::Operation;
use stgclient_host::BoxFuture;

/// Finds the messages of a topic that have a key, when awaited.
///
/// ```no_run
/// # async fn example(client: &stgclient::Client) -> Result<(), stgclient::Error> {
/// let hour = 1_760_000_400_000..=1_760_003_999_999;
/// let messages = client.admin().messages_by_key("orders", "4711").max(8).between(*hour.start(), *hour.end()).await?;
/// for message in messages {
///     println!("{} stored at {}", message.message_id(), message.store_timestamp());
/// }
/// # Ok(())
/// # }
/// ```
///
/// They come sorted by when they were stored, the oldest first, from all brokers of the topic. A broker shows a message in its index
/// some moments after it has stored it. Keys are compared exactly, although brokers compare hashes: where those of others are the
/// same, a broker may give fewer than there are. No message at all is an empty list.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an empty key or one with a space, for a wrong number, for a time
/// that ends before it begins, and towards smartgo's servers, which find nothing by keys; the topic does not exist; a broker does
/// not answer; [`ErrorKind::MalformedAnswer`](crate::ErrorKind::MalformedAnswer) when a message cannot be read;
/// [`ErrorKind::Full`](crate::ErrorKind::Full) when they are longer together than
/// [`ClientBuilder::max_body_length`](crate::ClientBuilder::max_body_length) after decompression, or than 64 MiB before.
#[derive(Debug)]
#[must_use = "nothing is looked for until this is awaited"]
pub struct MessagesByKey {
    handle: Arc<Handle>,
    query: MessageQuery,
}

impl MessagesByKey {
    pub(super) fn new(handle: &Arc<Handle>, query: MessageQuery) -> Self {
        Self { handle: Arc::clone(handle), query }
    }

    /// How many at the most, the newest of them, 1 to 1024; 32 by default. A broker gives no more than 64 unless it is set up
    /// otherwise (`maxMsgsNumBatch`).
    pub const fn max(mut self, count: u32) -> Self {
        self.query.max = count;
        self
    }

    /// Those alone that were stored from this time to that one, both included, in milliseconds since 1970 UTC by the broker's clock.
    /// A broker of 5.4 that has its index in RocksDB looks back for some days only, and finds nothing in a longer time
    /// (`maxRocksDBIndexQueryDays`).
    pub const fn between(mut self, from_unix_ms: u64, to_unix_ms: u64) -> Self {
        self.query.stored = from_unix_ms..=to_unix_ms;
        self
    }
}

impl IntoFuture for MessagesByKey {
    type Output = Result<Vec<ReceivedMessage>, Error>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { handle, query } = self;
            let found = Operation::begin(&handle, |core, now| core.find_messages(now, query)).await?;
            read(&handle, found)
        })
    }
}
