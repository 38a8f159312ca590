//! Requests about one queue, to the broker that has it: pulls and offsets.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::event::{Outcome, Value};
use super::groups::PullConsumerId;
use super::network::{Owner, PeerId};
use super::operation::{Operation, OperationId};
use super::push_consuming::PushConsumerId;
use super::session::{Session, Signal};
use super::{Client, EMPTY};
use crate::address::Address;
use crate::connection::Connection;
use crate::consumer::push::ask::SendingBack;
use crate::consumer::{MessageSelector, PullOptions, pull};
use crate::error::{Error, ErrorKind};
use crate::producer::check_group;
use crate::queue::MessageQueue;
use crate::routes::brokers::Broker;
use crate::routes::route::MASTER_ID;
use crate::routes::topics::Purpose;
use crate::time::{Duration, Instant, Now};
use crate::wire::body::{self, CheckClientConfig, ConsumerList, LockedQueues, QueueLockRequest};
use crate::wire::code::ResponseCode;
use crate::wire::command::{Command, Head};
use crate::wire::fields::Header;
use crate::wire::request::{
    CheckSubscription, GetConsumerList, GetMaxOffset, GetMinOffset, LockQueues, OffsetAnswer, QueryConsumerOffset,
    Request, SearchOffset, SendBack, UnlockQueues, UpdateConsumerOffset,
};

/// How often a request that only reads is tried when its connection fails.
const TRIES: u32 = 3;

/// How long a broker has to take a heartbeat in before an offset is committed once more for a group it does not know.
const PAUSE: Duration = Duration::from_millis(50);

/// Who pulls: it remembers which member of each broker to pull from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Puller {
    Pull(PullConsumerId),
    Push(PushConsumerId),
}

/// What is asked about a queue, or of its broker.
#[derive(Debug)]
pub(super) enum Question {
    Pull(Pull),
    MinOffset,
    MaxOffset,
    OffsetAt { unix_ms: u64 },
    GroupOffset { group: Arc<str> },
    Commit { group: Arc<str>, offset: u64 },
    Members { group: Arc<str> },
    CheckSubscription { group: Arc<str>, selector: MessageSelector },
    Lock { group: Arc<str>, queues: Vec<MessageQueue> },
    Unlock { group: Arc<str>, queues: Vec<MessageQueue> },
    SendBack { group: Arc<str>, message: SendingBack },
}

/// What is wanted of a pull.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) puller: Puller,
    pub(super) group: Arc<str>,
    pub(super) selector: MessageSelector,
    pub(super) offset: u64,
    /// What the group has finished, which goes with it; 0: nothing is said.
    pub(super) committed: u64,
    pub(super) options: PullOptions,
}

/// A request about a queue, under way.
#[derive(Debug)]
pub(crate) struct QueueRequest {
    queue: MessageQueue,
    question: Question,
    deadline: Instant,
    tries_left: u32,
    /// The how manyth try is under way: what concerns an earlier one comes too late.
    turn: u32,
    peer: Option<PeerId>,
    last_failure: Option<Error>,
}

impl Client {
    /// Pulls from a queue; completes with [`Value::Pulled`].
    pub fn pull(
        &mut self,
        now: Now,
        consumer: PullConsumerId,
        queue: MessageQueue,
        expression: MessageSelector,
        offset: u64,
        options: PullOptions,
    ) -> OperationId {
        let deadline = now.mono + options.wait + options.timeout;
        let checked = options.check();
        let group = self.session.groups.pull_consumer(consumer).map(|consumer| consumer.group.clone());
        match (group, checked) {
            (Some(group), Ok(())) => {
                let puller = Puller::Pull(consumer);
                let pull = Pull { puller, group, selector: expression, offset, committed: 0, options };
                self.ask_about(now, queue, Question::Pull(pull), deadline)
            }
            (_, Err(error)) => self.refuse(now, error),
            (None, _) => self.refuse(now, Error::new(ErrorKind::Closed, "the consumer")),
        }
    }

    /// The first offset that a queue has; completes with [`Value::Offset`].
    pub fn min_offset(&mut self, now: Now, queue: MessageQueue) -> OperationId {
        self.ask_about(now, queue, Question::MinOffset, now.mono + self.session.config.request_timeout)
    }

    /// One past the last offset that a queue has; completes with [`Value::Offset`].
    pub fn max_offset(&mut self, now: Now, queue: MessageQueue) -> OperationId {
        self.ask_about(now, queue, Question::MaxOffset, now.mono + self.session.config.request_timeout)
    }

    /// The offset of the first message stored at `unix_ms` or later; completes with [`Value::Offset`].
    pub fn offset_at(&mut self, now: Now, queue: MessageQueue, unix_ms: u64) -> OperationId {
        self.ask_about(now, queue, Question::OffsetAt { unix_ms }, now.mono + self.session.config.request_timeout)
    }

    /// A group's committed offset; completes with [`Value::Offset`], which is `None` when it has none.
    pub fn group_offset(&mut self, now: Now, group: &str, queue: MessageQueue) -> OperationId {
        let question = Question::GroupOffset { group: group.into() };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    /// Commits the offset of the next message that a group has to consume; completes with [`Value::Done`].
    pub fn commit_group_offset(&mut self, now: Now, group: &str, queue: MessageQueue, offset: u64) -> OperationId {
        if let Err(error) = check_group(group) {
            return self.refuse(now, error);
        }
        let question = Question::Commit { group: group.into(), offset };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    /// Has a broker of a topic check what a group would subscribe to: an SQL expression may be none, or not be allowed.
    /// Completes with [`Value::Done`].
    pub fn check_subscription(
        &mut self,
        now: Now,
        group: &str,
        queue: MessageQueue,
        selector: MessageSelector,
    ) -> OperationId {
        let question = Question::CheckSubscription { group: group.into(), selector };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    pub(super) fn ask_about(
        &mut self,
        now: Now,
        queue: MessageQueue,
        question: Question,
        deadline: Instant,
    ) -> OperationId {
        self.begin(now, Operation::Queue(QueueRequest::new(queue, question, deadline)))
    }
}

impl QueueRequest {
    pub(super) const fn new(queue: MessageQueue, question: Question, deadline: Instant) -> Self {
        Self { queue, question, deadline, tries_left: TRIES, turn: 0, peer: None, last_failure: None }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is a pull, which may wait for long and may be given up at any time.
    pub(super) const fn is_pull(&self) -> bool {
        matches!(self.question, Question::Pull(_))
    }

    pub(super) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        turn: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        if turn != self.turn && !matches!(signal, Signal::Elapsed) {
            return None;
        }
        match signal {
            Signal::Start => self.next_try(session, now, id),
            Signal::Routed(Ok(())) if self.address(session).is_none() => Some(Err(self.explain(not_routed()))),
            Signal::Routed(Ok(())) => self.next_try(session, now, id),
            Signal::Routed(Err(error)) => Some(Err(self.explain(error))),
            Signal::Ready => {
                self.write(session, now, id);
                None
            }
            Signal::Answer { command, .. } if self.is_premature(session, command) => {
                self.last_failure = self.judge(session, command).err().map(|error| self.at(session, error));
                self.tries_left += 1;
                session.operation_timers.set(id.key(), self.deadline.min(now.mono + PAUSE));
                None
            }
            Signal::Elapsed if now.mono < self.deadline => {
                session.operation_timers.set(id.key(), self.deadline);
                self.next_try(session, now, id)
            }
            Signal::Answer { command, .. } => {
                Some(self.judge(session, command).map_err(|error| self.at(session, error)))
            }
            Signal::Failed(error) => self.try_failed(session, now, id, error),
            Signal::Elapsed => {
                let error = self.time_is_up(session);
                Some(Err(self.explain(error)))
            }
            Signal::Written | Signal::Looked(_) => None,
        }
    }

    /// Why there was no answer in time. What an earlier try met says most.
    fn time_is_up(&mut self, session: &Session) -> Error {
        if let Some(error) = self.last_failure.take() {
            return error;
        }
        match self.peer.and_then(|peer| session.network.get(peer)) {
            None => Error::new(ErrorKind::Timeout, "the name servers gave no route"),
            Some(connection) if connection.is_connected() => {
                Error::new(ErrorKind::Timeout, "").at(connection.address())
            }
            Some(connection) => connection.unreachable(),
        }
    }

    /// Where the queue's broker listens: the member that it suggested for pulls unless that is away, else the master.
    fn address<'s>(&self, session: &'s Session) -> Option<&'s Address> {
        let broker = session.brokers.find(&self.queue.broker_name)?;
        match &self.question {
            Question::Pull(pull) => {
                let member = broker.readable(session.groups.suggested(pull.puller, &self.queue));
                let is_away = |address: &&Address| session.network.find(address).is_some_and(Connection::is_paused);
                member.filter(|address| !is_away(address)).or_else(|| broker.readable(MASTER_ID))
            }
            Question::Commit { .. } | Question::Lock { .. } | Question::Unlock { .. } | Question::SendBack { .. } => {
                broker.master()
            }
            _ => broker.readable(MASTER_ID),
        }
    }

    fn next_try(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        // A host may be late: then the time is up, which the operation hears next, and nobody would wait for an answer.
        if now.mono >= self.deadline {
            return None;
        }
        let topic = session.topic(now, &self.queue.topic);
        let Some(address) = self.address(session).cloned() else {
            session.await_route(now, topic, Purpose::Read, Owner::Operation(id, self.turn));
            return None;
        };
        self.turn += 1;
        self.tries_left -= 1;
        let peer = session.network.peer(&address);
        self.peer = Some(peer);
        let owner = Owner::Operation(id, self.turn);
        if !session.network.get(peer).is_some_and(Connection::is_connected) {
            session.network.with(peer, |connection| connection.wait(now.mono, owner));
        } else {
            self.write(session, now, id);
        }
        None
    }

    fn try_failed(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        let topic = session.topic(now, &self.queue.topic);
        session.ask_route(now, topic);
        if self.tries_left == 0 || error.kind() == ErrorKind::Timeout {
            return Some(Err(self.explain(error)));
        }
        self.last_failure = Some(error);
        self.next_try(session, now, id)
    }

    fn write(&self, session: &mut Session, now: Now, id: OperationId) {
        // A broker that has not taken our heartbeat in would list the members without us.
        if let (Question::Members { .. }, Some(peer)) = (&self.question, self.peer)
            && !session.is_greeted(peer)
        {
            return session.await_greeting(now, peer, Owner::Operation(id, self.turn));
        }
        let queue = &self.queue;
        let topic = || Cow::Borrowed(&*queue.topic);
        let broker_name = || Some(Cow::Borrowed(&*queue.broker_name));
        let queue_id = queue.queue_id as i32;
        let offset_of = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
        match &self.question {
            Question::Pull(Pull { group, selector, offset, committed, options, .. }) => {
                // Only masters keep offsets.
                let committed = if self.is_at_master(session) { *committed } else { 0 };
                let header = pull::request(group, queue, selector, *offset, committed, options);
                self.request(session, now, id, &header);
            }
            Question::MinOffset => {
                let header = GetMinOffset { topic: topic(), queue_id, broker_name: broker_name() };
                self.request(session, now, id, &header);
            }
            Question::MaxOffset => {
                let header = GetMaxOffset { topic: topic(), queue_id, broker_name: broker_name() };
                self.request(session, now, id, &header);
            }
            Question::OffsetAt { unix_ms } => {
                let header = SearchOffset {
                    topic: topic(),
                    queue_id,
                    timestamp: offset_of(*unix_ms),
                    boundary_type: None,
                    broker_name: broker_name(),
                };
                self.request(session, now, id, &header);
            }
            Question::GroupOffset { group } => {
                let header = QueryConsumerOffset {
                    consumer_group: Cow::Borrowed(group),
                    topic: topic(),
                    queue_id,
                    set_zero_if_not_found: Some(false),
                    broker_name: broker_name(),
                };
                self.request(session, now, id, &header);
            }
            Question::Commit { group, offset } => {
                let header = UpdateConsumerOffset {
                    consumer_group: Cow::Borrowed(group),
                    topic: topic(),
                    queue_id,
                    commit_offset: offset_of(*offset),
                    broker_name: broker_name(),
                };
                self.request(session, now, id, &header);
            }
            Question::Members { group } => {
                self.request(session, now, id, &GetConsumerList { consumer_group: Cow::Borrowed(group) });
            }
            Question::CheckSubscription { group, selector } => {
                let body = CheckClientConfig {
                    client_id: session.config.identity.client_id(),
                    group: group.to_string(),
                    namespace: String::new(),
                    subscription_data: selector.subscription(&queue.topic, now.unix_ms),
                };
                self.request_with(session, now, id, &CheckSubscription {}, &to_body(&body));
            }
            Question::Lock { group, queues } => {
                let body = lock_request(session, group, queues);
                self.request_with(session, now, id, &LockQueues {}, &body);
            }
            Question::Unlock { group, queues } => {
                let body = lock_request(session, group, queues);
                self.request_with(session, now, id, &UnlockQueues {}, &body);
            }
            Question::SendBack { group, message } => {
                let header = SendBack {
                    offset: message.physical_offset,
                    group: Cow::Borrowed(group),
                    delay_level: message.delay_level,
                    origin_msg_id: Some(Cow::Borrowed(&message.message_id)),
                    origin_topic: Some(topic()),
                    unit_mode: Some(false),
                    max_reconsume_times: Some(message.max_reconsume_times),
                    broker_name: broker_name(),
                };
                self.request(session, now, id, &header);
            }
        }
    }

    fn is_at_master(&self, session: &Session) -> bool {
        let master = session.brokers.find(&self.queue.broker_name).and_then(Broker::master);
        let peer = self.peer.and_then(|peer| session.network.get(peer)).map(Connection::address);
        master.is_some() && master == peer
    }

    fn request<'h, R: Request<'h> + Header<'h>>(&self, session: &mut Session, now: Now, id: OperationId, header: &R) {
        self.request_with(session, now, id, header, &EMPTY);
    }

    fn request_with<'h, R: Request<'h> + Header<'h>>(
        &self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        header: &R,
        body: &Bytes,
    ) {
        let Some(peer) = self.peer else {
            return;
        };
        let head = Head::request(session.config.dialect(), R::CODE, session.network.next_opaque());
        let owner = Owner::Operation(id, self.turn);
        let deadline = self.deadline;
        session.network.with(peer, |connection| connection.request(now.mono, &head, header, body, deadline, owner));
    }

    /// Whether the broker has not yet heard of our group: it takes heartbeats and other requests in side by side.
    fn is_premature(&self, session: &Session, answer: &Command) -> bool {
        let is_ours = |group: &str| session.groups.consumer_groups().contains(group);
        ResponseCode(answer.code) == ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST
            && matches!(&self.question, Question::Commit { group, .. } | Question::SendBack { group, .. } if is_ours(group))
    }

    fn judge(&self, session: &mut Session, answer: &Command) -> Outcome {
        let refused = || Error::refused(ResponseCode(answer.code), answer.remark.as_deref());
        let code = ResponseCode(answer.code);
        let outcome = match &self.question {
            Question::Pull(pull) => pull::judge(&self.queue, &pull.selector, answer).map(|pulled| {
                session.groups.note_suggestion(pull.puller, &self.queue, pulled.suggested_broker_id);
                Value::Pulled(pulled)
            }),
            Question::GroupOffset { .. } if code == ResponseCode::QUERY_NOT_FOUND => Ok(Value::Offset(None)),
            _ if code != ResponseCode::SUCCESS => Err(refused()),
            Question::Commit { .. }
            | Question::CheckSubscription { .. }
            | Question::Unlock { .. }
            | Question::SendBack { .. } => Ok(Value::Done),
            Question::Members { .. } => {
                read_body::<ConsumerList>(answer).map(|list| Value::Members(list.consumer_id_list))
            }
            Question::Lock { .. } => read_body::<LockedQueues>(answer).map(|locked| {
                Value::Locked(locked.lock_ok_mq_set.into_iter().filter_map(MessageQueue::of_key).collect())
            }),
            _ => match answer.header::<OffsetAnswer>() {
                Ok(OffsetAnswer { offset }) => Ok(Value::Offset(u64::try_from(offset).ok())),
                Err(error) => Err(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
            },
        };
        outcome.map_err(|error| self.explain(error))
    }

    /// Says of an answer whose it was.
    fn at(&self, session: &Session, error: Error) -> Error {
        let connection = self.peer.and_then(|peer| session.network.get(peer));
        connection
            .iter()
            .fold(error, |error, connection| error.at(connection.address()))
            .at_broker(&self.queue.broker_name)
    }

    fn explain(&self, error: Error) -> Error {
        let what = match &self.question {
            Question::Pull(_) => "pull from",
            Question::MinOffset => "minimum offset of",
            Question::MaxOffset => "maximum offset of",
            Question::OffsetAt { .. } => "offset by timestamp of",
            Question::GroupOffset { .. } => "committed offset of",
            Question::Commit { .. } => "commit offset of",
            Question::Members { .. } => "members of the group at the broker of",
            Question::CheckSubscription { .. } => "subscription at the broker of",
            Question::Lock { .. } => "locks at the broker of",
            Question::Unlock { .. } => "giving locks back to the broker of",
            Question::SendBack { .. } => "sending back a message of",
        };
        error.context(format_args!("{what} {}", self.queue))
    }
}

fn to_body(body: &impl serde::Serialize) -> Bytes {
    Bytes::from(body::to_vec(body))
}

fn read_body<T: serde::de::DeserializeOwned>(answer: &Command) -> Result<T, Error> {
    body::from_slice(&answer.body).map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))
}

fn lock_request(session: &Session, group: &str, queues: &[MessageQueue]) -> Bytes {
    to_body(&QueueLockRequest {
        client_id: session.config.identity.client_id(),
        consumer_group: group.to_owned(),
        mq_set: queues.iter().map(MessageQueue::key).collect(),
        only_this_broker: false,
    })
}

fn not_routed() -> Error {
    Error::new(ErrorKind::BrokerNotFound, "the topic's route does not name the queue's broker")
}
