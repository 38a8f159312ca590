//! Topics, offsets and clusters.

use std::future::IntoFuture;
use std::sync::Arc;

use stgclient_core::admin::{GroupLag, Placement, TopicSettings, TopicStatistics};
use stgclient_core::client::{Client as Core, Given, Pending};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_core::routes::route::{Permission, TopicRoute};
use stgclient_core::time::Now;
use stgclient_core::wire::body::ClusterInfo;

use crate::handle::Handle;
use crate::operation::Operation;
use stgclient_host::BoxFuture;

/// Topics, offsets and clusters. Cheap to clone.
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
        let (settings, placement) = (TopicSettings::default(), Placement::default());
        CreateTopic { handle: Arc::clone(&self.handle), topic: topic.to_owned(), settings, placement }
    }

    /// Deletes a topic: `admin.delete_topic("orders").await?`. One that does not exist is deleted already. Created anew at smartgo's
    /// servers, it has its old messages.
    pub fn delete_topic(&self, topic: &str) -> DeleteTopic {
        DeleteTopic { handle: Arc::clone(&self.handle), topic: topic.to_owned(), placement: Placement::default() }
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

    /// A topic's route.
    ///
    /// # Errors
    /// The topic does not exist, or no name server answers.
    pub async fn topic_route(&self, topic: &str) -> Result<TopicRoute, Error> {
        self.run(|core, now| core.topic_route(now, topic)).await
    }

    /// A topic's offsets, queue by queue.
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

    /// A group's committed offset; `None` when it has none.
    ///
    /// # Errors
    /// The broker refuses or does not answer.
    pub async fn group_offset(&self, group: &str, queue: &MessageQueue) -> Result<Option<u64>, Error> {
        self.run(|core, now| core.group_offset(now, group, queue.clone())).await
    }

    /// Commits the offset of the next message that a group has to consume.
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

/// The future that a builder becomes when it is awaited.
type Done = BoxFuture<Result<(), Error>>;

/// Creates a topic, or changes it, when awaited.
#[derive(Debug)]
#[must_use = "nothing is created until this is awaited"]
pub struct CreateTopic {
    handle: Arc<Handle>,
    topic: String,
    settings: TopicSettings,
    placement: Placement,
}

impl CreateTopic {
    /// How many queues the topic has at each broker, 1 to 65,536. 8 by default.
    pub const fn queues(mut self, queues: u32) -> Self {
        self.settings.queues = queues;
        self
    }

    /// The template key: the topic whose permissions it inherits.
    pub fn template(mut self, key: &str) -> Self {
        self.settings.template = Some(key.to_owned());
        self
    }

    /// What may be done with the topic. Reading and writing by default.
    pub const fn permission(mut self, permission: Permission) -> Self {
        self.settings.permission = permission;
        self
    }

    /// Where: at all masters by default, or at those of one cluster, or at one broker.
    pub fn at(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }
}

impl IntoFuture for CreateTopic {
    type Output = Result<(), Error>;
    type IntoFuture = Done;

    fn into_future(self) -> Done {
        Box::pin(async move {
            let Self { handle, topic, settings, placement } = self;
            let create = |core: &mut Core, now| core.create_topic(now, &topic, settings, placement);
            Operation::begin(&handle, create).await
        })
    }
}

/// Deletes a topic when awaited.
#[derive(Debug)]
#[must_use = "nothing is deleted until this is awaited"]
pub struct DeleteTopic {
    handle: Arc<Handle>,
    topic: String,
    placement: Placement,
}

impl DeleteTopic {
    /// Where: everywhere by default, or at the brokers of one cluster, or at one broker.
    pub fn at(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }
}

impl IntoFuture for DeleteTopic {
    type Output = Result<(), Error>;
    type IntoFuture = Done;

    fn into_future(self) -> Done {
        Box::pin(async move {
            let Self { handle, topic, placement } = self;
            let delete = |core: &mut Core, now| core.delete_topic(now, &topic, placement);
            Operation::begin(&handle, delete).await
        })
    }
}
