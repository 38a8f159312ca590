//! Finding messages by their ids and keys (`QueryMessageProcessor`, `DefaultMessageStore.queryMessage`).

use bytes::Bytes;
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::request::{QueryMessage, QueryMessageAnswer, ViewMessage};

use super::super::nullable::Nullable;
use super::super::refusal::Refusal;
use super::super::reply::Reply;
use super::Broker;
use super::index::Term;

/// How many messages one query brings at the most (`maxMsgsNumBatch`).
const MOST: usize = 64;
/// How long they may be together, in bytes, unless the first alone is longer.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How many a query by a unique id brings at the most (`defaultQueryMaxNum`).
const MOST_OF_ONE_ID: usize = 32;

impl Broker {
    pub(super) fn view_message(&self, request: &Command, reply: Reply<'_>) {
        let offset = match request.header::<ViewMessage<'_>>() {
            Ok(header) => header.offset,
            Err(error) => return reply.refuse(&error.into()),
        };
        match u64::try_from(offset).ok().and_then(|offset| self.log.at(offset)) {
            Some(record) => {
                let messages = [&record.bytes].into_iter();
                reply.messages(None, &NoFields, record.bytes.len(), messages);
            }
            None => {
                reply.refuse(&match self.dialect {
                    Dialect::Apache => {
                        let remark = format!("can not find message by the offset, {offset}");
                        Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
                    }
                    Dialect::Smartgo => {
                        let remark = format!("can not find message by the offset:{offset}");
                        Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
                    }
                });
            }
        }
    }

    /// The newest messages that have a key and were stored at the time, oldest first.
    pub(super) fn query_message(&self, request: &Command, reply: Reply<'_>) {
        let header = match query_header(request) {
            Ok(header) => header,
            Err(refusal) => return reply.refuse(&refusal),
        };
        if header.max_num < 0 && header.is_unique_key != Some(true) && self.dialect == Dialect::Apache {
            let remark = format!("IllegalArgumentException: {} messages at the most", header.max_num);
            return reply.refuse(&Refusal::thrown(remark));
        }
        let most = match header.is_unique_key {
            Some(true) => MOST_OF_ONE_ID,
            _ => usize::try_from(header.max_num).unwrap_or_default().min(MOST),
        };
        let term = match header.index_type.as_deref() {
            Some("T") if header.is_unique_key != Some(true) => Term::Tag(&header.key),
            _ => Term::Key(&header.key),
        };
        let times = header.begin_timestamp..=header.end_timestamp;
        let records = self.index.find(&header.topic, term).filter_map(|record| self.log.get(record));
        let matching = records.filter(|record| {
            times.contains(&(record.store_timestamp as i64))
                && self
                    .log
                    .decode(record)
                    .is_ok_and(|message| message.topic() == header.topic && term.is_in(message.properties()))
        });
        // Smartgo's looks for what it reads of its own answer, which is nothing.
        let most = if self.dialect == Dialect::Smartgo { 0 } else { most };
        // As many as clients can read in one answer.
        let mut length = 0;
        let fits = |message: &&Bytes| {
            length += message.len();
            length <= MOST_BYTES || length == message.len()
        };
        let mut messages: Vec<&Bytes> = matching.take(most).map(|record| &record.bytes).take_while(fits).collect();
        messages.reverse();
        if messages.is_empty() {
            let answer = QueryMessageAnswer { index_last_update_timestamp: 0, index_last_update_phyoffset: 0 };
            let remark = "can not find message, maybe time range not correct";
            return reply.send(ResponseCode::QUERY_NOT_FOUND, Some(remark), &answer, &[]);
        }
        let last = self.index.last().and_then(|record| self.log.get(record));
        let answer = QueryMessageAnswer {
            index_last_update_timestamp: last.map_or(0, |record| record.store_timestamp as i64),
            index_last_update_phyoffset: last.map_or(0, |record| record.physical_offset as i64),
        };
        let length = messages.iter().map(|message| message.len()).sum::<usize>();
        reply.messages(None, &answer, length, messages.into_iter());
    }
}

fn query_header(request: &Command) -> Result<QueryMessage<'_>, Refusal> {
    let fields = Nullable(request);
    let is_unique_key = fields.truth("_UNIQUE_KEY_QUERY");
    Ok(QueryMessage {
        topic: fields.shown("topic"),
        key: fields.shown("key"),
        // Not looked at where a unique id is asked for.
        max_num: if is_unique_key { 0 } else { fields.needed("maxNum")? },
        begin_timestamp: fields.needed("beginTimestamp")?,
        end_timestamp: fields.needed("endTimestamp")?,
        index_type: fields.text("indexType"),
        last_key: None,
        is_unique_key: Some(is_unique_key),
    })
}
