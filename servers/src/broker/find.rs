//! What a queue has from an offset on (`DefaultMessageStore.getMessage`; everything is in memory).

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;

use super::super::config::BrokerConfig;
use super::log::{Log, Record};
use super::pull::Pull;
use super::queue::Queue;

/// How far one pull looks for messages that match, in bytes of Apache's consume queue (`maxFilterMessageSize`).
const MAX_FILTERED: i64 = 16_000;
/// What an entry of that queue takes, in bytes (`ConsumeQueue.CQ_STORE_UNIT_SIZE`).
const ENTRY: i64 = 20;

/// What one pull brings at most from a broker of smartgo's, in bytes of stored messages
/// (`MaxTransferBytesOnMessageInMemory`).
const SMARTGO_BYTES: usize = 25 * 1024;

/// How a look at a queue ends (`GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Found,
    NoMatchedMessage,
    NoMessageInQueue,
    OffsetTooSmall,
    OffsetOverflowOne,
    OffsetOverflowBadly,
    OffsetReset,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetReset => "OFFSET_RESET",
        }
    }

    /// `PullMessageProcessor.composeResponseHeader`.
    pub(super) const fn code(self, offset: i64) -> ResponseCode {
        match self {
            Self::Found => ResponseCode::SUCCESS,
            Self::NoMatchedMessage => ResponseCode::PULL_RETRY_IMMEDIATELY,
            Self::NoMessageInQueue if offset == 0 => ResponseCode::PULL_NOT_FOUND,
            Self::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
            Self::NoMessageInQueue | Self::OffsetTooSmall | Self::OffsetOverflowBadly | Self::OffsetReset => {
                ResponseCode::PULL_OFFSET_MOVED
            }
        }
    }
}

/// What was found.
pub(super) struct Findings<'l> {
    pub(super) status: Status,
    pub(super) next_begin_offset: i64,
    pub(super) min_offset: i64,
    pub(super) max_offset: i64,
    pub(super) records: Vec<&'l Record>,
    /// Of the records.
    pub(super) bytes: usize,
}

impl Findings<'_> {
    fn nothing((min_offset, max_offset): (i64, i64), status: Status, next_begin_offset: i64) -> Self {
        Self { status, next_begin_offset, min_offset, max_offset, records: Vec::new(), bytes: 0 }
    }

    /// Somebody has set the group's offset, and the consumer has to go on from there.
    pub(super) fn reset(queue: Option<&Queue>, offset: i64) -> Self {
        Self::nothing(bounds(queue, None), Status::OffsetReset, offset)
    }
}

/// Where a queue begins and ends, or ended before its last messages were in it.
fn bounds(queue: Option<&Queue>, end: Option<i64>) -> (i64, i64) {
    queue.map_or((0, 0), |queue| (queue.min_offset(), end.unwrap_or_else(|| queue.max_offset())))
}

/// How much one pull brings at most, in messages and bytes.
fn most(pull: &Pull, config: &BrokerConfig, dialect: Dialect) -> (usize, usize) {
    let asked = u32::try_from(pull.max_messages).unwrap_or_default();
    match dialect {
        Dialect::Apache => (asked.min(config.max_pull_messages) as usize, config.max_pull_bytes),
        // `isTheBatchFull` counts the next message too, once there is one.
        Dialect::Smartgo => {
            let messages = asked.saturating_sub(1).clamp(1, config.max_pull_messages);
            (messages as usize, config.max_pull_bytes.min(SMARTGO_BYTES))
        }
    }
}

/// Looks at a queue from the pull's offset on, up to `end` if there is one.
pub(super) fn find<'l>(
    (queue, end): (Option<&Queue>, Option<i64>),
    log: &'l Log,
    pull: &Pull,
    config: &BrokerConfig,
    dialect: Dialect,
) -> Findings<'l> {
    let (min_offset, max_offset) = bounds(queue, end);
    let nothing = |status, next_begin_offset| Findings::nothing((min_offset, max_offset), status, next_begin_offset);
    let Some(queue) = queue.filter(|_| max_offset > 0) else {
        return nothing(Status::NoMessageInQueue, 0);
    };
    match pull.offset {
        offset if offset < min_offset => return nothing(Status::OffsetTooSmall, min_offset),
        offset if offset == max_offset => return nothing(Status::OffsetOverflowOne, offset),
        // Smartgo's begins anew with a queue that has lost nothing yet, as Java's did once.
        offset if offset > max_offset && min_offset == 0 && dialect == Dialect::Smartgo => {
            return nothing(Status::OffsetOverflowBadly, 0);
        }
        offset if offset > max_offset => return nothing(Status::OffsetOverflowBadly, max_offset),
        _ => {}
    }
    let mut findings = nothing(Status::NoMatchedMessage, pull.offset);
    let most_filtered = MAX_FILTERED.max(i64::from(pull.max_messages) * ENTRY);
    let (most_messages, most_bytes) = most(pull, config, dialect);
    for (offset, entry) in queue.from(pull.offset) {
        let Some(record) = log.get(entry.record) else {
            break;
        };
        let is_full = !findings.records.is_empty()
            && (findings.records.len() >= most_messages || findings.bytes + record.bytes.len() > most_bytes);
        if is_full || (offset - pull.offset) * ENTRY >= most_filtered {
            break;
        }
        findings.next_begin_offset = offset + 1;
        if pull.filter.matches(entry, log) {
            findings.status = Status::Found;
            findings.bytes += record.bytes.len();
            findings.records.push(record);
        }
    }
    findings
}
