//! Pulling: who may, what is found from an offset on, and what is answered (`PullMessageProcessor`,
//! `DefaultMessageStore.getMessage`).

use std::collections::BTreeSet;

use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::body::{ExpressionType, SubscriptionData};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::fields::{FieldError, FieldWriter, Fields, Header};
use stgclient_core::wire::request::{
    PULL_FLAG_COMMIT_OFFSET, PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage, PullMessageAnswer,
};

use super::super::config::BrokerConfig;
use super::super::output::Outputs;
use super::super::reply::{FAQ, Refusal, Reply};
use super::log::{Log, Record};
use super::queue::Queue;
use super::{Broker, Session};
use crate::table::Key;

/// How far one pull looks for messages that match, in bytes of Apache's consume queue (`maxFilterMessageSize`).
const MAX_FILTERED: i64 = 16_000;
/// What an entry of that queue takes, in bytes (`ConsumeQueue.CQ_STORE_UNIT_SIZE`).
const ENTRY: i64 = 20;

/// What a pull is after.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) topic: Key,
    pub(super) queue_id: u32,
    pub(super) offset: i64,
    max_messages: i32,
    filter: Filter,
}

impl Pull {
    /// Whether a message of this tag is wanted, as far as a broker can tell.
    pub(super) fn wants(&self, tags_code: i32) -> bool {
        self.filter.matches(tags_code)
    }
}

/// Which messages match. A broker compares hashes; the client looks at the tags themselves.
#[derive(Debug)]
enum Filter {
    Everything,
    Tags(BTreeSet<i32>),
}

impl Filter {
    /// `ExpressionMessageFilter.isMatchedByConsumeQueue`.
    fn of(subscription: &SubscriptionData) -> Self {
        if subscription.sub_string == "*" { Self::Everything } else { Self::Tags(subscription.code_set.clone()) }
    }

    fn matches(&self, tags_code: i32) -> bool {
        match self {
            Self::Everything => true,
            Self::Tags(codes) => codes.contains(&tags_code),
        }
    }
}

/// How a look at a queue ends (`GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Found,
    NoMatchedMessage,
    NoMessageInQueue,
    OffsetTooSmall,
    OffsetOverflowOne,
    OffsetOverflowBadly,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
        }
    }

    /// `PullMessageProcessor.composeResponseHeader`.
    const fn code(self, offset: i64) -> ResponseCode {
        match self {
            Self::Found => ResponseCode::SUCCESS,
            Self::NoMatchedMessage => ResponseCode::PULL_RETRY_IMMEDIATELY,
            Self::NoMessageInQueue if offset == 0 => ResponseCode::PULL_NOT_FOUND,
            Self::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
            Self::NoMessageInQueue | Self::OffsetTooSmall | Self::OffsetOverflowBadly => {
                ResponseCode::PULL_OFFSET_MOVED
            }
        }
    }
}

/// What was found.
struct Findings<'l> {
    status: Status,
    next_begin_offset: i64,
    min_offset: i64,
    max_offset: i64,
    records: Vec<&'l Record>,
    bytes: usize,
}

/// The header of a pull's answer, with the two fields that clients do not read but every answer has.
struct Answer {
    answer: PullMessageAnswer,
    topic_sys_flag: i32,
}

impl<'h> Header<'h> for Answer {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.answer.write(writer);
        writer.integer("topicSysFlag", i64::from(self.topic_sys_flag));
        writer.integer("groupSysFlag", 0);
    }

    fn read(fields: &'h Fields) -> Result<Self, FieldError> {
        Ok(Self { answer: PullMessageAnswer::read(fields)?, topic_sys_flag: 0 })
    }
}

impl Broker {
    pub(super) fn pull(&mut self, now: Now, session: Session, request: &Command, reply: Reply<'_>) {
        match self.prepare_pull(now, session, request) {
            Ok((pull, patience)) => self.answer_pull(pull, patience.map(|patience| (now, patience)), reply),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    /// Answers one of the pulls that wait no longer. Says whether there was one.
    pub(in super::super) fn answer_woken(&mut self, out: &mut Outputs) -> bool {
        let Some(held) = self.holds.pop_woken() else {
            return false;
        };
        let reply = Reply::new(held.exchange, out, self.config.limits.delayed_answers);
        self.answer_pull(held.pull, None, reply);
        true
    }

    /// A message has come to the end of a queue, and the last one before it was at `max_offset - 1`.
    pub(super) fn wake_pulls(&mut self, topic: Key, queue_id: u32, max_offset: i64) {
        if self.holds.is_empty() {
            return;
        }
        if let Some(queue) = self.topics.get(topic).and_then(|topic| topic.queue(queue_id)) {
            self.holds.wake_queue(topic, queue_id, |pull| {
                queue.from(max_offset).any(|(_, entry)| pull.wants(entry.tags_code))
            });
        }
    }

    /// Wakes the pulls whose time is up or whose queue has grown.
    pub(super) fn check_holds(&mut self, now: Instant) {
        let topics = &self.topics;
        self.holds.handle_timeout(now, |pull| {
            let queue = topics.get(pull.topic).and_then(|topic| topic.queue(pull.queue_id));
            queue.is_some_and(|queue| queue.max_offset() > pull.offset)
        });
    }

    /// The checks, what the request is after, and how long it would wait for it.
    fn prepare_pull(
        &mut self,
        now: Now,
        session: Session,
        request: &Command,
    ) -> Result<(Pull, Option<Duration>), Refusal> {
        use ResponseCode as Code;
        let header: PullMessage<'_> = request.header()?;
        let (group, topic_name) = (&*header.consumer_group, &*header.topic);
        if !self.config.permission.is_readable() {
            let remark = format!("the broker[{}] pulling message is forbidden", self.config.host());
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        let settings = self.group_settings.find_or_create(now, group)?.ok_or_else(|| {
            let remark = format!("subscription group [{group}] does not exist, {FAQ}");
            Refusal::new(Code::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        })?;
        if !settings.consume_enable {
            return Err(Refusal::new(Code::NO_PERMISSION, format!("subscription group no permission, {group}")));
        }
        let may_broadcast = settings.consume_broadcast_enable;
        let found = self.topics.find(topic_name).and_then(|key| Some((key, self.topics.get(key)?)));
        let (key, topic) = found.ok_or_else(|| Refusal::topic_missing(topic_name))?;
        if !topic.config.permission.is_readable() {
            let remark = format!("the topic[{topic_name}] pulling message is forbidden");
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        let read_queue_nums = topic.config.read_queue_nums;
        let queue_id = u32::try_from(header.queue_id).ok().filter(|queue_id| *queue_id < read_queue_nums);
        let queue_id = queue_id.ok_or_else(|| {
            let remark = format!(
                "queueId[{}] is illegal, topic:[{topic_name}] topicConfig.readQueueNums:[{read_queue_nums}] \
                 consumer:[{}]",
                header.queue_id, session.address
            );
            Refusal::new(Code::INVALID_PARAMETER, remark)
        })?;
        let filter = self.filter(&header, may_broadcast)?;
        if header.sys_flag & PULL_FLAG_COMMIT_OFFSET != 0 {
            // Apache's broker looks at the queue first; the answer is the same.
            self.offsets.commit(group, topic_name, header.queue_id, header.commit_offset)?;
        }
        let patience = (header.sys_flag & PULL_FLAG_SUSPEND != 0)
            .then(|| Duration::from_millis(u64::try_from(header.suspend_timeout_millis).unwrap_or_default()));
        let (offset, max_messages) = (header.queue_offset, header.max_msg_nums);
        Ok((Pull { topic: key, queue_id, offset, max_messages, filter }, patience))
    }

    /// The filter that the request brings, or the one that the group's last heartbeat did.
    fn filter(&self, header: &PullMessage<'_>, may_broadcast: bool) -> Result<Filter, Refusal> {
        use ResponseCode as Code;
        if header.sys_flag & PULL_FLAG_SUBSCRIPTION != 0 {
            let expression = header.subscription.as_deref().unwrap_or_default();
            return match header.expression_type.as_deref() {
                None | Some("" | "TAG") => match SubscriptionData::by_tags(&header.topic, expression) {
                    Ok(subscription) => Ok(Filter::of(&subscription)),
                    Err(_) => {
                        Err(Refusal::new(Code::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed"))
                    }
                },
                Some(other) => Err(no_filter(other)),
            };
        }
        let group = self.groups.consumers(&header.consumer_group).ok_or_else(|| {
            Refusal::new(Code::SUBSCRIPTION_NOT_EXIST, format!("the consumer's group info not exist{FAQ}"))
        })?;
        if !may_broadcast && !group.shares_messages() {
            let remark = format!("the consumer group[{}] can not consume by broadcast way", header.consumer_group);
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        let subscription = group.subscription(&header.topic).ok_or_else(|| {
            Refusal::new(Code::SUBSCRIPTION_NOT_EXIST, format!("the consumer's subscription not exist{FAQ}"))
        })?;
        if subscription.sub_version < header.sub_version {
            return Err(Refusal::new(Code::SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest"));
        }
        match subscription.expression_type {
            ExpressionType::Tag => Ok(Filter::of(subscription)),
            other => Err(no_filter(other.name())),
        }
    }

    /// Answers with what the queue has, or lets the pull wait when `patience` says since when and how long it may.
    fn answer_pull(&mut self, pull: Pull, patience: Option<(Now, Duration)>, reply: Reply<'_>) {
        let Some(topic) = self.topics.get(pull.topic) else {
            return reply.refuse(&Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("the topic is gone{FAQ}")));
        };
        let findings = match topic.queue(pull.queue_id) {
            Some(queue) => find(queue, &self.log, &pull, &self.config),
            None => find(&Queue::default(), &self.log, &pull, &self.config),
        };
        let code = findings.status.code(pull.offset);
        if let Some((now, patience)) =
            patience.filter(|_| code == ResponseCode::PULL_NOT_FOUND && self.holds.has_room())
        {
            return self.holds.add(now.mono, pull, reply.into_exchange(), patience);
        }
        let answer = Answer {
            answer: PullMessageAnswer {
                suggest_which_broker_id: Some(0),
                next_begin_offset: findings.next_begin_offset,
                min_offset: findings.min_offset,
                max_offset: findings.max_offset,
                offset_delta: None,
            },
            topic_sys_flag: topic.config.sys_flag,
        };
        let remark = Some(findings.status.name());
        if findings.status != Status::Found {
            return reply.send(code, remark, &answer, &[]);
        }
        self.counters.count_get(findings.records.len(), findings.bytes);
        let messages = findings.records.iter().map(|record| &record.bytes);
        reply.messages(remark, &answer, findings.bytes, messages);
    }
}

/// SQL and whatever else there may be needs `enablePropertyFilter`, which is off by default.
pub(super) fn no_filter(expression_type: &str) -> Refusal {
    let remark = format!("The broker does not support consumer to filter message by {expression_type}");
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

/// Looks at a queue from the pull's offset on (`DefaultMessageStore.getMessage`; everything is in memory).
fn find<'l>(queue: &Queue, log: &'l Log, pull: &Pull, config: &BrokerConfig) -> Findings<'l> {
    let (min_offset, max_offset) = (queue.min_offset(), queue.max_offset());
    let nothing = |status, next_begin_offset| Findings {
        status,
        next_begin_offset,
        min_offset,
        max_offset,
        records: Vec::new(),
        bytes: 0,
    };
    match pull.offset {
        _ if max_offset == 0 => return nothing(Status::NoMessageInQueue, 0),
        offset if offset < min_offset => return nothing(Status::OffsetTooSmall, min_offset),
        offset if offset == max_offset => return nothing(Status::OffsetOverflowOne, offset),
        offset if offset > max_offset => return nothing(Status::OffsetOverflowBadly, max_offset),
        _ => {}
    }
    let mut findings = nothing(Status::NoMatchedMessage, pull.offset);
    let most_filtered = MAX_FILTERED.max(i64::from(pull.max_messages) * ENTRY);
    let most_messages = u32::try_from(pull.max_messages).unwrap_or_default().min(config.max_pull_messages) as usize;
    for (offset, entry) in queue.from(pull.offset) {
        let Some(record) = log.get(entry.record) else {
            break;
        };
        let is_full = !findings.records.is_empty()
            && (findings.records.len() >= most_messages || findings.bytes + record.bytes.len() > config.max_pull_bytes);
        if is_full || (offset - pull.offset) * ENTRY >= most_filtered {
            break;
        }
        findings.next_begin_offset = offset + 1;
        if pull.wants(entry.tags_code) {
            findings.status = Status::Found;
            findings.bytes += record.bytes.len();
            findings.records.push(record);
        }
    }
    findings
}
