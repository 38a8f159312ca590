//! Tasks of several requests: what has to be known first, whom to ask what, and what the answers add up to. One file a kind,
//! with its rule; a new kind has a file here and a name in `kinds!`.

mod create_topic;
mod delete_topic;
mod group_lag;
mod group_names;
mod message_by_id;
mod message_query;
mod reset_offsets;
mod targets;
mod topic_statistics;

pub(crate) use create_topic::CreateTopic;
pub(crate) use delete_topic::DeleteTopic;
pub(crate) use group_lag::LagOf;
pub(crate) use group_names::GroupNames;
pub(crate) use message_by_id::MessageAt;
pub(crate) use message_query::FindMessages;
pub(crate) use reset_offsets::ResetOffsets;
pub(crate) use targets::Target;
pub(crate) use topic_statistics::StatisticsOf;

use crate::address::Address;
use crate::admin::Placement;
use crate::client::base::config::ClientConfig;
use crate::client::base::value::{Given, Value};
use crate::client::operations::tasks::targets::masters_of;
use crate::error::{Error, ErrorKind};
use crate::routes::route::TopicRoute;
use crate::wire::body::ClusterInfo;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::fields::WriteHeader;
use crate::wire::json::Readable;

/// What has to be known before anybody can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Needs<'a> {
    /// Nothing: this broker is asked.
    Nothing(&'a Address),
    Clusters,
    Route(&'a str),
}

impl<'a> Needs<'a> {
    fn of(placement: &'a Placement) -> Self {
        match placement {
            Placement::Address(address) => Self::Nothing(address),
            Placement::Everywhere | Placement::Cluster(_) | Placement::Broker(_) => Self::Clusters,
        }
    }
}

/// What comes after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: who answered is done.
    Done,
    /// This is asked in place of what was.
    Ask(Target),
}

/// Writes a request with this code and header.
pub(crate) type Write<'w> = dyn FnMut(RequestCode, &dyn WriteHeader) + 'w;

/// The rule of a kind of task.
pub(crate) trait Rule: Into<Task> {
    /// What the answers add up to.
    type Gives: Given;

    /// For how many requests one after the other there is time: the look-up, and then the brokers.
    const LEGS: u32 = 2;

    /// What the task does, for errors.
    fn words(&self) -> String;

    /// Why it cannot be done at all.
    fn check(&self, config: &ClientConfig) -> Result<(), Error>;

    fn needs(&self) -> Needs<'_>;

    /// The topic that is not the same afterwards.
    fn changes(&self) -> Option<&str> {
        None
    }

    /// Its topic has no route. Whether it needs something else now.
    fn goes_without_route(&mut self) -> bool {
        false
    }

    /// Whom to ask in these clusters, if they had to be known.
    fn targets(&self, _clusters: &ClusterInfo, _name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        Ok(Vec::new())
    }

    /// Whom to ask along this route, if it had to be known.
    fn targets_on(&mut self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
        masters_of(route)
    }

    /// Has written what a target is asked.
    fn write(&self, dialect: Dialect, target: &Target, write: &mut Write<'_>);

    /// Takes one answer.
    fn take(&mut self, _target: &Target, answer: &Command) -> Result<Then, Error> {
        success(answer).map(|()| Then::Done)
    }

    /// What all answers add up to.
    fn give(&mut self) -> Result<Self::Gives, Error>;
}

/// An error if it is a refusal.
fn success(answer: &Command) -> Result<(), Error> {
    match ResponseCode(answer.code) {
        ResponseCode::SUCCESS => Ok(()),
        code => Err(Error::refused(code, answer.remark.as_deref())),
    }
}

/// The body of an answer that is no refusal.
fn body<T: Readable>(answer: &Command) -> Result<T, Error> {
    success(answer)?;
    answer.read_body().map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))
}

/// Makes a task of the kinds that there are.
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// A task.
        #[derive(Debug)]
        pub(crate) enum Task {
            $($kind($kind),)*
        }

        $(impl From<$kind> for Task {
            fn from(task: $kind) -> Self {
                Self::$kind(task)
            }
        })*

        impl Task {
            pub(crate) fn words(&self) -> String {
                match self {
                    $(Self::$kind(task) => task.words(),)*
                }
            }

            pub(crate) fn needs(&self) -> Needs<'_> {
                match self {
                    $(Self::$kind(task) => task.needs(),)*
                }
            }

            pub(crate) fn changes(&self) -> Option<&str> {
                match self {
                    $(Self::$kind(task) => task.changes(),)*
                }
            }

            pub(crate) fn goes_without_route(&mut self) -> bool {
                match self {
                    $(Self::$kind(task) => task.goes_without_route(),)*
                }
            }

            pub(crate) fn targets(&self, clusters: &ClusterInfo, name_servers: &[Address]) -> Result<Vec<Target>, Error> {
                match self {
                    $(Self::$kind(task) => task.targets(clusters, name_servers),)*
                }
            }

            pub(crate) fn targets_on(&mut self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
                match self {
                    $(Self::$kind(task) => task.targets_on(route),)*
                }
            }

            pub(crate) fn write(&self, dialect: Dialect, target: &Target, write: &mut Write<'_>) {
                match self {
                    $(Self::$kind(task) => task.write(dialect, target, write),)*
                }
            }

            pub(crate) fn take(&mut self, target: &Target, answer: &Command) -> Result<Then, Error> {
                match self {
                    $(Self::$kind(task) => task.take(target, answer),)*
                }
            }

            pub(crate) fn give(&mut self) -> Result<Value, Error> {
                match self {
                    $(Self::$kind(task) => task.give().map(Into::into),)*
                }
            }
        }
    };
}

kinds! { CreateTopic DeleteTopic StatisticsOf GroupNames LagOf MessageAt FindMessages ResetOffsets }
