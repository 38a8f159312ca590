//! One message on its way: its tries, its time, and what each answer means for it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::queue_choice::{self, QueueChoice, Standing};
use super::receipt::{MessageId, Receipt, SendStatus};
use super::{Choice, Message, ProducerConfig, SendOptions, Spent, SpentOther};
use crate::address::Address;
use crate::connection::Backoff;
use crate::error::{Attempt, Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::random::Random;
use crate::routes::brokers::{BrokerId, Brokers};
use crate::routes::topics::{QueuePlace, Topic};
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::message::{OffsetMessageId, UniqueId};
use crate::wire::request::{SendMessage, SendMessageAnswer, SentProperties};

/// Whether anybody waits for the broker's answer (Java's `CommunicationMode`, where SYNC and ASYNC differ in who waits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommunicationMode {
    /// The broker answers.
    Awaited,
    /// Nobody answers: it is over when it is written.
    Oneway,
}

/// What follows from a failure.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Try again, at another broker if there is one.
    Retry,
    Fail(Error),
}

/// The try that is under way.
#[derive(Debug)]
struct Try {
    broker: BrokerId,
    broker_name: Arc<str>,
    queue_id: u32,
    /// Whether the next try can go to another broker.
    has_others: bool,
}

/// One message on its way.
#[derive(Debug)]
pub(crate) struct Send {
    message: Message,
    id: UniqueId,
    choice: QueueChoice,
    mode: CommunicationMode,
    born_ms: u64,
    started: Instant,
    deadline: Instant,
    /// How often it may still be handed to a broker.
    tries_left: u32,
    try_timeout: Option<Duration>,
    /// How many queues the topic gets if this message creates it.
    default_queues: u32,
    current: Option<Try>,
    /// Boxed, since most sends have none.
    failures: Option<Box<Failures>>,
}

/// The shortest time that is worth a try: without it the last moments would be halved for ever.
const LEAST_SHARE: Duration = Duration::from_millis(10);
/// The pauses of a send that can only wait: for a broker that is too busy, away, or takes no bytes.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// What a send has met on its way.
#[derive(Debug)]
struct Failures {
    attempts: Vec<Attempt>,
    /// What it met last.
    last: Option<Error>,
    /// Where: the next try goes to another broker if there is one.
    avoid: Option<BrokerId>,
    /// The brokers that have refused it, which get it again only after a pause.
    refused_by: Vec<BrokerId>,
    /// When that pause ends.
    not_before: Instant,
    pauses: Backoff,
    /// Earlier tries whose answers may still come.
    overtaken: Vec<Overtaken>,
}

/// A try that has had its share of the time.
#[derive(Debug)]
struct Overtaken {
    /// Its number.
    turn: u32,
    broker_name: Arc<str>,
    /// When it was written.
    since: Instant,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            attempts: Vec::new(),
            last: None,
            avoid: None,
            refused_by: Vec::new(),
            not_before: Instant::default(),
            pauses: Backoff::new(LEAST_PAUSE, MOST_PAUSE),
            overtaken: Vec::new(),
        }
    }
}

impl Failures {
    fn note(&mut self, attempt: Attempt, was_written: bool) {
        // A broker that is away is looked for again and again: that is one thing to tell.
        let same = |known: &&mut Attempt| known.address == attempt.address && known.outcome == attempt.outcome;
        match self.attempts.iter_mut().find(|known| !was_written && same(known)) {
            Some(known) => known.after = attempt.after,
            None => self.attempts.push(attempt),
        }
    }
}

impl Send {
    #[inline]
    pub(crate) fn new(
        now: Now,
        message: Message,
        id: UniqueId,
        options: SendOptions,
        mode: CommunicationMode,
        config: &ProducerConfig,
    ) -> Self {
        let timeout = options.timeout.unwrap_or(config.send_timeout);
        Self {
            message,
            id,
            choice: options.queue,
            mode,
            born_ms: now.unix_ms,
            started: now.mono,
            deadline: now.mono + timeout,
            // Nobody knows whether a oneway arrived, so a second try could only make two of it.
            tries_left: if mode == CommunicationMode::Oneway { 1 } else { config.max_tries.max(1) },
            try_timeout: config.try_timeout,
            default_queues: config.default_topic_queues,
            current: None,
            failures: None,
        }
    }

    pub(crate) const fn mode(&self) -> CommunicationMode {
        self.mode
    }

    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }

    /// The message of a send that is over.
    pub(crate) fn take_message(&mut self) -> Message {
        let rest = Message::new(self.message.topic_name().clone(), Bytes::new());
        core::mem::replace(&mut self.message, rest)
    }

    /// When all of its time is used up.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether its time is used up.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now
    }

    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// When a try that is written now has to be answered: half of what is left while another is possible, so that neither a hung
    /// broker nor a lost answer uses up the time of all.
    pub(crate) fn try_deadline(&self, now: Instant) -> Instant {
        let left = self.deadline.since(now);
        match self.try_timeout {
            _ if self.tries_left <= 1 => self.deadline,
            Some(timeout) => now + timeout.max(LEAST_SHARE).min(left),
            None => now + (left / 2).max(LEAST_SHARE).min(left),
        }
    }

    /// Until when the try under way may wait for its connection: where there is no other broker, waiting on is all that
    /// helps.
    pub(crate) fn connection_deadline(&self, now: Instant) -> Instant {
        let has_others = self.current.as_ref().is_some_and(|current| current.has_others);
        let left = self.deadline.since(now);
        let share = self.try_timeout.unwrap_or(left / 2).max(LEAST_SHARE).min(left);
        if has_others { now + share } else { self.deadline }
    }

    /// The message is handed to the broker of the try under way, which may store it from now on.
    pub(crate) const fn note_written(&mut self) {
        self.tries_left = self.tries_left.saturating_sub(1);
    }

    /// Until when the chosen broker is left alone, because it has refused this message.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        let (failures, broker) = (self.failures.as_ref()?, self.broker()?);
        (failures.not_before > now && failures.refused_by.contains(&broker)).then_some(failures.not_before)
    }

    /// When to look again for what it waits for.
    pub(crate) fn look_again(&mut self, now: Instant, random: &mut Random) -> Instant {
        let pause = self.failures.get_or_insert_default().pauses.next_pause(random);
        self.deadline.min(now + pause)
    }

    /// It has met something that another look may overcome.
    pub(crate) fn note_obstacle(&mut self, error: Error) {
        let last = &mut self.failures.get_or_insert_default().last;
        // What a broker or a connection did says more than that there is no queue because of it.
        if last.is_none() || !is_vague(&error) {
            *last = Some(error);
        }
    }

    /// Whether a queue that the route does not have may be one of a broker that is away: brokers leave the routes when
    /// they stop.
    pub(crate) fn may_appear(&self, topic: &Topic) -> bool {
        let Some(route) = &topic.route else {
            return true;
        };
        match &self.choice {
            QueueChoice::Queue(queue) => route.master(&queue.broker_name).is_none(),
            _ => route.queues.iter().any(|queues| {
                queues.permission.is_writable() && queues.write > 0 && route.master(&queues.broker_name).is_none()
            }),
        }
    }

    /// Which broker the try under way is for.
    pub(crate) fn broker(&self) -> Option<BrokerId> {
        self.current.as_ref().map(|current| current.broker)
    }

    /// Chooses the queue of the next try. `Ok(None)` when too much waits at every broker it could go to, else the address
    /// of the chosen one.
    pub(crate) fn choose<'b>(
        &mut self,
        topic: &mut Topic,
        brokers: &'b Brokers,
        standing: impl Fn(BrokerId) -> Standing,
        random: &mut Random,
    ) -> Result<Option<(BrokerId, &'b Address)>, Error> {
        let avoid = self.failures.as_ref().and_then(|failures| failures.avoid);
        let of = |place: QueuePlace| place.broker;
        let (mut cursor, places) = (topic.cursor, self.places(topic));
        let place = match &self.choice {
            QueueChoice::RoundRobin | QueueChoice::Random => {
                if matches!(self.choice, QueueChoice::Random) {
                    cursor = random.next_u64() as u32;
                }
                let place = queue_choice::in_turn(&places, &mut cursor, avoid, of, |p| standing(p.broker));
                if place.is_none() && !places.is_empty() {
                    return Ok(None);
                }
                place
            }
            QueueChoice::Hash(key) => queue_choice::by_hash(key, places.len()).map(|index| places[index]),
            // It is asked outside, before.
            QueueChoice::Selector(_) => None,
            QueueChoice::Queue(queue) => Some(given(queue, topic, &places, brokers)?),
        };
        drop(places);
        topic.cursor = cursor;
        let no_queue = |why: &str| Error::new(ErrorKind::NoQueueAvailable, why);
        let place = place.ok_or_else(|| no_queue("no broker with a master has a writable queue of it"))?;
        let can_move = matches!(self.choice, QueueChoice::RoundRobin | QueueChoice::Random);
        // What goes on in turn has looked.
        if !can_move && standing(place.broker) == Standing::Congested {
            return Ok(None);
        }
        let broker = brokers.get(place.broker).ok_or_else(|| no_queue("its broker is gone"))?;
        let address = broker.master().ok_or_else(|| no_queue("its broker has no master"))?;
        let has_others = can_move && topic.has_several_brokers;
        let broker_name = broker.name.clone();
        self.current = Some(Try { broker: place.broker, broker_name, queue_id: place.queue_id, has_others });
        Ok(Some((place.broker, address)))
    }

    pub(crate) const fn has_selector(&self) -> bool {
        matches!(self.choice, QueueChoice::Selector(_))
    }

    /// What the application's selector is asked. It has the message meanwhile, and is asked once, as in Java
    /// (`sendSelectImpl`).
    pub(crate) fn take_choice(&mut self, topic: Option<&Topic>, brokers: &Brokers) -> Result<Choice, Error> {
        let no_queue = || Error::new(ErrorKind::NoQueueAvailable, "no broker with a master has a writable queue of it");
        let topic = topic.ok_or_else(no_queue)?;
        let places = self.places(topic);
        let queues: Vec<_> = places.iter().filter_map(|&place| topic.queue(place, brokers)).collect();
        drop(places);
        let QueueChoice::Selector(selector) = &self.choice else {
            return Err(no_queue());
        };
        if queues.is_empty() {
            return Err(no_queue());
        }
        let selector = Arc::clone(selector);
        self.choice = QueueChoice::RoundRobin;
        Ok(Choice { selector, queues, message: self.take_message() })
    }

    /// Takes what the application's selector has chosen.
    pub(crate) fn take_chosen(&mut self, message: Message, queue: Result<MessageQueue, Error>) -> Result<(), Error> {
        self.message = message;
        self.choice = QueueChoice::Queue(queue.map_err(|error| self.explain(error))?);
        Ok(())
    }

    /// What it has of the application, once it is over.
    pub(crate) fn take_spent(&mut self, spent: &mut Spent) {
        spent.bodies.push(self.message.take_body());
        if self.has_selector() {
            spent.add(SpentOther::Selector(core::mem::take(&mut self.choice)));
        }
    }

    /// The queues to choose from. A topic that does not exist yet gets as many as its first message says, of those that
    /// the default topic has.
    fn places<'t>(&self, topic: &'t Topic) -> Cow<'t, [QueuePlace]> {
        if topic.inherited {
            let places = topic.writable.iter().filter(|place| place.queue_id < self.default_queues);
            let mut places: Vec<_> = places.copied().collect();
            QueuePlace::count_runs(&mut places);
            places.into()
        } else {
            Cow::Borrowed(&topic.writable)
        }
    }

    /// How many queues a topic gets that it is the first message of.
    pub(crate) const fn default_queues(&self) -> u32 {
        self.default_queues
    }

    /// The header of the try under way.
    pub(crate) fn header<'a>(&'a self, dialect: Dialect, group: &'a str, template: &'a str) -> SendMessage<'a> {
        let queue_id = self.current.as_ref().map_or(0, |current| current.queue_id);
        let broker_name = self.current.as_ref().map(|current| Cow::Borrowed(&*current.broker_name));
        let (_, sys_flag) = self.message.written();
        SendMessage {
            producer_group: Cow::Borrowed(group),
            topic: Cow::Borrowed(self.message.topic()),
            default_topic: Cow::Borrowed(template),
            default_topic_queue_nums: self.default_queues as i32,
            queue_id: queue_id as i32,
            sys_flag,
            born_timestamp: dialect.born_timestamp(self.born_ms),
            flag: self.message.flag_bits(),
            properties: Some(SentProperties {
                encoded: Cow::Borrowed(self.message.properties().encoded()),
                unique_id: Some(self.id.to_hex()),
            }),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(false),
            broker_name,
        }
    }

    /// What the answer to the try under way means; the error is what the try failed with.
    pub(crate) fn judge(&self, dialect: Dialect, answer: &Command) -> Result<Receipt, Error> {
        let Some(status) = SendStatus::of(answer.code) else {
            return Err(Error::refused(ResponseCode(answer.code), answer.remark.as_deref()));
        };
        let broker_name = self.current.as_ref().map(|current| &current.broker_name);
        // The broker has the message, so no other try.
        self.receipt(status, dialect, answer, broker_name).map_err(|why| Error::new(ErrorKind::MalformedAnswer, why))
    }

    /// The try under way, number `turn`, which was written `since` then, has had its share of the time; its answer may still
    /// come. Returns since when an earlier one at the same broker has been waiting, if there is one.
    pub(crate) fn overtake(&mut self, turn: u32, since: Instant) -> Option<Instant> {
        let broker_name = self.current.as_ref()?.broker_name.clone();
        let overtaken = &mut self.failures.get_or_insert_default().overtaken;
        let first = overtaken.iter().find(|known| known.broker_name == broker_name).map(|known| known.since);
        overtaken.push(Overtaken { turn, broker_name, since });
        first
    }

    /// What the answer to an earlier try says, if it says that the broker has the message: it may merely be slow.
    pub(crate) fn judge_overtaken(&self, dialect: Dialect, answer: &Command, turn: u32) -> Option<Receipt> {
        let status = SendStatus::of(answer.code)?;
        let overtaken = self.failures.as_ref()?.overtaken.iter().find(|known| known.turn == turn)?;
        self.receipt(status, dialect, answer, Some(&overtaken.broker_name)).ok()
    }

    fn receipt(
        &self,
        status: SendStatus,
        dialect: Dialect,
        answer: &Command,
        broker_name: Option<&Arc<str>>,
    ) -> Result<Receipt, String> {
        let header: SendMessageAnswer<'_> = answer.header().map_err(|error| error.to_string())?;
        let queue_id = u32::try_from(header.queue_id).map_err(|_| format!("the queue number {}", header.queue_id))?;
        let queue_offset =
            u64::try_from(header.queue_offset).map_err(|_| format!("the offset {}", header.queue_offset))?;
        let broker_name = broker_name.ok_or("an answer to no try")?.clone();
        let topic = self.message.topic_name().clone();
        let offset_message_id = OffsetMessageId::read(header.msg_id);
        let message_id = match offset_message_id {
            Some(id) if !dialect.has_unique_ids() => MessageId::Offset(id),
            _ => MessageId::Unique(self.id),
        };
        Ok(Receipt {
            status,
            message_id,
            offset_message_id,
            queue: MessageQueue { topic, broker_name, queue_id },
            queue_offset,
        })
    }

    /// What a failed try means; `address` is where it was, and `was_written` says whether the broker may have got it.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        mut error: Error,
        address: Option<&Address>,
        was_written: bool,
        random: &mut Random,
    ) -> Verdict {
        let has_others = self.current.as_ref().is_some_and(|current| current.has_others);
        // The certificate of one broker may have expired, and not that of another.
        let retryable = error.is_retryable() || (has_others && error.kind() == ErrorKind::TlsFailed);
        let after = now.since(self.started);
        if let Some(current) = &self.current {
            let failures = self.failures.get_or_insert_default();
            failures.avoid = Some(current.broker);
            failures.note(Attempt { address: address.cloned(), after, outcome: error.outcome() }, was_written);
            error = address.iter().fold(error, |error, address| error.at(address)).at_broker(&current.broker_name);
            if let Some(code) = error.code() {
                let was_refused = failures.refused_by.contains(&current.broker);
                failures.refused_by.push(current.broker);
                let is_leaving = code == ResponseCode::GO_AWAY;
                // A server that stops has not taken it: that was no try, and a new connection may do at once.
                self.tries_left += u32::from(is_leaving);
                if !is_leaving || was_refused {
                    failures.not_before = now + failures.pauses.next_pause(random);
                }
            }
        }
        if retryable && self.tries_left > 0 && !self.is_over(now) {
            self.failures.get_or_insert_default().last = Some(error);
            return Verdict::Retry;
        }
        Verdict::Fail(self.explain(error))
    }

    /// Why a send failed that has waited in vain until its time was up: what it met last, else `waiting`.
    pub(crate) fn time_is_up(&mut self, waiting: &str) -> Error {
        let last = self.failures.as_mut().and_then(|failures| failures.last.take());
        self.explain(last.unwrap_or_else(|| Error::new(ErrorKind::Timeout, waiting)))
    }

    /// Says of a failure what failed, and what was tried.
    pub(crate) fn explain(&mut self, error: Error) -> Error {
        let Failures { attempts, last, .. } = self.failures.take().map(|failures| *failures).unwrap_or_default();
        let error = last.filter(|_| is_vague(&error)).unwrap_or(error);
        let attempts = if attempts.len() > 1 { attempts } else { Vec::new() };
        error.context(format_args!("send to topic {}", self.message.topic())).with_attempts(attempts)
    }
}

/// Whether an error only says that there is nowhere to send to. Name servers know no topic whose brokers are away: how
/// these went away is the better reason.
fn is_vague(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TopicNotFound | ErrorKind::NoQueueAvailable | ErrorKind::BrokerNotFound)
}

/// The place of a given queue, which the route has to have.
fn given(queue: &MessageQueue, topic: &Topic, places: &[QueuePlace], brokers: &Brokers) -> Result<QueuePlace, Error> {
    let wrong = |kind, why: &str| Error::new(kind, format!("queue {queue}: {why}"));
    if queue.topic != topic.name {
        return Err(wrong(ErrorKind::InvalidArgument, "of another topic than the message"));
    }
    let broker = brokers.id_of(&queue.broker_name);
    let broker = broker.ok_or_else(|| wrong(ErrorKind::BrokerNotFound, "no route names its broker"))?;
    // By runs: there may be many queues.
    let runs = core::iter::successors(places.first().map(|first| (0, first)), |(at, place)| {
        let next = at + place.run as usize;
        Some((next, places.get(next)?))
    });
    let mut of_broker = runs.filter(|(_, place)| place.broker == broker);
    let found = of_broker.find_map(|(at, first)| {
        let run = &places[at..at + first.run as usize];
        run.iter().find(|place| place.queue_id == queue.queue_id)
    });
    found.copied().ok_or_else(|| wrong(ErrorKind::NoQueueAvailable, "not among the topic's writable queues"))
}
