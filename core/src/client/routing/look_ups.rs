//! Look-ups at the name servers: what is asked, on whose behalf, and who has been tried.

use std::sync::Arc;

use crate::address::Address;
use crate::client::base::ids::{CallKind, Owner};
use crate::error::{Attempt, Error};
use crate::routes::topics::TopicId;
use crate::table::Table;
use crate::time::{Deadlines, Instant};

/// What a name server is asked.
#[derive(Clone, Debug)]
pub(crate) enum NameServerRequest {
    Route {
        topic: Arc<str>,
    },
    /// Anything that costs little: whatever the answer is, it is a sign of life.
    SignOfLife,
    ClusterInfo,
    TopicList,
    /// The project that the operators have given this host to.
    ProjectGroup,
}

/// Who wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seeker {
    Operation(Owner),
    /// The table of routes, about this topic.
    Topic(TopicId),
    /// The table of routes, about the default topic on behalf of this unknown one.
    DefaultTopic(TopicId),
}

/// A look-up under way.
#[derive(Debug)]
pub(crate) struct NameServerCall {
    pub(crate) request: NameServerRequest,
    pub(crate) seeker: Seeker,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// Those asked already, the current one last.
    pub(crate) tried: Vec<Address>,
    pub(crate) attempts: Vec<Attempt>,
    /// How one refused who does not know the topic: another may. They forget topics when they start.
    pub(crate) absence: Option<Error>,
    /// Why TLS failed, as long as nothing else did.
    pub(crate) tls_failure: Option<Error>,
    /// When the current one has used up its share of the time.
    pub(crate) try_deadline: Instant,
}

/// The look-ups under way.
#[derive(Debug, Default)]
pub(crate) struct NameServerCalls {
    pub(crate) table: Table<NameServerCall, CallKind>,
    pub(crate) timers: Deadlines,
}

impl NameServerCalls {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }
}
