//! Unknown topics that somebody sends to, where brokers create none that can be used (smartgo's give it no permission): the
//! client creates them before the first message goes, at every master that the default topic has.
//!
//! Name servers that have just started know no topics, and creating one that is there would change it. So all brokers that are there are
//! asked first whether they have the topic, and it is created where none says so. One that does not say in time is passed over: it
//! may be away for long.

use std::borrow::Cow;

use crate::client::base::ids::{OperationId, Owner, PeerId};
use crate::client::base::signal::Signal;
use crate::client::routing::creations::{Creation, State, Step};
use crate::client::session::{EMPTY, Session};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::routes::brokers::Broker;
use crate::routes::route::{MASTER_ID, RouteBroker, TopicRoute};
use crate::routes::topics::{Purpose, TopicId};
use crate::time::{Duration, Instant, Now};
use crate::wire::body::Permission;
use crate::wire::request::{CreateTopic, GetTopicStats, Request, TopicFilterType};

/// How long a broker may take to say whether it has a topic. A message waits for that.
const SAYS_WITHIN: Duration = Duration::from_secs(1);

impl Session {
    /// Whether a request that changes topics may go to a broker now. If not, its owner hears when it may.
    pub(crate) fn may_change_topics(&mut self, peer: PeerId, owner: Owner) -> bool {
        self.config.dialect().takes_topic_changes_at_once() || self.topic_changes.may_go(peer, owner)
    }

    /// The request that changes a topic has gone.
    pub(crate) fn note_topic_change_sent(&mut self, peer: PeerId, owner: Owner) {
        self.topic_changes.note_sent(peer, owner);
    }

    /// A change of topics is over, however it ended.
    pub(crate) fn end_topic_change(&mut self, owner: Owner) {
        if self.topic_changes.is_empty() {
            return;
        }
        let next = self.topic_changes.end(owner);
        self.signals.extend(next.into_iter().map(|owner| (owner, Signal::Ready)));
    }

    /// An operation is over: what it wanted to change of topics and no broker has in hand is not wanted any more.
    #[inline]
    pub(crate) fn withdraw_topic_changes_of(&mut self, operation: OperationId) {
        if self.topic_changes.is_empty() {
            return;
        }
        let next = self.topic_changes.withdraw_all(operation);
        self.signals.extend(next.into_iter().map(|owner| (owner, Signal::Ready)));
    }

    /// Creates a topic at those brokers of its own route that have lost it. Returns whether `owner` will be told: not when
    /// that has been tried a moment ago.
    pub(crate) fn create_anew(&mut self, now: Now, topic: TopicId, purpose: Purpose, owner: Owner) -> bool {
        let known = self.topics.get(topic).map(|known| (known.is_asking(), known.route.clone()));
        let (is_asking, Some(route)) = known.unwrap_or_default() else {
            return self.seek_route(now, topic, purpose, owner);
        };
        if !is_asking && !self.topics.begin_asking(now.mono, topic) {
            return false;
        }
        self.route_waiters.waiting.get_or_default(topic).push((owner, purpose));
        if !is_asking {
            let queues = most_queues(&route);
            self.create_topic(now, topic, route, queues);
        }
        true
    }

    /// Creates an unknown topic for those who wait to send to it, by the default topic's `route`: with as many queues as they
    /// want, and as that has at the most.
    pub(crate) fn create_for_senders(&mut self, now: Now, topic: TopicId, route: TopicRoute) {
        let wanted = self.route_waiters.waiting.get(&topic).into_iter().flatten();
        let wanted = wanted.filter_map(|(_, purpose)| match purpose {
            Purpose::Send { queues } => Some(*queues),
            Purpose::Read => None,
        });
        let Some(queues) = wanted.max() else {
            // Nobody sends to it any more; who came to read meanwhile hears that it is not there.
            self.topics.end_asking(topic);
            return self.tell_waiters(topic, None, &Err(Error::new(ErrorKind::TopicNotFound, "")));
        };
        if let Err(error) = self.check_own_topic(topic, &route) {
            self.topics.end_asking(topic);
            return self.tell_waiters(topic, None, &Err(error));
        }
        let queues = queues.min(most_queues(&route)).max(1);
        self.create_topic(now, topic, route, queues);
    }

    /// Creates a topic at the brokers of a `route`. As long as that takes, the topic's route counts as being asked for.
    fn create_topic(&mut self, now: Now, topic: TopicId, route: TopicRoute, queues: u32) {
        let Some(name) = self.topics.get(topic).map(|topic| topic.name.clone()) else {
            return;
        };
        self.withdraw_creation(topic);
        let others = self.connected_beside(&route);
        let mut steps = self.steps_at(now, &route.brokers, false);
        steps.extend(self.steps_at(now, &others, true));
        let route = (route.inherited(queues).extended(others, queues), queues);
        let first = self.next_creation_step;
        let creation = Creation::new(name, route, steps, first, now.mono + SAYS_WITHIN);
        let steps = creation.open_steps();
        self.next_creation_step = first.wrapping_add(steps.len() as u32);
        self.creations.insert(topic, creation);
        steps.into_iter().for_each(|step| self.ask_for_creation(now, topic, step));
        self.follow_creation(now, topic);
    }

    /// The brokers that a route lacks and that are there: name servers may not have heard of them yet, and they may have a topic
    /// that these do not know.
    fn connected_beside(&self, route: &TopicRoute) -> Vec<RouteBroker> {
        let is_connected = |address| self.network.find(address).is_some_and(Connection::is_connected);
        let others = self.brokers.iter().filter(|broker| route.broker(&broker.name).is_none());
        let there = others.filter(|broker| broker.master().is_some_and(is_connected));
        let of_route = |broker: &Broker| {
            let Broker { name, addresses, .. } = broker;
            RouteBroker { name: name.clone(), cluster: String::new(), addresses: addresses.clone() }
        };
        there.map(of_route).collect()
    }

    /// What brokers with a master are to do for a topic that is being created.
    fn steps_at(&mut self, now: Now, brokers: &[RouteBroker], is_only_asked: bool) -> Vec<Step> {
        let masters = brokers.iter().filter_map(|broker| Some((broker, broker.addresses.get(&MASTER_ID)?)));
        let step = |(broker, address): (&RouteBroker, _)| {
            let peer = self.network.peer(address);
            Step::new(now.mono, broker.name.clone(), peer, is_only_asked)
        };
        masters.map(step).collect()
    }

    /// A broker is late with what was begun earlier: that is begun anew.
    fn withdraw_creation(&mut self, topic: TopicId) {
        let open = self.creations.remove(&topic).map(|creation| creation.open_steps());
        for step in open.unwrap_or_default() {
            let next = self.topic_changes.withdraw(Owner::Creation(topic, step));
            self.signals.extend(next.into_iter().map(|owner| (owner, Signal::Ready)));
        }
    }

    /// Asks a broker what it is to be asked next.
    fn ask_for_creation(&mut self, now: Now, topic: TopicId, step: u32) {
        let Some(creation) = self.creations.get(&topic) else {
            return;
        };
        let (name, queues) = (creation.name.clone(), creation.queues);
        let Some(Step { peer, state, .. }) = creation.step(step) else {
            return;
        };
        let creates = match state {
            State::Asked => false,
            State::Creating => true,
            State::Absent | State::Has { .. } | State::Left | State::Failed(_) => return,
        };
        let (peer, owner) = (*peer, Owner::Creation(topic, step));
        if !creates {
            let header = GetTopicStats { topic: Cow::Borrowed(&name) };
            let deadline = now.mono + self.config.request_timeout.min(SAYS_WITHIN);
            self.ask_code(now, peer, (GetTopicStats::CODE, &header, &EMPTY), deadline, owner);
            self.network.with(peer, |connection| connection.hurry(now.mono));
        } else if self.may_change_topics(peer, owner) {
            let header = CreateTopic {
                topic: Cow::Borrowed(&name),
                default_topic: Some(Cow::Borrowed(self.config.dialect().default_topic())),
                read_queue_nums: queues as i32,
                write_queue_nums: queues as i32,
                perm: Permission::READ_WRITE.0,
                topic_filter_type: TopicFilterType::SingleTag,
                topic_sys_flag: Some(0),
                order: false,
                attributes: None,
            };
            let deadline = now.mono + self.config.request_timeout;
            if self.ask_code(now, peer, (CreateTopic::CODE, &header, &EMPTY), deadline, owner) {
                self.note_topic_change_sent(peer, owner);
            }
        }
    }

    pub(crate) fn resume_creation(&mut self, now: Now, topic: TopicId, step: u32, signal: Signal<'_>) {
        let owner = Owner::Creation(topic, step);
        let Some(creation) = self.creations.get_mut(&topic) else {
            return self.end_topic_change(owner);
        };
        let goes_on = match signal {
            Signal::Ready => creation.take_turn(step),
            Signal::Answer { command, .. } => creation.take_answer(now.mono, step, command),
            Signal::Failed(error) => {
                creation.fail(step, error);
                false
            }
            Signal::Start | Signal::Written | Signal::Routed(_) | Signal::Looked(_) | Signal::Elapsed => return,
        };
        if goes_on {
            return self.ask_for_creation(now, topic, step);
        }
        self.end_topic_change(owner);
        self.follow_creation(now, topic);
    }

    /// When a broker that is silent holds a creation up no longer.
    #[inline]
    pub(crate) fn next_creation(&self) -> Option<Instant> {
        if self.creations.is_empty() {
            return None;
        }
        self.creations.values().filter_map(Creation::deadline).min()
    }

    /// Goes on without the brokers that have not said in time whether they have a topic.
    pub(crate) fn pass_over_silent_brokers(&mut self, now: Now) {
        if self.creations.is_empty() {
            return;
        }
        let due = |creation: &Creation| creation.deadline().is_some_and(|at| at <= now.mono);
        let due: Vec<TopicId> =
            self.creations.iter().filter(|(_, creation)| due(creation)).map(|(topic, _)| *topic).collect();
        for topic in due {
            let Some(creation) = self.creations.get_mut(&topic) else {
                continue;
            };
            for (step, peer) in creation.silent() {
                let connection = self.network.get(peer).filter(|connection| !connection.is_connected());
                let late = || Error::new(ErrorKind::Timeout, "it does not say whether it has the topic");
                creation.fail(step, connection.map_or_else(late, Connection::unreachable));
            }
            self.follow_creation(now, topic);
        }
    }

    /// Messages go by the route of the brokers that have the topic as soon as one has it: the others follow, or are away.
    fn follow_creation(&mut self, now: Now, topic: TopicId) {
        let Some(creation) = self.creations.get_mut(&topic) else {
            return;
        };
        let begun = creation.begin(now.mono);
        let (is_first, is_over, is_created) = (!creation.is_told(), creation.is_over(), creation.is_created());
        if let Some(has) = creation.take_news() {
            let (name, route) = (creation.name.clone(), creation.route.clone().at_brokers(&has));
            if is_first && is_created {
                self.notices.push(Notice::info("a topic is created for its first message").about("topic", &name));
            }
            let inherited = self.topics.get(topic).is_none_or(|topic| topic.inherited || topic.route.is_none());
            // The name servers may have told its own route by now.
            if is_first || inherited {
                self.learn_route(now, topic, route, inherited);
            }
            self.tell_waiters(topic, None, &Ok(()));
        }
        if is_over && let Some(creation) = self.creations.remove(&topic) {
            let outcome = if creation.is_told() { Ok(()) } else { Err(creation.failure()) };
            self.topics.end_asking(topic);
            self.tell_waiters(topic, None, &outcome);
        }
        begun.into_iter().for_each(|step| self.ask_for_creation(now, topic, step));
    }

    /// Why nobody knows yet where a topic's messages go.
    pub(crate) fn what_is_awaited(&self, topic: &str) -> &'static str {
        match self.topics.find(topic).is_some_and(|topic| self.creations.contains_key(&topic)) {
            true => "its brokers have not created the topic in time",
            false => "the name servers gave no route",
        }
    }
}

fn most_queues(route: &TopicRoute) -> u32 {
    route.queues.iter().map(|queues| queues.write).max().unwrap_or_default()
}
