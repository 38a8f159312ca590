//! Where a queue begins and ends, and what was stored when (`AdminBrokerProcessor`).

use std::cmp::Ordering;

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{
    EarliestStoreTimeAnswer, GetEarliestStoreTime, GetMaxOffset, GetMinOffset, OffsetAnswer, SearchOffset,
};

use super::super::refusal::Refusal;
use super::super::reply::Reply;
use super::Broker;
use super::queue::{Entry, Queue};

impl Broker {
    /// A queue that has been written to.
    pub(super) fn queue(&self, topic: &str, queue_id: i32) -> Option<&Queue> {
        self.topics.by_name(topic)?.queue(u32::try_from(queue_id).ok()?)
    }

    pub(super) fn max_offset(&self, request: &Command) -> Result<OffsetAnswer, Refusal> {
        let header: GetMaxOffset<'_> = request.header()?;
        // Of a topic that was deleted, smartgo's brokers tell where its queue still ends.
        let queue_id = u32::try_from(header.queue_id).ok();
        let queue = self.topics.by_name_or_deleted(&header.topic).zip(queue_id).and_then(|(topic, id)| topic.queue(id));
        Ok(OffsetAnswer { offset: queue.map_or(0, Queue::max_offset) })
    }

    pub(super) fn min_offset(&self, request: &Command, reply: Reply<'_>) {
        match request.header::<GetMinOffset<'_>>() {
            Ok(header) => {
                let offset = self.queue(&header.topic, header.queue_id).map_or(0, Queue::min_offset);
                // The only answer with an empty remark: it goes the way of `RpcClientUtils`.
                reply.send(ResponseCode::SUCCESS, Some(""), &OffsetAnswer { offset }, &[]);
            }
            // Whatever is thrown is answered there, with its words: those of a missing topic are none.
            Err(error) if error.name() == "topic" && self.dialect == Dialect::Apache => {
                reply.refuse(&Refusal::new(ResponseCode::SYSTEM_ERROR, ""));
            }
            Err(error) => reply.refuse(&error.into()),
        }
    }

    /// `ConsumeQueue.getOffsetInQueueByTime`: the first message stored at this time or, by the upper boundary, the last
    /// one; when there is none, the first after it or the last before it.
    pub(super) fn search_offset(&self, request: &Command) -> Result<OffsetAnswer, Refusal> {
        let header: SearchOffset<'_> = request.header()?;
        let Some(queue) = self.queue(&header.topic, header.queue_id) else {
            return Ok(OffsetAnswer { offset: 0 });
        };
        // `BoundaryType.getType`: whatever is not the upper one is the lower one.
        let is_upper = header.boundary_type.is_some_and(|boundary| boundary.eq_ignore_ascii_case("upper"));
        if !is_upper {
            return Ok(OffsetAnswer { offset: self.offset_at(queue, header.timestamp) });
        }
        let after = queue.partition_point(|entry| self.store_time(entry) <= header.timestamp);
        Ok(OffsetAnswer { offset: (after - 1).max(queue.min_offset()) })
    }

    /// The first message stored at this time or later, or where the next one will be.
    pub(super) fn first_offset_since(&self, queue: &Queue, timestamp: i64) -> i64 {
        queue.partition_point(|entry| self.store_time(entry) < timestamp).max(queue.min_offset())
    }

    /// Where a queue is at a time. Apache's names the first message stored at the time or later, or where the next one will
    /// be; smartgo's the message that was stored nearest to it, the earlier of two, or any of those stored just then.
    pub(super) fn offset_at(&self, queue: &Queue, timestamp: i64) -> i64 {
        match self.dialect {
            Dialect::Apache => self.first_offset_since(queue, timestamp),
            Dialect::Smartgo => self.nearest_offset(queue, timestamp),
        }
    }

    /// `consume_queue.go`, `getOffsetInQueueByTime`.
    fn nearest_offset(&self, queue: &Queue, timestamp: i64) -> i64 {
        let (mut low, mut high) = (queue.min_offset(), queue.max_offset() - 1);
        let (mut before, mut after) = (None, None);
        while low <= high {
            let middle = low.midpoint(high);
            let time = queue.get(middle).map_or(0, |entry| self.store_time(entry));
            match time.cmp(&timestamp) {
                Ordering::Equal => return middle,
                Ordering::Greater => (high, after) = (middle - 1, Some((middle, time.saturating_sub(timestamp)))),
                Ordering::Less => (low, before) = (middle + 1, Some((middle, timestamp.saturating_sub(time)))),
            }
        }
        match (before, after) {
            (Some((_, before)), Some((offset, after))) if before > after => offset,
            (Some((offset, _)), _) | (None, Some((offset, _))) => offset,
            (None, None) => 0,
        }
    }

    fn store_time(&self, entry: Entry) -> i64 {
        self.log.get(entry.record).map_or(0, |record| record.store_timestamp as i64)
    }

    pub(super) fn earliest_store_time(&self, request: &Command) -> Result<EarliestStoreTimeAnswer, Refusal> {
        let header: GetEarliestStoreTime<'_> = request.header()?;
        let first = self.queue(&header.topic, header.queue_id).and_then(|queue| queue.get(queue.min_offset()));
        let record = first.and_then(|entry| self.log.get(entry.record));
        Ok(EarliestStoreTimeAnswer { timestamp: record.map_or(-1, |record| record.store_timestamp as i64) })
    }
}
