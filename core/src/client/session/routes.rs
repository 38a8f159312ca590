//! Routes: asked for when somebody needs one, again every 30 s, and at once when something fails.

use std::sync::Arc;

use crate::address::Address;
use crate::client::base::client_event::ClientEvent;
use crate::client::base::ids::Owner;
use crate::client::base::signal::Signal;
use crate::client::routing::look_ups::{RouteOf, Seeker};
use crate::client::routing::routes::read_route;
use crate::client::session::Session;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::routes::route::{MAX_QUEUES, Permission, RouteBroker, TopicRoute};
use crate::routes::topics::{Purpose, Refresh, Topic, TopicId};
use crate::time::{Duration, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// How many queues of the default topic an unknown one inherits at the most. A producer uses as many of them as it would
/// have the topic created with.
const INHERITED_QUEUES: u32 = MAX_QUEUES as u32;

impl Session {
    /// The topic called `name`, in use from now on.
    pub(crate) fn topic(&mut self, now: Now, name: &Arc<str>) -> TopicId {
        let (random, interval) = (&mut self.random, self.config.route_interval);
        self.topics.using(now.mono, name, || {
            let cursor = random.next_u64() as u32;
            // Topics that are first used together are not all asked about together ever after.
            let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
            (cursor, Duration::from_micros(interval - random.below(interval.max(1))))
        })
    }

    /// Has `owner` told once the route of `topic` is there, or will not be.
    pub(crate) fn await_route(&mut self, now: Now, topic: TopicId, purpose: Purpose, owner: Owner) {
        self.route_waiters.waiting.get_or_default(topic).push((owner, purpose));
        self.ask_route(now, topic);
        if !self.topics.get(topic).is_some_and(Topic::is_asking) {
            // Asked for a moment ago: what is known is new enough.
            self.tell_waiters(topic, None, &Ok(()));
        }
    }

    /// Has `owner` told once a newer route of `topic` is there, or will not be. Returns whether it will be told: not when the
    /// route has been asked for a moment ago.
    pub(crate) fn seek_route(&mut self, now: Now, topic: TopicId, purpose: Purpose, owner: Owner) -> bool {
        // Before the question: it may fail at once, and then the owner is told already.
        self.route_waiters.waiting.get_or_default(topic).push((owner, purpose));
        self.ask_route(now, topic);
        if self.topics.get(topic).is_some_and(Topic::is_asking) {
            return true;
        }
        let Some(waiting) = self.route_waiters.waiting.get_mut(&topic) else {
            return true;
        };
        waiting.retain(|(known, _)| *known != owner);
        false
    }

    /// Asks for the route of `topic`, unless that is under way or has just been done.
    pub(crate) fn ask_route(&mut self, now: Now, topic: TopicId) {
        if !self.topics.begin_asking(now.mono, topic) {
            return;
        }
        if let Some(known) = self.topics.get(topic) {
            let request = RouteOf { topic: known.name.clone() };
            let deadline = now.mono + self.config.request_timeout;
            self.ask_name_servers(now, request, deadline, Seeker::Topic(topic));
        }
    }

    /// A broker answered about a topic: that it has none, perhaps.
    pub(crate) fn note_topic_answer(&mut self, now: Now, topic: &Arc<str>, broker: &Arc<str>, code: ResponseCode) {
        if code == ResponseCode::TOPIC_NOT_EXIST
            && let Some(topic) = self.topics.find(topic)
        {
            self.topics.note_denied(topic, broker);
            self.ask_route(now, topic);
        }
    }

    /// Asks for the routes whose time has come.
    pub(crate) fn refresh_routes(&mut self, now: Now) {
        while let Some(refresh) = self.topics.pop_refresh(now.mono, self.config.route_interval) {
            match refresh {
                Refresh::Due(topic) => self.ask_route(now, topic),
                Refresh::Forgotten(topic) => self.forget_topic(&topic),
            }
        }
    }

    /// Nobody uses a topic any more: what was noted of it goes with it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.first_commits.forget_topic(topic);
        self.groups.forget_topic(topic);
    }

    /// Takes the name servers' answer about a topic.
    pub(crate) fn take_route(&mut self, now: Now, topic: TopicId, answer: Result<Command, Error>) {
        match answer.and_then(|command| self.read_route(topic, &command)) {
            Ok(mut route) => {
                if self.check_own_topic(topic, &route).is_err() {
                    route.queues.iter_mut().for_each(|queues| queues.permission.0 &= !Permission::WRITE.0);
                }
                self.learn_route(now, topic, route, false);
                self.tell_waiters(topic, None, &Ok(()));
            }
            Err(error) if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) => self.topic_is_absent(now, topic),
            Err(error) => {
                // An old route is better than none: the name servers may be away for long.
                let known = self.topics.get(topic).is_some_and(|topic| topic.route.is_some());
                self.topics.end_asking(topic);
                self.tell_waiters(topic, None, &if known { Ok(()) } else { Err(error) });
            }
        }
    }

    /// The name servers know no such topic. One that had a route is asked about at its brokers. Of another one readers learn
    /// that; senders go by the default topic's route, and the broker will create the topic
    /// (`MQClientInstance.updateTopicRouteInfoFromNameServer`).
    fn topic_is_absent(&mut self, now: Now, topic: TopicId) {
        let had_route = self.topics.get(topic).is_some_and(|topic| topic.route.is_some());
        if let Some(left) = self.topics.left_in_absence(topic) {
            self.follow_route(now, topic, left, false);
            return self.tell_waiters(topic, None, &Ok(()));
        }
        if had_route && let Some(known) = self.topics.get(topic).filter(|topic| topic.route.is_none()) {
            self.note_changed_route(known.name.clone());
        }
        let inherited = self.topics.get(topic).is_some_and(|topic| topic.inherited);
        self.tell_waiters(topic, Some(Purpose::Read), &Err(Error::new(ErrorKind::TopicNotFound, "")));
        if self.has_waiters(topic) || inherited {
            let request = RouteOf { topic: self.config.dialect().default_topic().into() };
            let deadline = now.mono + self.config.request_timeout;
            self.ask_name_servers(now, request, deadline, Seeker::DefaultTopic(topic));
        } else {
            self.topics.end_asking(topic);
        }
    }

    /// Takes the name servers' answer about the default topic, on behalf of an unknown one.
    pub(crate) fn take_default_route(&mut self, now: Now, topic: TopicId, answer: Result<Command, Error>) {
        let outcome = match answer.and_then(|command| self.read_route(topic, &command)) {
            Ok(route) => {
                if !self.config.dialect().creates_topics() {
                    return self.create_for_senders(now, topic, route);
                }
                self.learn_route(now, topic, route.inherited(INHERITED_QUEUES), true);
                Ok(())
            }
            Err(error) if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) => {
                Err(Error::new(ErrorKind::TopicNotFound, "brokers are away or do not create topics by themselves"))
            }
            Err(error) => Err(error),
        };
        self.topics.end_asking(topic);
        self.tell_waiters(topic, None, &outcome);
    }

    /// Refuses a topic that is called like one of these brokers or their cluster, where servers let everybody send to such ones.
    pub(super) fn check_own_topic(&self, topic: TopicId, route: &TopicRoute) -> Result<(), Error> {
        let name = self.topics.get(topic).map(|topic| &*topic.name).unwrap_or_default();
        self.config.check_topic_to_change(name, |name| route.is_of_server(name))
    }

    /// Reads an answer about a topic, and says what of it is passed over.
    fn read_route(&mut self, topic: TopicId, answer: &Command) -> Result<TopicRoute, Error> {
        let result = read_route(answer);
        let topic = self.topics.get(topic).map(|topic| &*topic.name).unwrap_or_default();
        self.notices.note_odd("topic", topic, &answer.odd);
        let (route, odd) = result?;
        for error in odd {
            let notice = Notice::warn("a part of a route is passed over");
            self.notices.push_once(&error, || notice.about("topic", topic).about("error", &error));
        }
        Ok(route)
    }

    pub(super) fn learn_route(&mut self, now: Now, topic: TopicId, mut route: TopicRoute, inherited: bool) {
        if !inherited {
            let network = &self.network;
            let is_connected = |address: &Address| network.find(address).is_some_and(Connection::is_connected);
            let is_there = |broker: &RouteBroker| broker.addresses.values().any(is_connected);
            self.topics.keep_brokers(now.mono, topic, &mut route, is_there);
        }
        self.follow_route(now, topic, route, inherited);
    }

    /// From now on a topic's messages go by this route.
    fn follow_route(&mut self, now: Now, topic: TopicId, route: TopicRoute, inherited: bool) {
        let queues = |session: &Self| {
            let watched = session.topics.get(topic).filter(|topic| session.groups.is_watched(&topic.name));
            watched.map(Topic::readable_queues)
        };
        let before = queues(self);
        if let Some(known) = self.topics.get(topic)
            && known.route.as_ref().is_some_and(|known| *known != route)
        {
            self.note_changed_route(known.name.clone());
        }
        let new = self.topics.learn(topic, route, inherited, &mut self.brokers);
        if queues(self) != before {
            let name = self.topics.get(topic).map(|topic| topic.name.clone());
            self.changed_topics.extend(name);
        }
        self.topics.end_asking(topic);
        self.greet_new_brokers(now, &new);
    }

    pub(crate) fn note_changed_route(&mut self, topic: Arc<str>) {
        self.network.client_events.push_back(ClientEvent::RouteChanged { topic });
    }

    fn has_waiters(&self, topic: TopicId) -> bool {
        self.route_waiters.waiting.get(&topic).is_some_and(|waiting| !waiting.is_empty())
    }

    /// Tells those who wait, all or those of one purpose. What senders inherit is nothing to readers.
    pub(super) fn tell_waiters(&mut self, topic: TopicId, purpose: Option<Purpose>, outcome: &Result<(), Error>) {
        let Some(waiting) = self.route_waiters.waiting.remove(&topic) else {
            return;
        };
        let (told, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, wanted)| purpose.is_none_or(|purpose| purpose == *wanted));
        if !left.is_empty() {
            self.route_waiters.waiting.insert(topic, left);
        }
        let is_absent = outcome.is_ok() && self.topics.get(topic).is_some_and(|topic| topic.inherited);
        self.signals.extend(told.into_iter().map(|(owner, purpose)| {
            let outcome = match purpose {
                Purpose::Read if is_absent => Err(Error::new(ErrorKind::TopicNotFound, "")),
                _ => outcome.clone(),
            };
            (owner, Signal::Routed(outcome))
        }));
    }
}
