//! How a push consumer is set up and started.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use stgclient_core::client::{Client as Core, PushConsumerId};
use stgclient_core::consumer::allocation::{Allocation, Average};
use stgclient_core::consumer::push::{ConsumeOrder, MessageModel, PushConfig};
use stgclient_core::consumer::{MessageSelector, ReceivedMessage, Selects};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::check_group;
use stgclient_core::wire::body::ExpressionType;

use super::beginning::Beginning;
use super::consumer::{Inner, PushConsumer};
use super::deliveries::Deliveries;
use super::dispatch::Work;
use super::handler::{Batches, Committing, Each, Handler, ReconsumeLater, SuspendCurrentQueue};
use super::keeper::{Directly, Keeper};
use super::listener::{Listener, Listening, Rebalanced};
use super::task::ConsumerTask;
use crate::consumer_place::ConsumerPlace;
use crate::handle::Handle;
use crate::offset_store::OpenStore;
use crate::operation::Operation;
use crate::shared::Shared;
use crate::tasks::{Tasks, unless};
use stgclient_host::{BoxFnOnce, MaybeSend, MaybeSync, OffsetStore};

/// Sets a [`PushConsumer`] up: what it subscribes to, how it consumes, and last what is done with messages.
#[must_use = "a builder does nothing until `start`"]
pub struct PushConsumerBuilder {
    handle: Arc<Handle>,
    group: String,
    config: PushConfig,
    subscriptions: Vec<(String, Result<MessageSelector, Error>)>,
    allocation: Arc<dyn Allocation>,
    store: Option<Arc<dyn OffsetStore>>,
    listener: Option<Box<dyn Listener>>,
}

impl fmt::Debug for PushConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, config, subscriptions, .. } = self;
        let mut shown = f.debug_struct("PushConsumerBuilder");
        shown
            .field("group", group)
            .field("config", config)
            .field("subscriptions", subscriptions)
            .finish_non_exhaustive()
    }
}

impl PushConsumerBuilder {
    pub(crate) fn new(handle: Arc<Handle>, group: &str) -> Self {
        let config = PushConfig::default();
        Self {
            handle,
            group: group.to_owned(),
            config,
            subscriptions: Vec::new(),
            allocation: Arc::new(Average),
            store: None,
            listener: None,
        }
    }

    /// Subscribes to a topic: to messages with one of these tags, `a || b`, or to all with `*`, or to those that a [`MessageSelector`]
    /// selects, as by SQL. Can be called for several topics. A broker is asked at the start whether it takes an SQL expression, if
    /// the topic is there.
    ///
    /// All members of a group have to subscribe to the same topics in the same way: they share the queues of a topic among all of them,
    /// so that nobody consumes what falls to one that does not want it. Brokers do not tell. Whoever wants something else is another
    /// group.
    pub fn subscribe(mut self, topic: &str, selector: impl Selects) -> Self {
        self.subscriptions.push((topic.to_owned(), selector.selector()));
        self
    }

    /// Where the group begins on a queue of which it has no offset. After the last message by default.
    ///
    /// A [`SystemTime`](std::time::SystemTime) is one to begin at, too.
    pub fn consume_from(mut self, from: impl Beginning) -> Self {
        self.config.consume_from = from.consume_from();
        self
    }

    /// Whether the members of the group share the messages ([`MessageModel::Clustering`], the default), or each gets all
    /// ([`MessageModel::Broadcasting`]).
    pub const fn message_model(mut self, model: MessageModel) -> Self {
        self.config.message_model = model;
        self
    }

    /// How many messages may be in work at once: handlers that run, or messages of a stream that are held. 64 by default, 1 at the
    /// least.
    pub const fn max_in_work(mut self, messages: usize) -> Self {
        self.config.max_in_work = messages;
        self
    }

    /// How many messages a second are delivered at the most, 1 or more. As many as come by default.
    pub const fn max_rate(mut self, messages: u32) -> Self {
        self.config.max_rate = Some(messages);
        self
    }

    /// How often a message that fails is consumed again before it goes to the dead letters. 16 times by default, and for
    /// an orderly consumer without end.
    pub const fn max_reconsume_times(mut self, times: u32) -> Self {
        self.config.max_reconsume_times = Some(times);
        self
    }

    /// How queues are shared among the members of the group; all have to do it in the same way. Evenly, in rows, by
    /// default ([`allocation::Average`](crate::allocation::Average), Java's `AllocateMessageQueueAveragely`). The module
    /// [`allocation`](crate::allocation) has Java's others.
    pub fn allocation(mut self, allocation: impl Allocation + 'static) -> Self {
        self.allocation = Arc::new(allocation);
        self
    }

    /// Where a broadcasting consumer keeps its offsets: a `FileOffsets`, [`MemoryOffsets`](crate::MemoryOffsets) or an
    /// [`OffsetStore`] of one's own. In a file below `~/.rocketmq_offsets` by default on tokio. Of no account to a clustering
    /// consumer, whose offsets brokers have.
    pub fn offset_store(mut self, store: impl OffsetStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Has the application follow which queues are this consumer's, for what it keeps of each.
    ///
    /// The listener hears of queues before their first message is delivered and after the last, of the retry topic's too. A queue
    /// begins once the future of its [`Rebalanced::Assigned`] has ended, or after 20 s. One of an orderly consumer goes to the next
    /// member once that of its [`Rebalanced::Revoked`] has ended, or after 20 s. Those of a concurrent consumer are locked by
    /// nobody: the next member may have begun by then, where this one had finished.
    /// When the consumer is closed, the listener has what is left of the time for that, and all queues stay this member's until then.
    /// One change is told after the other; what comes while the
    /// listener is at an earlier one may begin, or leave, before it is told. A listener that panics is logged, and counts as done.
    ///
    /// ```no_run
    /// # use stgclient::{Client, Rebalanced};
    /// # async fn load(queue: &stgclient::MessageQueue) {}
    /// # async fn save(queue: &stgclient::MessageQueue) {}
    /// # fn set_up(client: &Client) -> stgclient::PushConsumerBuilder {
    /// client.push_consumer("billing").subscribe("orders", "*").rebalance_listener(|change| async move {
    ///     match change {
    ///         Rebalanced::Assigned(queues) => for queue in &queues { load(queue).await },
    ///         Rebalanced::Revoked(queues) => for queue in &queues { save(queue).await },
    ///     }
    /// })
    /// # }
    /// ```
    pub fn rebalance_listener<F, R>(mut self, listener: F) -> Self
    where
        F: FnMut(Rebalanced) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = ()> + MaybeSend + 'static,
    {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Everything else: bounds, intervals, batches.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn set_up(client: &stgclient::Client) -> stgclient::PushConsumerBuilder {
    /// client.push_consumer("billing").subscribe("orders", "*").configure(|config| {
    ///     config.max_cached_messages = 100;
    ///     config.consume_timeout = Duration::from_secs(60);
    /// })
    /// # }
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut PushConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Has `handler` consume messages side by side, in any order.
    ///
    /// One that fails or panics is consumed again later, by any member of the group; of a broadcasting consumer it is logged and
    /// dropped. `?` takes any error. It runs on a thread of the runtime, which it must not block, not even to wait for a send: what reads
    /// the connections may be due on the same thread. What blocks belongs into tokio's `spawn_blocking`.
    ///
    /// ```no_run
    /// # async fn run(client: &stgclient::Client) -> Result<(), stgclient::Error> {
    /// let consumer = client.push_consumer("billing").subscribe("orders", "paid || refunded").concurrently(|order| async move {
    ///     println!("{}", std::str::from_utf8(order.body())?);
    ///     Ok(())
    /// });
    /// let consumer = consumer.start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrently<F, R>(self, handler: F) -> StartPushConsumer
    where
        F: Fn(ReceivedMessage) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<(), ReconsumeLater>> + MaybeSend + 'static,
    {
        StartPushConsumer::new(self, Each(handler))
    }

    /// As [`concurrently`](Self::concurrently), up to `size` messages of a queue at once, 1 to 1024: those that are there, so there may
    /// be fewer. They succeed or fail together. [`max_in_work`](Self::max_in_work) becomes four batches if it is less.
    pub fn concurrently_in_batches<F, R>(mut self, size: usize, handler: F) -> StartPushConsumer
    where
        F: Fn(Vec<ReceivedMessage>) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<(), ReconsumeLater>> + MaybeSend + 'static,
    {
        self.config.consume_batch_size = size;
        self.config.max_in_work = self.config.max_in_work.max(size.saturating_mul(4));
        StartPushConsumer::new(self, Batches { handler, size: size.max(1) })
    }

    /// Has `handler` consume the messages of each queue one after the other, in the order of their offsets. Different
    /// queues are consumed side by side.
    ///
    /// When one fails or panics its queue rests for a while, and the message is delivered again before all that follow
    /// it. A delivery cannot be recalled: when the queue's lock is lost while the handler works, because the broker
    /// restarts or the connection to it breaks, another member may begin with the same message. Smartgo's brokers lock nothing: a
    /// queue that gets a new owner rests for 35 s, in which the old one must have stopped.
    pub fn orderly<F, R>(mut self, handler: F) -> StartPushConsumer
    where
        F: Fn(ReceivedMessage) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<(), SuspendCurrentQueue>> + MaybeSend + 'static,
    {
        self.config.order = ConsumeOrder::Orderly;
        StartPushConsumer::new(self, Each(handler))
    }

    /// As [`orderly`](Self::orderly), but `handler` says when what is consumed is committed. What is not comes again after a restart, or
    /// when the queue moves to another member.
    pub fn orderly_committing<F, R>(mut self, handler: F) -> StartPushConsumer
    where
        F: Fn(ReceivedMessage) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<Committing, SuspendCurrentQueue>> + MaybeSend + 'static,
    {
        self.config.order = ConsumeOrder::Orderly;
        self.config.auto_commit = false;
        StartPushConsumer::new(self, Each(handler))
    }

    /// Gives the messages as a stream, to be acknowledged by hand: [`Deliveries`].
    pub const fn stream(self) -> StartStream {
        StartStream(self)
    }

    /// Starts the consumer, and has `launch` begin with its messages.
    async fn start(self, launch: impl FnOnce(Launch) -> Option<Directly>) -> Result<PushConsumer, Error> {
        let Self { handle, group, mut config, subscriptions, allocation, store, listener } = self;
        // Nobody else would ever be done with the queues.
        config.follows_queues = listener.is_some();
        let subscriptions: Vec<(String, MessageSelector)> =
            subscriptions.into_iter().map(|(topic, selector)| Ok((topic, selector?))).collect::<Result<_, Error>>()?;
        // Before anything is made by this name.
        check_group(&group)?;
        for (topic, selector) in &subscriptions {
            if *selector.expression_type() != ExpressionType::Tag {
                check(&handle, &group, topic, selector).await?;
            }
        }
        let shared = &handle.shared;
        let store = match (config.message_model, store) {
            (MessageModel::Broadcasting, None) => {
                let instance = shared.settings.instance.as_deref().unwrap_or("DEFAULT");
                Some(shared.host.offset_store(instance, &group).await?)
            }
            (MessageModel::Broadcasting, store) => store,
            (_, _) => None,
        };
        let (store, stored) = match store {
            Some(store) => {
                let opened = unless(shared.ended.wait(), OpenStore::open(store, &group)).await;
                let (store, stored) = opened.unwrap_or_else(|| Err(Error::new(ErrorKind::Closed, "the client")))?;
                (Some(store), stored)
            }
            None => (None, BTreeMap::new()),
        };
        let is_orderly = config.order == ConsumeOrder::Orderly;
        let is_empty = subscriptions.is_empty();
        let max_in_work = config.max_in_work;
        // Made here, and dropped here if the consumer does not start: the strategy may do anything as it is dropped.
        let place = Arc::new(ConsumerPlace::new(allocation));
        let id = shared.with(|state, now| {
            let id = state.core.start_push_consumer(now, &group, config, subscriptions, stored)?;
            state.consumers.add(id, &place);
            Ok::<_, Error>(id)
        })?;
        // From here on the consumer is closed when this is dropped.
        let tasks = Arc::<Tasks>::default();
        let inner = Inner {
            handle: Arc::clone(&handle),
            id,
            group: group.clone(),
            place: Arc::clone(&place),
            tasks: Arc::clone(&tasks),
        };
        let consumer = PushConsumer { inner: Arc::new(inner) };
        let launched = Launch {
            shared: Arc::clone(shared),
            id,
            group: group.clone(),
            place: Arc::clone(&place),
            tasks: Arc::clone(&tasks),
            is_orderly,
            max_in_work,
        };
        let task = launched.task();
        let directly = launch(launched);
        if let Some(listener) = listener {
            let (shared, place, tasks) = (Arc::clone(shared), Arc::clone(&place), Arc::clone(&tasks));
            let listening = Listening { shared, id, group: group.clone(), place, tasks, listener };
            handle.shared.host.spawn(Box::pin(listening.run()));
        }
        let keeper = Keeper { shared: Arc::clone(shared), id, place, store, directly, is_orderly, tasks, group };
        shared.host.spawn(Box::pin(async move {
            keeper.run().await;
            drop(task);
        }));
        if !is_empty {
            consumer.shared().standing_in(consumer.inner.place.started()).await?;
        }
        Ok(consumer)
    }
}

/// Has a broker check an expression. Only one that says no keeps the consumer from starting, as nothing does of one by tags:
/// nothing is fetched before a broker has taken it in any case.
async fn check(handle: &Arc<Handle>, group: &str, topic: &str, selector: &MessageSelector) -> Result<(), Error> {
    let says_nothing = |error: &Error| error.is_busy() || (error.is_retryable() && error.kind() != ErrorKind::Refused);
    let queues = match Operation::begin(handle, |core: &mut Core, now| core.queues(now, topic)).await {
        // Nobody can say before it is there, or while servers are away.
        Err(error) if error.kind() == ErrorKind::TopicNotFound || says_nothing(&error) => return Ok(()),
        queues => queues?,
    };
    let Some(queue) = queues.into_iter().next() else {
        return Ok(());
    };
    let check = |core: &mut Core, now| core.check_subscription(now, group, queue, selector.clone());
    match Operation::begin(handle, check).await {
        Err(error) if says_nothing(&error) => Ok(()),
        checked => checked,
    }
}

/// What begins with a consumer's messages needs.
struct Launch {
    shared: Arc<Shared>,
    id: PushConsumerId,
    group: String,
    place: Arc<ConsumerPlace>,
    tasks: Arc<Tasks>,
    is_orderly: bool,
    max_in_work: usize,
}

impl Launch {
    fn task(&self) -> ConsumerTask {
        ConsumerTask::new(&self.shared, &self.tasks)
    }
}

/// A push consumer that is set up, and has only to be started.
#[must_use = "a builder does nothing until `start`"]
pub struct StartPushConsumer {
    builder: PushConsumerBuilder,
    launch: BoxFnOnce<Launch, Option<Directly>>,
}

impl fmt::Debug for StartPushConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartPushConsumer").field(&self.builder).finish()
    }
}

impl StartPushConsumer {
    fn new<H: Handler>(builder: PushConsumerBuilder, handler: H) -> Self {
        let launch = move |launch: Launch| {
            let task = launch.task();
            let Launch { shared, id, group, place, tasks, is_orderly, max_in_work } = launch;
            let host = Arc::clone(&shared.host);
            let work = Arc::new(Work { shared, id, group, place, tasks, handler, is_orderly, max_in_work });
            let dispatcher = Arc::clone(&work);
            host.spawn(Box::pin(async move {
                dispatcher.dispatch().await;
                drop(task);
            }));
            let directly: Directly =
                Box::new(move |message: ReceivedMessage| Box::pin(Arc::clone(&work).consume_directly(message)));
            Some(directly)
        };
        Self { builder, launch: Box::new(launch) }
    }

    /// Starts the consumer. A topic that does not exist yet is consumed as soon as it does.
    ///
    /// When this returns, what is sent from now on is consumed, also by a new group that begins with
    /// [`ConsumeFrom::LastOffset`](crate::ConsumeFrom::LastOffset), unless no broker of a topic could say where its queues end: that is asked once, for
    /// as long as a request and a look-up may take.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when a group's or a topic's name or an expression is none, a number is out of its range, or
    /// the client has a push consumer of this group already; [`ErrorKind::Refused`] when a broker does not take an SQL expression; [`ErrorKind::OffsetStore`] when the stored offsets cannot
    /// be read or another consumer uses them; [`ErrorKind::Closed`] when the client is closed.
    pub async fn start(self) -> Result<PushConsumer, Error> {
        let Self { builder, launch } = self;
        builder.start(launch).await
    }
}

/// A stream of messages that is set up, and has only to be started.
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct StartStream(PushConsumerBuilder);

impl StartStream {
    /// The messages of each queue one after the other: the next one of a queue comes when the one before is settled.
    pub const fn orderly(mut self) -> Self {
        self.0.config.order = ConsumeOrder::Orderly;
        self
    }

    /// Starts the consumer.
    ///
    /// # Errors
    /// As [`StartPushConsumer::start`].
    pub async fn start(self) -> Result<Deliveries, Error> {
        let consumer = self.0.start(|_| None).await?;
        Ok(Deliveries::new(consumer))
    }
}
