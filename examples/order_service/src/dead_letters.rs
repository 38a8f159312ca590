//! Orders that could not be billed, and go back to where they came from.

use stgclient::{Client, Error, ErrorKind, Producer};

use crate::{billing, by_customer};

/// Sends every dead letter again. What has been sent is committed, so that the next call goes on behind it.
pub(crate) async fn send_again(client: &Client, shop: &Producer) -> Result<usize, Error> {
    let letters = client.pull_consumer("mending").start().await?;
    let queues = match letters.queues(&format!("%DLQ%{}", billing::GROUP)).await {
        Ok(queues) => queues,
        // A broker creates it for the first dead letter.
        Err(error) if error.kind() == ErrorKind::TopicNotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut count = 0;
    for queue in &queues {
        let mut offset = letters.committed_offset(queue).await?.unwrap_or(0);
        while offset < letters.max_offset(queue).await? {
            let batch = letters.pull(queue, "*", offset, 32).await?;
            for letter in &batch.messages {
                shop.send_to(letter.into(), by_customer(letter.property("customer").unwrap_or_default())).await?;
                count += 1;
            }
            offset = batch.next_offset;
            letters.commit_offset(queue, offset).await?;
        }
    }
    Ok(count)
}
