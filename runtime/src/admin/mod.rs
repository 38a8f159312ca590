//! Topics, groups, messages, offsets and clusters.

mod messages;
mod topics;

pub use messages::MessagesByKey;
pub use topics::{CreateTopic, DeleteTopic};

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use stgclient_core::admin::{FoundMessages, GroupLag, MessageQuery, TopicStatistics};
use stgclient_core::client::{Client as Core, Given, Pending};
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_core::routes::route::TopicRoute;
use stgclient_core::time::Now;
use stgclient_core::wire::body::ClusterInfo;
use stgclient_core::wire::message::OffsetMessageId;

use crate::handle::Handle;
use crate::operation::Operation;
use crate::push_consumer::Beginning;

/// Topics, groups, messages, offsets and clusters. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    handle: Arc<Handle>,
}

impl Admin {
    pub(crate) const fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    /// Creates a topic, or changes it: `admin.create_topic("orders").queues(8).await?`.
    pub fn create_topic(&self, topic: &str) -> CreateTopic {
        CreateTopic::new(&self.handle, topic)
    }

    /// Deletes a topic: `admin.delete_topic("orders").await?`. One that does not exist is deleted already. Created anew at smartgo's
    /// servers, it has its old messages.
    pub fn delete_topic(&self, topic: &str) -> DeleteTopic {
        DeleteTopic::new(&self.handle, topic)
    }

    /// The names of all topics, sorted.
    ///
    /// # Errors
    /// No name server answers.
    pub async fn topic_list(&self) -> Result<Vec<String>, Error> {
        self.run(Core::topic_list).await
    }

    /// The names of all consumer groups that the masters of all clusters know, sorted; those among them that each broker has from the
    /// start, such as `TOOLS_CONSUMER`. A group is known from when its first member was there, until somebody deletes it.
    ///
    /// # Errors
    /// No name server answers, or not every master does. Smartgo's servers have no such list, so that they are not asked.
    pub async fn groups(&self) -> Result<Vec<String>, Error> {
        self.run(Core::groups).await
    }

    /// How far a group is behind: what each of its queues has, what it has committed, and what lies between.
    ///
    /// ```no_run
    /// # async fn example(client: &stgclient::Client) -> Result<(), stgclient::Error> {
    /// let lag = client.admin().lag("billing").await?;
    /// for (queue, at) in &lag.queues {
    ///     println!("{queue}: {} of {} are to come", at.lag(), at.broker_offset);
    /// }
    /// assert_eq!(lag.total(), lag.of_topic("orders") + lag.of_topic("%RETRY%billing"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Queues of the group's retry topic are among them, once the group has committed an offset there. A topic of which it has
    /// committed no offset is not, nor is one that the members who are there do not subscribe to; a broadcasting group commits
    /// nothing at brokers.
    ///
    /// # Errors
    /// [`ErrorKind::GroupNotFound`] when no broker knows the group: it has no retry topic, which a broker creates for its first
    /// member, and no offset anywhere. No name server answers, or not every broker does.
    pub async fn lag(&self, group: &str) -> Result<GroupLag, Error> {
        self.run(|core, now| core.group_lag(now, group)).await
    }

    /// Has a group go on elsewhere in a topic, on all of its queues: with the first message ([`ConsumeFrom::FirstOffset`]), after
    /// the last ([`ConsumeFrom::LastOffset`]), or with the first one stored at a time or later, which a `SystemTime` or
    /// [`ConsumeFrom::Timestamp`] says, milliseconds since 1970 UTC. Gives the new offsets by queue.
    ///
    /// ```no_run
    /// # use std::time::{Duration, SystemTime};
    /// # async fn example(client: &stgclient::Client) -> Result<(), stgclient::Error> {
    /// let admin = client.admin();
    /// let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    /// for (queue, offset) in admin.reset_offsets("billing", "orders", hour_ago).await? {
    ///     println!("{queue} goes on with {offset}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Offsets go back and forward alike, which Java's tool calls forced. Going back, the group consumes again what it has consumed;
    /// going forward, what lies between is never consumed. A time is exact but at smartgo's brokers, where a queue may go on with the
    /// message before.
    ///
    /// **While members are there**, each master of the topic is asked to reset the group. A broker of 5.x sets the offsets itself, and
    /// each member hears of it with its next pull, once one that waits for new messages has ended. One that does not (before 5.x, with
    /// `useServerSideResetOffset=false`, or smartgo's) tells the members: push consumers, ours and Java's, leave the queues of the
    /// topic, drop what they have fetched of them and begin anew at the new offsets; pull consumers go on as they were. What is in work
    /// meanwhile is finished and may be consumed again.
    ///
    /// **While no member is there**, a broker of 5.x does the same; at others the offsets are looked up and committed queue by queue,
    /// and a group that starts at that very moment may undo that with its own first commits.
    ///
    /// Each broker is reset by itself: after an error some may be reset and others not. The same call may be made again. It may take
    /// ten times the time-out of requests, since a broker of smartgo's takes five seconds for each member.
    ///
    /// # Errors
    /// [`ErrorKind::GroupNotFound`] when a broker knows no such group; [`ErrorKind::Refused`] when one that leaves resets to members has
    /// no offset of the group on one of its queues, by which it means the same. The topic does not exist; a broker of it has no master
    /// ([`ErrorKind::BrokerNotFound`], nothing was reset), refuses or does not answer. Smartgo's brokers cannot reset to
    /// [`ConsumeFrom::LastOffset`], and are not asked ([`ErrorKind::InvalidArgument`]).
    ///
    /// [`ConsumeFrom::FirstOffset`]: crate::ConsumeFrom::FirstOffset
    /// [`ConsumeFrom::LastOffset`]: crate::ConsumeFrom::LastOffset
    /// [`ConsumeFrom::Timestamp`]: crate::ConsumeFrom::Timestamp
    pub async fn reset_offsets(
        &self,
        group: &str,
        topic: &str,
        to: impl Beginning,
    ) -> Result<BTreeMap<MessageQueue, u64>, Error> {
        let to = to.consume_from();
        self.run(|core, now| core.reset_group_offsets(now, group, topic, to)).await
    }

    /// The message that a broker has stored at a place in its commit log, which its id names: [`Receipt::offset_message_id`] or
    /// [`ReceivedMessage::offset_message_id`], or one as text, of 32 or 56 hexadecimal digits. `None` when the broker has no message
    /// there, or none any more.
    ///
    /// ```no_run
    /// # async fn example(client: &stgclient::Client, receipt: stgclient::Receipt) -> Result<(), stgclient::Error> {
    /// if let Some(id) = receipt.offset_message_id {
    ///     let found = client.admin().message_by_id(id).await?;
    /// }
    /// let found = client.admin().message_by_id("0A00000100002A9F0000000000001F40").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An id that a producer gave ([`ReceivedMessage::message_id`]) names no broker:
    /// [`message_by_unique_key`](Self::message_by_unique_key) finds the message.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the text is no such id. [`ErrorKind::BrokerNotFound`] when no broker that the name servers
    /// know listens where the id says: nobody else is connected to, since an id may come from anywhere. Addresses that are names
    /// are not compared. No name server answers, or the broker does not; [`ErrorKind::MalformedAnswer`] when the message cannot
    /// be read, or its body is longer than [`ClientBuilder::max_body_length`](crate::ClientBuilder::max_body_length).
    ///
    /// [`Receipt::offset_message_id`]: crate::Receipt::offset_message_id
    pub async fn message_by_id(
        &self,
        id: impl TryInto<OffsetMessageId, Error: Display>,
    ) -> Result<Option<ReceivedMessage>, Error> {
        let id = id.try_into().map_err(|error| Error::new(ErrorKind::InvalidArgument, error.to_string()))?;
        let found = self.run(|core, now| core.message_by_id(now, id)).await?;
        Ok(read(&self.handle, found)?.pop())
    }

    /// The messages of a topic that have a key, the oldest first: `admin.messages_by_key("orders", "4711").await?`. None is no error.
    pub fn messages_by_key(&self, topic: &str, key: &str) -> MessagesByKey {
        MessagesByKey::new(&self.handle, MessageQuery::by_key(topic, key))
    }

    /// The message of a topic that has this id of its producer's ([`ReceivedMessage::message_id`]); `None` when no broker of the topic
    /// has one. When a send that was tried again has stored it twice, it is the first.
    ///
    /// # Errors
    /// The topic does not exist; a broker does not answer; the message cannot be read. Smartgo's brokers find nothing by keys, and
    /// are not asked.
    pub async fn message_by_unique_key(&self, topic: &str, id: &str) -> Result<Option<ReceivedMessage>, Error> {
        let query = MessageQuery::by_unique_key(topic, id);
        let found = self.run(|core, now| core.find_messages(now, query)).await?;
        Ok(read(&self.handle, found)?.pop())
    }

    /// A topic's route: its brokers with their addresses, and how many queues each has for reading and writing.
    ///
    /// # Errors
    /// The topic does not exist, or no name server answers.
    pub async fn topic_route(&self, topic: &str) -> Result<TopicRoute, Error> {
        self.run(|core, now| core.topic_route(now, topic)).await
    }

    /// A topic's offsets, queue by queue: the first that there is, one past the last, and when the last message was stored.
    ///
    /// # Errors
    /// The topic does not exist, or a server does not answer.
    pub async fn topic_statistics(&self, topic: &str) -> Result<TopicStatistics, Error> {
        self.run(|core, now| core.topic_statistics(now, topic)).await
    }

    /// The clusters and their brokers.
    ///
    /// # Errors
    /// No name server answers.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, Error> {
        self.run(Core::cluster_info).await
    }

    /// The first offset that a queue has.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn min_offset(&self, queue: &MessageQueue) -> Result<u64, Error> {
        self.offset(|core, now| core.min_offset(now, queue.clone())).await
    }

    /// One past the last offset that a queue has.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn max_offset(&self, queue: &MessageQueue) -> Result<u64, Error> {
        self.offset(|core, now| core.max_offset(now, queue.clone())).await
    }

    /// The offset of the first message stored at this moment or later, in milliseconds since 1970 UTC. From smartgo's servers it may be
    /// that of one before: the last, or any of those that were stored in the millisecond before.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn offset_at(&self, queue: &MessageQueue, unix_ms: u64) -> Result<u64, Error> {
        self.offset(|core, now| core.offset_at(now, queue.clone(), unix_ms)).await
    }

    /// A group's committed offset of a queue: that of the next message it has to consume. `None` when it has none.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn group_offset(&self, group: &str, queue: &MessageQueue) -> Result<Option<u64>, Error> {
        self.run(|core, now| core.group_offset(now, group, queue.clone())).await
    }

    /// Commits the offset of the next message that a group has to consume. A member that is consuming the queue does not hear of it,
    /// and commits its own again: [`reset_offsets`](Self::reset_offsets) is for groups that run.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn commit_group_offset(&self, group: &str, queue: &MessageQueue, offset: u64) -> Result<(), Error> {
        self.run(|core, now| core.commit_group_offset(now, group, queue.clone(), offset)).await
    }

    fn run<T: Given>(&self, begin: impl FnOnce(&mut Core, Now) -> Pending<T>) -> Operation<T> {
        Operation::begin(&self.handle, begin)
    }

    async fn offset(&self, begin: impl FnOnce(&mut Core, Now) -> Pending<Option<u64>>) -> Result<u64, Error> {
        let offset = self.run(begin).await?;
        offset.ok_or_else(|| Error::new(ErrorKind::MalformedAnswer, "a negative offset"))
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// Reads messages outside the lock.
fn read(handle: &Handle, found: FoundMessages) -> Result<Vec<ReceivedMessage>, Error> {
    let settings = &handle.shared.settings;
    found.read(settings.dialect, settings.max_body_length)
}
