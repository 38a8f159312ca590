//! Pulling: who may, what is answered, and who waits (`PullMessageProcessor`, `DefaultPullMessageResultHandler`).

use std::borrow::Cow;
use std::str::FromStr;

use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, WriteHeader};
use stgclient_core::wire::request::{PULL_FLAG_COMMIT_OFFSET, PULL_FLAG_SUSPEND, PullMessage, PullMessageAnswer};

use super::super::budget::ENTRY;
use super::super::nullable::plain_header;
use super::super::output::Outputs;
use super::super::refusal::{FAQ, Forbidden, Refusal};
use super::super::reply::{MOST_DELAYED, Reply};
use super::filter::{Filter, Matched};
use super::find::{Findings, Status, find};
use super::holds::{Held, Woken};
use super::{Broker, Session};
use crate::table::Key;

/// What a pull is after.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) topic: Key,
    pub(super) queue_id: u32,
    pub(super) offset: i64,
    pub(super) max_messages: i32,
    pub(super) filter: Filter,
}

/// What is missing of a header: null where Java runs, and an exception once it is needed.
#[derive(Debug, Default)]
struct Missing {
    topic: Option<FieldError>,
    /// To tell which queue is meant.
    queue: Option<FieldError>,
    /// To tell what is wanted of it.
    filter: Option<FieldError>,
    /// To look into the queue.
    place: Option<FieldError>,
    /// To filter by anything but tags.
    version: Option<FieldError>,
}

/// How often a pull has been looked at.
#[derive(Clone, Copy, Debug)]
enum Look {
    First,
    /// It has waited; its queue ends for it at `end`, if it is looked at too soon.
    Again {
        end: Option<i64>,
    },
}

impl Look {
    const fn end(self) -> Option<i64> {
        match self {
            Self::First => None,
            Self::Again { end } => end,
        }
    }
}

/// The header of a pull's answer, with the two fields that clients do not read but every answer has.
struct Answer {
    answer: PullMessageAnswer,
    topic_sys_flag: i32,
    group_sys_flag: i32,
}

impl WriteHeader for Answer {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.answer.write(writer);
        if writer.dialect() == Dialect::Smartgo {
            return;
        }
        writer.integer("topicSysFlag", i64::from(self.topic_sys_flag));
        writer.integer("groupSysFlag", i64::from(self.group_sys_flag));
    }
}

impl Broker {
    pub(super) fn pull(&mut self, now: Now, session: Session, request: &Command, reply: Reply<'_>) {
        self.run_pull(now, session, request, Look::First, reply);
    }

    /// Answers one of the pulls that wait no longer, of those who have room. Says whether there was one.
    pub(crate) fn answer_woken(&mut self, out: &mut Outputs) -> bool {
        let Some(Woken { held: Held { since, session, request, exchange, .. }, end, .. }) =
            self.holds.pop_woken(|peer| out.has_room(peer))
        else {
            return false;
        };
        let reply = Reply::new(exchange, out, MOST_DELAYED);
        self.run_pull(since, session, &request, Look::Again { end }, reply);
        true
    }

    /// A message has come to the end of a queue, and the last one before it was at `max_offset - 1`.
    ///
    /// Smartgo's broker wakes all that wait there, whatever they want, and before its `DispatchMessageService` has put the
    /// message in the queue: they find nothing.
    pub(super) fn wake_pulls(&mut self, topic: Key, queue_id: u32, max_offset: i64) {
        if self.holds.is_empty() {
            return;
        }
        if self.dialect == Dialect::Smartgo {
            let end = (!self.config.wakes_in_time).then_some(max_offset);
            return self.holds.wake_queue(topic, queue_id, end, |held| max_offset + 1 > held.pull.offset);
        }
        let log = &self.log;
        let queue = self.topics.get(topic).and_then(|topic| topic.queue(queue_id));
        if let Some(entry) = queue.and_then(|queue| queue.get(max_offset)) {
            let mut matched = Matched::default();
            self.holds.wake_queue(topic, queue_id, None, |held| matched.matches(&held.pull.filter, entry, log));
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

    /// Answers with what the queue has or, the first time, lets the pull wait. A pull that has waited is looked at as if it
    /// had just come: its group may have changed meanwhile. Only its offset was committed already.
    fn run_pull(&mut self, now: Now, session: Session, request: &Command, look: Look, reply: Reply<'_>) {
        let (header, missing) = match self.pull_header(request) {
            Ok(header) => header,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let is_first = matches!(look, Look::First);
        let (pull, group_sys_flag) = match self.prepare_pull(now, session, &header, missing) {
            Ok(prepared) => prepared,
            Err(refusal) => return self.refuse_pull(&refusal, reply),
        };
        let (group, topic_name, queue_id) = (&*header.consumer_group, &*header.topic, header.queue_id);
        let reset = self.reset_offsets.remove(group, topic_name, queue_id);
        let topic = self.topics.get(pull.topic);
        let queue = topic.and_then(|topic| topic.queue(pull.queue_id));
        let findings = match reset.filter(|_| self.config.server_side_reset_offset) {
            Some(offset) => Findings::reset(queue, offset),
            None => find((queue, look.end()), &self.log, &pull, &self.config, self.dialect),
        };
        if matches!(pull.filter, Filter::Absent) && findings.status == Status::NoMatchedMessage {
            return reply.refuse(&Refusal::thrown("NullPointerException: a subscription without an expression"));
        }
        // How far a group has pulled is told to administrators only: that there is no room for it hurts nobody.
        let _ = self.pull_offsets.commit(group, topic_name, queue_id, findings.next_begin_offset);
        if is_first && header.sys_flag & PULL_FLAG_COMMIT_OFFSET != 0 {
            let committed = self.offsets.commit(group, topic_name, queue_id, header.commit_offset);
            if let Err(refusal) = committed {
                return reply.refuse(&refusal);
            }
        }
        let code = findings.status.code(pull.offset);
        let may_wait = is_first && header.sys_flag & PULL_FLAG_SUSPEND != 0;
        let waits = may_wait && code == ResponseCode::PULL_NOT_FOUND && self.holds.has_room();
        // With what it is after, which is charged only if it is an expression.
        let length = 4 * request.fields.encoded_length();
        let charge = waits.then(|| self.budget.charge(8 * ENTRY + length).ok()).flatten();
        if let Some(charge) = charge {
            let patience = Duration::from_millis(u64::try_from(header.suspend_timeout_millis).unwrap_or_default());
            let (exchange, request) = (reply.into_exchange(), request.detached_header());
            return self.holds.add(Held {
                pull,
                since: now,
                session,
                request,
                exchange,
                due: now.mono + patience,
                _charge: charge,
            });
        }
        let answer = Answer {
            answer: PullMessageAnswer {
                suggest_which_broker_id: Some(0),
                next_begin_offset: findings.next_begin_offset,
                min_offset: findings.min_offset,
                max_offset: findings.max_offset,
                offset_delta: None,
            },
            topic_sys_flag: topic.map_or(0, |topic| topic.config.sys_flag),
            group_sys_flag,
        };
        let remark = Some(findings.status.name());
        if findings.status != Status::Found {
            if code == ResponseCode::PULL_OFFSET_MOVED && self.dialect == Dialect::Smartgo {
                if self.is_jammed {
                    return;
                }
                self.note_moved_offset(now, &header, answer.answer.next_begin_offset);
            }
            return reply.send(code, remark, &answer, &[]);
        }
        // What administrators read leaves the broker's own topics out (`incBrokerGetNumsWithoutSystemTopic`).
        if !self.is_system_topic(topic_name) {
            self.counters.count_get(findings.records.len(), findings.bytes);
        }
        let messages = findings.records.iter().map(|record| &record.bytes);
        reply.messages(remark, &answer, findings.bytes, messages);
    }

    /// The header, and what is missing of it.
    fn pull_header<'a>(&self, request: &'a Command) -> Result<(PullMessage<'a>, Missing), Refusal> {
        if self.dialect == Dialect::Smartgo {
            return Ok((request.header()?, Missing::default()));
        }
        if let Some(header) = plain_header(request) {
            return Ok((header, Missing::default()));
        }
        let text = |name: &str| request.fields.get(name);
        fn number<N: FromStr>(text: Option<Cow<'_, str>>) -> Result<Option<N>, Refusal> {
            let read = |text: Cow<'_, str>| {
                text.parse().map_err(|_| Refusal::thrown(format!("NumberFormatException: For input string: {text:?}")))
            };
            text.map(read).transpose()
        }
        let (queue_id, sys_flag) = (number(text("queueId"))?, number(text("sysFlag"))?);
        let (queue_offset, max_msg_nums) = (number(text("queueOffset"))?, number(text("maxMsgNums"))?);
        let first = |is_there: &[(&'static str, bool)]| {
            is_there.iter().find(|(_, is_there)| !is_there).map(|(name, _)| FieldError::Missing { name })
        };
        let sub_version = number(text("subVersion"))?;
        let missing = Missing {
            topic: first(&[("topic", text("topic").is_some())]),
            version: first(&[("subVersion", sub_version.is_some())]),
            queue: first(&[("queueId", queue_id.is_some())]),
            filter: first(&[("sysFlag", sys_flag.is_some())]),
            place: first(&[("queueOffset", queue_offset.is_some()), ("maxMsgNums", max_msg_nums.is_some())]),
        };
        let header = PullMessage {
            consumer_group: text("consumerGroup").ok_or(FieldError::Missing { name: "consumerGroup" })?,
            topic: text("topic").unwrap_or_default(),
            queue_id: queue_id.unwrap_or_default(),
            queue_offset: queue_offset.unwrap_or_default(),
            max_msg_nums: max_msg_nums.unwrap_or_default(),
            sys_flag: sys_flag.unwrap_or_default(),
            commit_offset: number(text("commitOffset"))?.unwrap_or_default(),
            suspend_timeout_millis: number(text("suspendTimeoutMillis"))?.unwrap_or_default(),
            subscription: text("subscription"),
            sub_version: sub_version.unwrap_or_default(),
            expression_type: text("expressionType"),
            max_msg_bytes: number(text("maxMsgBytes"))?,
            broker_name: text("bname"),
        };
        Ok((header, missing))
    }

    fn refuse_pull(&self, refusal: &Refusal, reply: Reply<'_>) {
        match self.dialect {
            Dialect::Apache => reply.refuse(refusal),
            // The header of the answer goes out as it was made.
            Dialect::Smartgo => {
                let answer = PullMessageAnswer {
                    suggest_which_broker_id: Some(0),
                    next_begin_offset: 0,
                    min_offset: 0,
                    max_offset: 0,
                    offset_delta: None,
                };
                reply.send(refusal.code, Some(&refusal.remark), &answer, &[]);
            }
        }
    }

    /// The checks, what the request is after, and the system flag of its group.
    fn prepare_pull(
        &mut self,
        now: Now,
        session: Session,
        header: &PullMessage<'_>,
        missing: Missing,
    ) -> Result<(Pull, i32), Refusal> {
        use ResponseCode as Code;
        let (group, topic_name) = (&*header.consumer_group, &*header.topic);
        if !self.config.permission.is_readable() {
            let remark = format!("the broker[{}] pulling message is forbidden", self.config.host());
            return Err(Refusal::forbidden(Forbidden::Broker, remark));
        }
        let settings = self.group_settings.find_or_create(now, group)?.ok_or_else(|| {
            let remark = format!("subscription group [{group}] does not exist, {FAQ}");
            Refusal::new(Code::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        })?;
        if !settings.consume_enable {
            return Err(Refusal::forbidden(Forbidden::Group, format!("subscription group no permission, {group}")));
        }
        let (may_broadcast, group_sys_flag) = (settings.consume_broadcast_enable, settings.group_sys_flag);
        missing.topic.map_or(Ok(()), Err)?;
        let found = self.topics.find(topic_name).and_then(|key| Some((key, self.topics.get(key)?)));
        let (key, topic) = found.ok_or_else(|| {
            let faq = if self.dialect == Dialect::Apache { FAQ } else { "" };
            let blank = if self.dialect == Dialect::Apache { " " } else { "" };
            let remark = format!("topic[{topic_name}] not exist, apply first please!{blank}{faq}");
            Refusal::new(Code::TOPIC_NOT_EXIST, remark)
        })?;
        if !topic.config.permission.is_readable() {
            let remark = format!("the topic[{topic_name}] pulling message is forbidden");
            return Err(Refusal::forbidden(Forbidden::Topic, remark));
        }
        missing.queue.map_or(Ok(()), Err)?;
        let read_queue_nums = topic.config.read_queue_nums;
        let queue_id = u32::try_from(header.queue_id).ok().filter(|queue_id| *queue_id < read_queue_nums);
        let queue_id = queue_id.ok_or_else(|| match self.dialect {
            Dialect::Apache => {
                let remark = format!(
                    "queueId[{}] is illegal, topic:[{topic_name}] topicConfig.readQueueNums:[{read_queue_nums}] \
                     consumer:[/{}]",
                    header.queue_id, session.address
                );
                Refusal::new(Code::INVALID_PARAMETER, remark)
            }
            Dialect::Smartgo => {
                let remark = format!(
                    "queueId[{}] is illagal,Topic :{topic_name} topicConfig.readQueueNums: {read_queue_nums}",
                    header.queue_id
                );
                Refusal::new(Code::SYSTEM_ERROR, remark)
            }
        })?;
        missing.filter.map_or(Ok(()), Err)?;
        let filter = self.filter(now, header, may_broadcast, missing.version.is_none())?;
        missing.place.map_or(Ok(()), Err)?;
        let (offset, max_messages) = (header.queue_offset, header.max_msg_nums);
        Ok((Pull { topic: key, queue_id, offset, max_messages, filter }, group_sys_flag))
    }
}
