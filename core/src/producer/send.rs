//! One message on its way: its tries, its time, and what each answer means for it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::queue_choice::{self, QueueChoice, Standing};
use super::receipt::{MessageId, Receipt, SendStatus};
use super::{Choice, Message, ProducerConfig, SendOptions, Spent};
use crate::address::Address;
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

/// Whether anybody waits for the broker's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Awaited,
    Oneway,
}

/// What follows from an answer or a failure.
#[derive(Debug)]
pub(crate) enum Verdict {
    Done(Receipt),
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
    delivery: Delivery,
    born_ms: u64,
    started: Instant,
    deadline: Instant,
    tries_left: u32,
    try_timeout: Option<Duration>,
    /// How many queues the topic gets if this message creates it.
    default_queues: u32,
    current: Option<Try>,
    /// Boxed, since most sends have none.
    failures: Option<Box<Failures>>,
}

/// How tries failed.
#[derive(Debug, Default)]
struct Failures {
    attempts: Vec<Attempt>,
    /// How the last one did.
    last: Option<Error>,
}

impl Send {
    pub(crate) fn new(
        now: Now,
        message: Message,
        id: UniqueId,
        options: SendOptions,
        delivery: Delivery,
        config: &ProducerConfig,
    ) -> Self {
        let timeout = options.timeout.unwrap_or(config.send_timeout);
        Self {
            message,
            id,
            choice: options.queue,
            delivery,
            born_ms: now.unix_ms,
            started: now.mono,
            deadline: now.mono + timeout,
            // Nobody knows whether a oneway arrived, so a second try could only make two of it.
            tries_left: if delivery == Delivery::Oneway { 1 } else { config.max_tries.max(1) },
            try_timeout: config.try_timeout,
            default_queues: config.default_topic_queues,
            current: None,
            failures: None,
        }
    }

    pub(crate) const fn delivery(&self) -> Delivery {
        self.delivery
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

    /// When the try under way has to be answered: half of what is left while another broker could be tried, so that
    /// a hung one does not use up the time of all. Where there is no other, waiting on is all that helps, and a second
    /// try at a slow broker would only store the message twice.
    pub(crate) fn try_deadline(&self, now: Instant) -> Instant {
        let left = self.deadline.since(now);
        let can_go_elsewhere = self.tries_left > 0 && self.current.as_ref().is_some_and(|current| current.has_others);
        match self.try_timeout {
            Some(timeout) if self.tries_left > 0 => now + timeout.min(left),
            None if can_go_elsewhere => now + left / 2,
            _ => now + left,
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
    ) -> Result<Option<&'b Address>, Error> {
        let avoid = self.broker();
        let of = |place: QueuePlace| place.broker;
        let (mut cursor, places) = (topic.cursor, self.places(topic));
        let place = match &self.choice {
            QueueChoice::RoundRobin => {
                let place = queue_choice::in_turn(&places, &mut cursor, avoid, of, |p| standing(p.broker));
                if place.is_none() && !places.is_empty() {
                    return Ok(None);
                }
                place
            }
            QueueChoice::Hash(key) => queue_choice::by_hash(key, places.len()).map(|index| places[index]),
            QueueChoice::Random => queue_choice::at_random(random, places.len()).map(|index| places[index]),
            // It is asked outside, before.
            QueueChoice::Selector(_) => None,
            QueueChoice::Queue(queue) => Some(given(queue, topic, &places, brokers)?),
        };
        drop(places);
        topic.cursor = cursor;
        let no_queue = |why: &str| Error::new(ErrorKind::NoQueueAvailable, why);
        let place = place.ok_or_else(|| no_queue("no broker with a master has a writable queue of it"))?;
        if standing(place.broker) == Standing::Congested {
            return Ok(None);
        }
        let broker = brokers.get(place.broker).ok_or_else(|| no_queue("its broker is gone"))?;
        let address = broker.master().ok_or_else(|| no_queue("its broker has no master"))?;
        let can_move = matches!(self.choice, QueueChoice::RoundRobin | QueueChoice::Random);
        let has_others = can_move && topic.has_several_brokers;
        let broker_name = broker.name.clone();
        self.current = Some(Try { broker: place.broker, broker_name, queue_id: place.queue_id, has_others });
        self.tries_left -= 1;
        Ok(Some(address))
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
    pub(crate) fn take_spent(&mut self, spent: &mut Vec<Spent>) {
        spent.push(Spent::Body(self.message.take_body()));
        if self.has_selector() {
            spent.push(Spent::Selector(core::mem::take(&mut self.choice)));
        }
    }

    /// The queues to choose from. A topic that does not exist yet gets as many as its first message says, of those that
    /// the default topic has.
    fn places<'t>(&self, topic: &'t Topic) -> Cow<'t, [QueuePlace]> {
        if topic.inherited {
            topic.writable.iter().filter(|place| place.queue_id < self.default_queues).copied().collect()
        } else {
            Cow::Borrowed(&topic.writable)
        }
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

    /// What the answer to the try under way means; `address` is whose.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        dialect: Dialect,
        answer: &Command,
        address: Option<&Address>,
    ) -> Verdict {
        let Some(status) = SendStatus::of(answer.code) else {
            let error = Error::refused(ResponseCode(answer.code), answer.remark.as_deref());
            return self.failed(now, error, address);
        };
        match self.receipt(status, dialect, answer) {
            Ok(receipt) => Verdict::Done(receipt),
            // The broker has the message, so no other try.
            Err(why) => self.failed(now, Error::new(ErrorKind::MalformedAnswer, why), address),
        }
    }

    fn receipt(&self, status: SendStatus, dialect: Dialect, answer: &Command) -> Result<Receipt, String> {
        let header: SendMessageAnswer<'_> = answer.header().map_err(|error| error.to_string())?;
        let queue_id = u32::try_from(header.queue_id).map_err(|_| format!("the queue number {}", header.queue_id))?;
        let queue_offset =
            u64::try_from(header.queue_offset).map_err(|_| format!("the offset {}", header.queue_offset))?;
        let current = self.current.as_ref().ok_or("an answer to no try")?;
        let (topic, broker_name) = (self.message.topic_name().clone(), current.broker_name.clone());
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

    /// What a failed try means; `address` is where it was.
    pub(crate) fn failed(&mut self, now: Instant, mut error: Error, address: Option<&Address>) -> Verdict {
        let has_others = self.current.as_ref().is_some_and(|current| current.has_others);
        // The certificate of one broker may have expired, and not that of another.
        let retryable = error.is_retryable() || (has_others && error.kind() == ErrorKind::TlsFailed);
        if let Some(current) = &self.current {
            self.failures.get_or_insert_default().attempts.push(Attempt {
                address: address.cloned(),
                after: now.since(self.started),
                outcome: error.outcome(),
            });
            error = address.iter().fold(error, |error, address| error.at(address)).at_broker(&current.broker_name);
        }
        if retryable && self.tries_left > 0 && now < self.deadline {
            self.failures.get_or_insert_default().last = Some(error);
            return Verdict::Retry;
        }
        Verdict::Fail(self.explain(error))
    }

    /// Says of a failure what failed, and what was tried.
    pub(crate) fn explain(&mut self, error: Error) -> Error {
        let Failures { attempts, last } = self.failures.take().map(|failures| *failures).unwrap_or_default();
        // Name servers know no topic whose only broker is away: how it went away is the better reason.
        let last = last.filter(|_| error.kind() == ErrorKind::TopicNotFound);
        let error = last.unwrap_or(error);
        let attempts = if attempts.len() > 1 { attempts } else { Vec::new() };
        error.context(format_args!("send to topic {}", self.message.topic())).with_attempts(attempts)
    }
}

/// The place of a given queue, which the route has to have.
fn given(queue: &MessageQueue, topic: &Topic, places: &[QueuePlace], brokers: &Brokers) -> Result<QueuePlace, Error> {
    let wrong = |kind, why: &str| Error::new(kind, format!("queue {queue}: {why}"));
    if queue.topic != topic.name {
        return Err(wrong(ErrorKind::InvalidArgument, "of another topic than the message"));
    }
    let broker = brokers.id_of(&queue.broker_name);
    let broker = broker.ok_or_else(|| wrong(ErrorKind::BrokerNotFound, "no route names its broker"))?;
    let place = QueuePlace { broker, queue_id: queue.queue_id };
    if places.contains(&place) {
        Ok(place)
    } else {
        Err(wrong(ErrorKind::NoQueueAvailable, "not among the topic's writable queues"))
    }
}
