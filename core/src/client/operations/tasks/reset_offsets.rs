//! Has a group go on elsewhere in a topic. Each broker of the topic is asked to do it: one of 5.x sets the group's offsets, an older one
//! tells the members. Where no member is there to be told, the offsets are looked up and committed one by one, as Java's tool does it
//! (`DefaultMQAdminExtImpl.resetOffsetNew`, `resetOffsetByTimestampOld`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::address::Address;
use crate::client::base::config::ClientConfig;
use crate::client::operations::exchange::{broker_name, on_the_wire, topic};
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, body, success};
use crate::consumer::push::ConsumeFrom;
use crate::error::{Error, ErrorKind};
use crate::producer::{check_group, check_topic};
use crate::queue::MessageQueue;
use crate::routes::route::{MASTER_ID, TopicRoute};
use crate::sorted::SortedMap;
use crate::wire::body::ResetOffsets as Body;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{
    GetMaxOffset, GetMinOffset, InvokeResetOffset, OffsetAnswer, Request, SearchOffset, UpdateConsumerOffset,
};

/// The time that stands for the end of a queue (`AdminBrokerProcessor.searchOffsetByTimestamp`, `Broker2Client.resetOffset`).
const END: i64 = -1;
/// How a broker that tells the members says that the group has no offset of one of the queues (`Broker2Client.resetOffset`).
const NO_OFFSET: &str = "THe consumer group <";

#[derive(Debug)]
pub(crate) struct ResetOffsets {
    group: String,
    topic: String,
    to: ConsumeFrom,
    /// The queues of each broker, by where its master listens.
    queues: SortedMap<Address, Vec<MessageQueue>>,
    /// What has been looked up and not yet been committed.
    found: BTreeMap<MessageQueue, u64>,
    /// The new offsets.
    set: BTreeMap<MessageQueue, u64>,
}

impl ResetOffsets {
    pub(crate) fn new(group: &str, topic: &str, to: ConsumeFrom) -> Self {
        let (queues, found, set) = (SortedMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { group: group.to_owned(), topic: topic.to_owned(), to, queues, found, set }
    }

    /// The next queue of a broker, one after the other: of two first commits of a group at once it may lose one.
    fn next_queue(&mut self, address: &Address) -> Then {
        let next = self.queues.get_mut(address).and_then(Vec::pop);
        next.map_or(Then::Done, |queue| Then::Ask(Target::Queue(address.clone(), queue)))
    }

    /// What a broker has set, or its members set now.
    fn take_reset(&mut self, address: &Address, answer: &Command) -> Result<Then, Error> {
        let remark = answer.remark.as_deref().unwrap_or_default();
        match ResponseCode(answer.code) {
            ResponseCode::CONSUMER_NOT_ONLINE => return Ok(self.next_queue(address)),
            code @ ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST => {
                return Err(Error::answered(ErrorKind::GroupNotFound, "", code, remark));
            }
            code @ ResponseCode::SYSTEM_ERROR if remark.starts_with(NO_OFFSET) => {
                let why = "there is no such group, or it has not committed an offset of each of the broker's queues yet, which a broker wants that leaves resets to the members";
                return Err(Error::answered(ErrorKind::Refused, why, code, remark));
            }
            _ => {}
        }
        for (key, offset) in body::<Body>(answer)?.offset_table {
            let offset = u64::try_from(offset).ok().filter(|_| key.topic == self.topic);
            let Some((offset, queue)) = offset.zip(MessageQueue::of_key(key)) else {
                return Err(Error::new(ErrorKind::MalformedAnswer, "an offset that no queue of the topic can have"));
            };
            self.set.insert(queue, offset);
        }
        Ok(Then::Done)
    }

    fn take_of_queue(&mut self, address: &Address, queue: &MessageQueue, answer: &Command) -> Result<Then, Error> {
        success(answer)?;
        if let Some(committed) = self.found.remove(queue) {
            self.set.insert(queue.clone(), committed);
            return Ok(self.next_queue(address));
        }
        let malformed = |why: String| Error::new(ErrorKind::MalformedAnswer, why);
        let found: OffsetAnswer = answer.header().map_err(|error| malformed(error.to_string()))?;
        let offset = u64::try_from(found.offset).map_err(|_| malformed(format!("the offset {}", found.offset)))?;
        self.found.insert(queue.clone(), offset);
        Ok(Then::Ask(Target::Queue(address.clone(), queue.clone())))
    }

    fn write_of_queue(&self, dialect: Dialect, queue: &MessageQueue, write: &mut Write<'_>) {
        let (topic, queue_id, broker_name) = (topic(queue), queue.queue_id as i32, broker_name(queue));
        if let Some(offset) = self.found.get(queue) {
            let consumer_group = Cow::Borrowed(&*self.group);
            let commit_offset = on_the_wire(*offset);
            let header = UpdateConsumerOffset { consumer_group, topic, queue_id, commit_offset, broker_name };
            return write(UpdateConsumerOffset::CODE, &header);
        }
        match self.to {
            ConsumeFrom::LastOffset => write(GetMaxOffset::CODE, &GetMaxOffset { topic, queue_id, broker_name }),
            ConsumeFrom::FirstOffset => write(GetMinOffset::CODE, &GetMinOffset { topic, queue_id, broker_name }),
            ConsumeFrom::Timestamp(unix_ms) => {
                let timestamp = on_the_wire(dialect.time_to_ask_for(unix_ms));
                let header = SearchOffset { topic, queue_id, timestamp, boundary_type: None, broker_name };
                write(SearchOffset::CODE, &header);
            }
        }
    }
}

impl Rule for ResetOffsets {
    type Gives = BTreeMap<MessageQueue, u64>;

    /// Offsets that are looked up and committed one by one are many requests. A broker of smartgo's takes five seconds for each member
    /// that it tells (`broker_client.go`, `resetOffset`: it waits for an answer to what has none).
    const LEGS: u32 = 10;

    fn words(&self) -> String {
        format!("reset of the offsets of group {} in topic {}", self.group, self.topic)
    }

    fn check(&self, config: &ClientConfig) -> Result<(), Error> {
        check_group(&self.group).and_then(|()| check_topic(&self.topic)).and_then(|()| config.check_reset(self.to))
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Route(&self.topic)
    }

    /// The masters of all brokers: a group that goes on elsewhere at some of them alone would be in two places.
    fn targets_on(&mut self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
        let mut targets = Vec::new();
        for queues in &route.queues {
            let name = &queues.broker_name;
            let member = route.broker(name).and_then(|broker| broker.addresses.get(&MASTER_ID));
            let away =
                || Error::new(ErrorKind::BrokerNotFound, "its master is away, and nothing was reset").at_broker(name);
            let address = member.ok_or_else(away)?;
            // The last one is taken first.
            let numbers = (0..queues.read).rev();
            let queues = numbers.map(|number| MessageQueue::new(&*self.topic, name.clone(), number));
            self.queues.insert(address.clone(), queues.collect());
            targets.push(Target::Broker(address.clone()));
        }
        if targets.is_empty() {
            return Err(Error::new(ErrorKind::BrokerNotFound, "no broker has a queue of the topic"));
        }
        Ok(targets)
    }

    fn write(&self, dialect: Dialect, target: &Target, write: &mut Write<'_>) {
        if let Target::Queue(_, queue) = target {
            return self.write_of_queue(dialect, queue, write);
        }
        let timestamp = match self.to {
            ConsumeFrom::LastOffset => END,
            ConsumeFrom::FirstOffset => 0,
            ConsumeFrom::Timestamp(unix_ms) => on_the_wire(dialect.time_to_ask_for(unix_ms)),
        };
        let (topic, group) = (Cow::Borrowed(&*self.topic), Cow::Borrowed(&*self.group));
        let header = InvokeResetOffset { topic, group, queue_id: None, offset: None, timestamp, is_force: true };
        write(InvokeResetOffset::CODE, &header);
    }

    fn take(&mut self, target: &Target, answer: &Command) -> Result<Then, Error> {
        match target {
            Target::Queue(address, queue) => self.take_of_queue(address, queue, answer),
            _ => self.take_reset(target.address(), answer),
        }
    }

    fn give(&mut self) -> Result<BTreeMap<MessageQueue, u64>, Error> {
        Ok(core::mem::take(&mut self.set))
    }
}
