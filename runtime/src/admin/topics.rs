//! Creating and deleting topics.

use std::future::IntoFuture;
use std::sync::Arc;

use stgclient_core::admin::{Placement, TopicSettings};
use stgclient_core::client::Client as Core;
use stgclient_core::error::Error;
use stgclient_core::routes::route::Permission;

use crate::handle::Handle;
use crate::operation::Operation;
use stgclient_host::BoxFuture;

/// The future that a builder becomes when it is awaited.
type Done = BoxFuture<Result<(), Error>>;

/// Creates a topic, or changes it, when awaited. It is done when all masters concerned have it.
///
/// ```no_run
/// # async fn run(client: &stgclient::Client) -> Result<(), stgclient::Error> {
/// client.admin().create_topic("orders").queues(16).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a wrong name or number of queues,
/// [`AccessDenied`](crate::ErrorKind::AccessDenied), or a server does not answer. Each broker is told by itself: after an error some may
/// have the topic. The same call may be made again.
#[derive(Debug)]
#[must_use = "nothing is created until this is awaited"]
pub struct CreateTopic {
    handle: Arc<Handle>,
    topic: String,
    settings: TopicSettings,
    placement: Placement,
}

impl CreateTopic {
    pub(super) fn new(handle: &Arc<Handle>, topic: &str) -> Self {
        let (settings, placement) = (TopicSettings::default(), Placement::default());
        Self { handle: Arc::clone(handle), topic: topic.to_owned(), settings, placement }
    }

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
///
/// # Errors
/// As of [`CreateTopic`].
#[derive(Debug)]
#[must_use = "nothing is deleted until this is awaited"]
pub struct DeleteTopic {
    handle: Arc<Handle>,
    topic: String,
    placement: Placement,
}

impl DeleteTopic {
    pub(super) fn new(handle: &Arc<Handle>, topic: &str) -> Self {
        Self { handle: Arc::clone(handle), topic: topic.to_owned(), placement: Placement::default() }
    }

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
