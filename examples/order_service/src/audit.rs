//! Goes through all bills, at its own pace.

use std::collections::BTreeMap;
use std::path::Path;

use stgclient::{Client, Error, FileOffsets, MessageQueue, OffsetStore, PullConsumer};

use crate::{BILLS, Bill};

/// Reads every bill, and goes on after a restart where it was: its place in each queue stands in a file.
#[derive(Debug)]
pub struct Audit {
    consumer: PullConsumer,
    file: FileOffsets,
    places: BTreeMap<MessageQueue, u64>,
}

impl Audit {
    /// An audit that keeps its places below `folder`.
    ///
    /// # Errors
    /// The file cannot be read, or another audit uses it; or the client is closed.
    pub async fn open(client: &Client, folder: &Path) -> Result<Self, Error> {
        let consumer = client.pull_consumer("audit").start().await?;
        let file = FileOffsets::new(folder, "DEFAULT", "audit");
        let places = file.load().await?;
        Ok(Self { consumer, file, places })
    }

    /// Shows `see` all bills that came since the last time, those of a customer in order. What was seen when this fails may be
    /// seen again.
    ///
    /// # Errors
    /// A broker does not answer, or the file cannot be written.
    pub async fn catch_up(&mut self, mut see: impl FnMut(Bill)) -> Result<(), Error> {
        for queue in self.consumer.queues(BILLS).await? {
            let place = self.places.entry(queue.clone()).or_default();
            while *place < self.consumer.max_offset(&queue).await? {
                let batch = self.consumer.pull(&queue, "*", *place, 32).await?;
                for message in &batch.messages {
                    match serde_json::from_slice(message.body()) {
                        Ok(bill) => see(bill),
                        Err(error) => tracing::error!(id = message.message_id(), %error, "this is no bill"),
                    }
                }
                *place = batch.next_offset;
            }
        }
        self.file.store(self.places.clone()).await
    }
}
