//! What operations give, by their kind: the one place that knows which [`Value`] a verb of the core completes with.

use stgclient_core::admin::TopicStatistics;
use stgclient_core::client::{Outcome, Value};
use stgclient_core::consumer::Pulled;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Receipt;
use stgclient_core::queue::MessageQueue;
use stgclient_core::routes::route::TopicRoute;
use stgclient_core::wire::body::ClusterInfo;

/// What reads an outcome.
pub(crate) type Read<T> = fn(Outcome) -> Result<T, Error>;

macro_rules! read {
    ($($(#[$about:meta])* $name:ident: $variant:ident($kind:ty);)*) => {
        $($(#[$about])* pub(crate) fn $name(outcome: Outcome) -> Result<$kind, Error> {
            match outcome? {
                Value::$variant(value) => Ok(value),
                other => Err(unexpected(&other)),
            }
        })*
    };
}

read! {
    /// Of a send that was awaited.
    receipt: Sent(Receipt);
    pulled: Pulled(Pulled);
    /// `None` when a group has none.
    offset: Offset(Option<u64>);
    queues: Queues(Vec<MessageQueue>);
    route: Route(TopicRoute);
    topics: Topics(Vec<String>);
    cluster_info: ClusterInfo(ClusterInfo);
    statistics: Statistics(TopicStatistics);
}

/// Of what gives nothing but that it is done.
pub(crate) fn done(outcome: Outcome) -> Result<(), Error> {
    outcome.map(drop)
}

fn unexpected(value: &Value) -> Error {
    Error::new(ErrorKind::MalformedAnswer, format!("an unexpected value {value:?}"))
}
