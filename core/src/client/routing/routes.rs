//! Routes: who waits for which, and how an answer is read.

use crate::client::base::ids::Owner;
use crate::error::{Error, ErrorKind};
use crate::routes::route::{RouteError, TopicRoute};
use crate::routes::topics::{Purpose, TopicId};
use crate::sorted::SortedMap;
use crate::wire::body::TopicRouteData;
use crate::wire::command::Command;

/// Who waits for which topic's route, and what for.
#[derive(Debug, Default)]
pub(crate) struct RouteWaiters {
    pub(crate) waiting: SortedMap<TopicId, Vec<(Owner, Purpose)>>,
}

impl RouteWaiters {
    pub(crate) fn retain(&mut self, keep: impl Fn(&Owner) -> bool) {
        self.waiting.values_mut().for_each(|waiting| waiting.retain(|(owner, _)| keep(owner)));
    }
}

/// Reads a name server's answer to a question for a route.
pub(crate) fn read_route(answer: &Command) -> Result<(TopicRoute, Vec<RouteError>), Error> {
    let malformed = |why: String| Error::new(ErrorKind::MalformedAnswer, format!("route: {why}"));
    let data: TopicRouteData = answer.read_body().map_err(|error| malformed(error.to_string()))?;
    let (route, odd) = TopicRoute::from_body(data);
    let unread = answer.odd.refused().map(ToString::to_string);
    let why = odd.first().map(ToString::to_string).or_else(|| unread.clone());
    let is_nowhere = route.brokers.iter().all(|broker| broker.addresses.is_empty());
    match why {
        // Nothing is left of it: what is known already is better.
        Some(why) if is_nowhere || (unread.is_some() && route.queues.is_empty()) => Err(malformed(why)),
        _ => Ok((route, odd)),
    }
}
