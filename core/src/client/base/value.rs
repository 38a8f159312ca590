//! What operations give, each to its caller: a verb says by its [`Pending`] what its outcome is read as.

use core::fmt;
use core::marker::PhantomData;
use std::collections::BTreeMap;

use crate::admin::{FoundMessages, GroupLag, TopicStatistics};
use crate::client::base::ids::OperationId;
use crate::consumer::Pulled;
use crate::error::{Error, ErrorKind};
use crate::producer::Receipt;
use crate::queue::MessageQueue;
use crate::routes::route::TopicRoute;
use crate::sorted::SortedSet;
use crate::wire::body::{ClusterInfo, ConsumerList};

/// How an operation went; its [`Pending`] reads it.
pub type Outcome = Result<Value, Error>;

/// What can be given by an operation. Each type has one [`Value`].
pub trait Given: Into<Value> {
    /// This, out of a value, if it is one.
    #[doc(hidden)]
    fn of(value: Value) -> Option<Self>;

    /// Reads the outcome of an operation that gives this, where its [`Pending`] is not at hand.
    ///
    /// # Errors
    /// As [`Pending::read`].
    #[inline]
    fn read(outcome: Outcome) -> Result<Self, Error> {
        let other = || Error::new(ErrorKind::InvalidArgument, "the outcome of another operation");
        Self::of(outcome?).ok_or_else(other)
    }
}

/// Makes the values that there are, and what each is read as.
macro_rules! values {
    ($($(#[$about:meta])* $kind:ident($given:ty),)*) => {
        /// What an operation gives.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Value {
            /// It is done.
            Done,
            $($(#[$about])* $kind($given),)*
        }

        $(
            impl From<$given> for Value {
                fn from(given: $given) -> Self {
                    Self::$kind(given)
                }
            }

            impl Given for $given {
                #[inline]
                fn of(value: Value) -> Option<Self> {
                    match value {
                        Value::$kind(given) => Some(given),
                        _ => None,
                    }
                }
            }
        )*
    };
}

values! {
    /// A message was sent.
    Sent(Receipt),
    /// A pull was answered.
    Pulled(Pulled),
    /// An offset; `None` when a group has none.
    Offset(Option<u64>),
    /// A topic's queues.
    Queues(Vec<MessageQueue>),
    /// The client ids of a group's members.
    Members(ConsumerList),
    /// Those of the queues asked for that are locked.
    Locked(SortedSet<MessageQueue>),
    /// A topic's route.
    Route(TopicRoute),
    /// The names of topics or of groups, sorted.
    Names(Vec<String>),
    /// Clusters and their brokers.
    ClusterInfo(ClusterInfo),
    /// A topic's offsets, queue by queue.
    Statistics(TopicStatistics),
    /// How far a group is behind, queue by queue.
    Lag(GroupLag),
    /// Messages that were looked for.
    Messages(FoundMessages),
    /// Offsets by queue.
    Offsets(BTreeMap<MessageQueue, u64>),
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl Given for () {
    #[inline]
    fn of(value: Value) -> Option<Self> {
        matches!(value, Value::Done).then_some(())
    }
}

/// An operation under way that gives a `T` when it is done.
///
/// ```
/// use stgclient_core::client::{Client, ClientConfig, Event, Pending};
/// use stgclient_core::time::Now;
///
/// let config = ClientConfig::new(stgclient_core::address::parse_list("127.0.0.1:9876")?);
/// let mut client = Client::new(config, 42, Now::default());
/// // No topic has this name, so this is over at once.
/// let pending: Pending<Vec<_>> = client.queues(Now::default(), "");
/// let Some(Event::Completed { operation, outcome }) = client.poll_event() else { panic!() };
/// assert_eq!(operation, pending.id());
/// assert!(pending.read(outcome).is_err());
/// # Ok::<(), stgclient_core::address::AddressError>(())
/// ```
pub struct Pending<T> {
    id: OperationId,
    gives: PhantomData<fn() -> T>,
}

impl<T: Given> Pending<T> {
    pub(crate) const fn new(id: OperationId) -> Self {
        Self { id, gives: PhantomData }
    }

    /// What [`Event::Completed`](crate::client::Event::Completed) calls it.
    pub const fn id(self) -> OperationId {
        self.id
    }

    /// Reads its outcome.
    ///
    /// # Errors
    /// Why it failed; [`ErrorKind::InvalidArgument`] when the outcome is that of another operation.
    pub fn read(self, outcome: Outcome) -> Result<T, Error> {
        T::read(outcome)
    }
}

impl<T> Clone for Pending<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pending<T> {}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.id).finish()
    }
}

impl<T> From<Pending<T>> for OperationId {
    fn from(pending: Pending<T>) -> Self {
        pending.id
    }
}
