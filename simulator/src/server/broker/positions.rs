//! Where a queue begins and ends, and what was stored when (`AdminBrokerProcessor`).

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::request::{
    EarliestStoreTimeAnswer, GetEarliestStoreTime, GetMaxOffset, GetMinOffset, OffsetAnswer, SearchOffset, ViewMessage,
};

use super::super::reply::{Refusal, Reply};
use super::Broker;
use super::queue::{Entry, Queue};

impl Broker {
    /// A queue that has been written to.
    pub(super) fn queue(&self, topic: &str, queue_id: i32) -> Option<&Queue> {
        self.topics.by_name(topic)?.queue(u32::try_from(queue_id).ok()?)
    }

    pub(super) fn max_offset(&self, request: &Command) -> Result<OffsetAnswer, Refusal> {
        let header: GetMaxOffset<'_> = request.header()?;
        let queue = self.queue(&header.topic, header.queue_id);
        Ok(OffsetAnswer { offset: queue.map_or(0, Queue::max_offset) })
    }

    pub(super) fn min_offset(&self, request: &Command, reply: Reply<'_>) {
        match request.header::<GetMinOffset<'_>>() {
            Ok(header) => {
                let offset = self.queue(&header.topic, header.queue_id).map_or(0, Queue::min_offset);
                // The only answer with an empty remark: it goes the way of `RpcClientUtils`.
                reply.send(ResponseCode::SUCCESS, Some(""), &OffsetAnswer { offset }, &[]);
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
        let time = |entry: Entry| self.log.get(entry.record).map_or(0, |record| record.store_timestamp as i64);
        // `BoundaryType.getType`: whatever is not the upper one is the lower one.
        let is_upper = header.boundary_type.is_some_and(|boundary| boundary.eq_ignore_ascii_case("upper"));
        let offset = if is_upper {
            queue.partition_point(|entry| time(entry) <= header.timestamp) - 1
        } else {
            queue.partition_point(|entry| time(entry) < header.timestamp)
        };
        Ok(OffsetAnswer { offset: offset.max(queue.min_offset()) })
    }

    pub(super) fn earliest_store_time(&self, request: &Command) -> Result<EarliestStoreTimeAnswer, Refusal> {
        let header: GetEarliestStoreTime<'_> = request.header()?;
        let first = self.queue(&header.topic, header.queue_id).and_then(|queue| queue.get(queue.min_offset()));
        let record = first.and_then(|entry| self.log.get(entry.record));
        Ok(EarliestStoreTimeAnswer { timestamp: record.map_or(-1, |record| record.store_timestamp as i64) })
    }

    pub(super) fn view_message(&self, request: &Command, reply: Reply<'_>) {
        let offset = match request.header::<ViewMessage<'_>>() {
            Ok(header) => header.offset,
            Err(error) => return reply.refuse(&error.into()),
        };
        match u64::try_from(offset).ok().and_then(|offset| self.log.at(offset)) {
            Some(record) => reply.messages(None, &NoFields, record.bytes.len(), [&record.bytes].into_iter()),
            None => {
                let remark = format!("can not find message by the offset, {offset}");
                reply.refuse(&Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
            }
        }
    }
}
