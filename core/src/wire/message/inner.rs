//! Inner batches: one stored message whose body is several, under consecutive queue offsets
//! (`MessageDecoder.decodeMessage`, called by `PullAPIWrapper.processPullResult`).

use bytes::Bytes;

use super::batch::BatchRecords;
use super::error::{MessageError, MessageFault};
use super::stored::{StoredFields, StoredMessage};
use super::sys_flag;

impl StoredMessage {
    /// Whether the body is batch records that the client has to take apart.
    pub const fn is_inner_batch(&self) -> bool {
        const BOTH: i32 = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
        self.fields.sys_flag & BOTH == BOTH
    }

    /// The messages of an inner batch. `body` is this message's body, decompressed if it was compressed.
    ///
    /// Each has the fields of the whole, with its own place in the queue, flag, body and properties, and without the
    /// bits that say "compressed" and "inner batch", so that it can be treated like any message. (Java leaves them
    /// set.) There are no more than `most` of them; an error follows if there were.
    pub fn inner_messages(&self, body: Bytes, most: usize) -> InnerMessages {
        InnerMessages { whole: self.clone(), records: BatchRecords::new(body), seen: 0, most }
    }
}

/// Iterator over the messages of an inner batch.
#[derive(Clone, Debug)]
pub struct InnerMessages {
    whole: StoredMessage,
    records: BatchRecords,
    /// How many records came before.
    seen: i64,
    /// How many there may be.
    most: usize,
}

impl Iterator for InnerMessages {
    type Item = Result<StoredMessage, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        const SPENT: i32 =
            sys_flag::COMPRESSED | sys_flag::COMPRESSION_MASK | sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
        let queue_offset = self.whole.fields.queue_offset.wrapping_add(self.seen);
        let record = self.records.next()?;
        if usize::try_from(self.seen).is_ok_and(|seen| seen >= self.most) {
            self.records = BatchRecords::new(Bytes::new());
            let fault = MessageFault::Crowd { most: self.most };
            return Some(Err(MessageError { at: 0, queue_offset: Some(queue_offset), fault }));
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                self.seen += 1;
                return Some(Err(MessageError { queue_offset: Some(queue_offset), ..error }));
            }
        };
        self.seen += 1;
        let fields = StoredFields {
            queue_offset,
            flag: record.flag,
            sys_flag: self.whole.fields.sys_flag & !SPENT,
            ..self.whole.fields
        };
        let (bytes, body, properties) = record.into_parts();
        Some(Ok(self.whole.of_inner_batch(fields, bytes, body, properties)))
    }
}
