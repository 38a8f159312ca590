//! Routes: who waits for which, how an answer is read, and what of it has been passed over.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::base::ids::Owner;
use crate::error::{Error, ErrorKind};
use crate::notice::{Notice, Notices};
use crate::routes::route::{RouteError, TopicRoute};
use crate::routes::topics::{Purpose, TopicId};
use crate::wire::body::{self, TopicRouteData};
use crate::wire::command::Command;

/// Who waits for which topic's route, and what for.
#[derive(Debug, Default)]
pub(crate) struct RouteWaiters {
    pub(crate) waiting: BTreeMap<TopicId, Vec<(Owner, Purpose)>>,
}

impl RouteWaiters {
    pub(crate) fn retain(&mut self, keep: impl Fn(&Owner) -> bool) {
        self.waiting.values_mut().for_each(|waiting| waiting.retain(|(owner, _)| keep(owner)));
    }
}

/// Reads a name server's answer to a question for a route.
pub(crate) fn read_route(answer: &Command) -> Result<(TopicRoute, Vec<RouteError>), Error> {
    let malformed = |why: String| Error::new(ErrorKind::MalformedAnswer, format!("route: {why}"));
    let data: TopicRouteData = body::from_slice(&answer.body).map_err(|error| malformed(error.to_string()))?;
    let (route, odd) = TopicRoute::from_body(data);
    match odd.first() {
        // Nothing is left of it: what is known already is better.
        Some(why) if route.brokers.iter().all(|broker| broker.addresses.is_empty()) => Err(malformed(why.to_string())),
        _ => Ok((route, odd)),
    }
}

/// What of routes has been passed over and said, once each.
#[derive(Debug, Default)]
pub(crate) struct Oddities(BTreeSet<RouteError>);

/// How many of them are remembered. Of more than so many some are said again.
const MOST_ODDITIES: usize = 256;

impl Oddities {
    pub(crate) fn note(&mut self, topic: &str, odd: Vec<RouteError>, notices: &mut Notices) {
        for error in odd {
            if self.0.len() >= MOST_ODDITIES {
                self.0.clear();
            }
            if !self.0.contains(&error) {
                let notice = Notice::warn("a part of a route is passed over");
                notices.push(notice.about("topic", topic).about("error", &error));
                self.0.insert(error);
            }
        }
    }
}
