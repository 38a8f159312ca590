//! Stored offsets as a text, as Java's client has them in its files (`LocalFileOffsetStore`): what hosts keep, wherever they keep it.

use std::collections::BTreeMap;

use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::body::{self, BodyError};

/// The text that says where a consumer is on its queues.
pub fn write_offsets(offsets: &BTreeMap<MessageQueue, u64>) -> Vec<u8> {
    let known = offsets.iter().map(|(queue, offset)| (queue.key(), i64::try_from(*offset).unwrap_or(i64::MAX)));
    body::to_vec(&body::ResetOffsets { offset_table: known.collect() })
}

/// What a text says; `None` when it is an empty one: of blanks, or of the zeros that a disk has where nothing was written.
///
/// # Errors
/// It is something else.
pub fn read_offsets(text: &[u8]) -> Result<Option<BTreeMap<MessageQueue, u64>>, BodyError> {
    if text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
        return Ok(None);
    }
    let stored = body::from_slice::<body::ResetOffsets>(text)?.offset_table.into_iter();
    Ok(Some(
        stored.filter_map(|(key, offset)| Some((MessageQueue::of_key(key)?, u64::try_from(offset).ok()?))).collect(),
    ))
}
