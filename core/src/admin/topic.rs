//! What a topic is to be like, and where.

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::routes::route::Permission;

/// How many queues a topic may be created with; Apache's brokers know no limit, but a route does.
const MAX_QUEUES: u32 = 65_536;

/// What a topic is to be like (`TopicConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// How many queues it has at each broker, 1 to 65,536.
    pub queues: u32,
    /// What may be done with it.
    pub permission: Permission,
    /// The template key: the topic whose permissions it inherits; the dialect's default topic when `None`.
    pub template: Option<String>,
    /// Whether its order matters.
    pub ordered: bool,
}

impl Default for TopicSettings {
    /// Eight queues, readable and writable.
    fn default() -> Self {
        Self { queues: 8, permission: Permission::READ_WRITE, template: None, ordered: false }
    }
}

impl TopicSettings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=MAX_QUEUES).contains(&self.queues) {
            return Ok(());
        }
        let why = format!("a topic of {} queues; 1 to {MAX_QUEUES} are allowed", self.queues);
        Err(Error::new(ErrorKind::InvalidArgument, why))
    }
}

/// Where a topic is created or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// At all masters that the name servers know.
    #[default]
    Everywhere,
    /// At all masters of a cluster.
    Cluster(String),
    /// At one broker, by its name.
    Broker(String),
    /// At one broker, by its address.
    Address(Address),
}
