//! Unknown topics that somebody sends to, where brokers create none that can be used (smartgo's give it no permission): the
//! client creates them before the first message goes, at every master that the default topic has.
//!
//! Name servers that have just started know no topics, and creating one that is there would change it. So a broker is asked
//! first whether it has the topic.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::client::base::ids::{OperationId, Owner, PeerId};
use crate::client::base::signal::Signal;
use crate::client::routing::creations::{Creation, State, Step};
use crate::client::session::{EMPTY, Session};
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::routes::route::{MASTER_ID, TopicRoute};
use crate::routes::topics::{Purpose, TopicId};
use crate::time::Now;
use crate::wire::body::Permission;
use crate::wire::request::{CreateTopic, GetTopicStats, Request, TopicFilterType};

impl Session {
    /// Whether a request that changes topics may go to a broker now. If not, its owner hears when it may.
    pub(crate) fn may_change_topics(&mut self, peer: PeerId, owner: Owner) -> bool {
        self.config.dialect().takes_topic_changes_at_once() || self.topic_changes.may_go(peer, owner)
    }

    /// A change of topics is over, however it ended.
    pub(crate) fn end_topic_change(&mut self, owner: Owner) {
        let next = self.topic_changes.end(owner);
        self.signals.extend(next.into_iter().map(|owner| (owner, Signal::Ready)));
    }

    /// An operation is over, and with it all changes of topics that it wanted.
    pub(crate) fn end_topic_changes_of(&mut self, operation: OperationId) {
        let next = self.topic_changes.end_of(operation);
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
        self.route_waiters.waiting.entry(topic).or_default().push((owner, purpose));
        if !is_asking {
            let queues = route.queues.iter().map(|queues| queues.write).max().unwrap_or_default();
            self.create_for_senders(now, topic, route, queues);
        }
        true
    }

    /// Creates a topic at the brokers of a `route` for those who wait to send to it, with as many queues as they want, and
    /// with so many `at_least`. As long as that takes, the topic's route counts as being asked for.
    pub(crate) fn create_for_senders(&mut self, now: Now, topic: TopicId, route: TopicRoute, at_least: u32) {
        let wanted = self.route_waiters.waiting.get(&topic).into_iter().flatten();
        let queues = wanted.filter_map(|(_, purpose)| match purpose {
            Purpose::Send { queues } => Some(*queues),
            Purpose::Read => None,
        });
        let (queues, name) = (
            queues.max().map(|queues| queues.max(at_least).max(1)),
            self.topics.get(topic).map(|topic| topic.name.clone()),
        );
        let (Some(queues), Some(name)) = (queues, name) else {
            // Nobody sends to it any more.
            return self.topics.end_asking(topic);
        };
        let masters = route.brokers.iter().filter_map(|broker| Some((broker, broker.addresses.get(&MASTER_ID)?)));
        let steps = masters.map(|(broker, address)| Step {
            broker_name: broker.name.clone(),
            peer: self.network.peer(address),
            state: State::Asked,
        });
        let steps: Vec<Step> = steps.collect();
        let count = steps.len() as u32;
        self.creations.insert(topic, Creation { name, route: route.inherited(queues), queues, steps });
        (0..count).for_each(|step| self.ask_for_creation(now, topic, step));
        self.end_creation(now, topic);
    }

    /// Asks a broker what it is to be asked next.
    fn ask_for_creation(&mut self, now: Now, topic: TopicId, step: u32) {
        let Some(creation) = self.creations.get(&topic) else {
            return;
        };
        let (name, queues) = (creation.name.clone(), creation.queues);
        let Some(Step { peer, state, .. }) = creation.steps.get(step as usize) else {
            return;
        };
        let creates = match state {
            State::Asked => false,
            State::Creating => true,
            State::Has { .. } | State::Failed(_) => return,
        };
        let (peer, owner) = (*peer, Owner::Creation(topic, step));
        let deadline = now.mono + self.config.request_timeout;
        if !creates {
            let header = GetTopicStats { topic: Cow::Borrowed(&name) };
            self.ask_code(now, peer, (GetTopicStats::CODE, &header, &EMPTY), deadline, owner);
        } else if self.may_change_topics(peer, owner) {
            let header = CreateTopic {
                topic: Cow::Borrowed(&name),
                default_topic: Cow::Borrowed(self.config.dialect().default_topic()),
                read_queue_nums: queues as i32,
                write_queue_nums: queues as i32,
                perm: Permission::READ_WRITE.0,
                topic_filter_type: TopicFilterType::SingleTag,
                topic_sys_flag: Some(0),
                order: false,
                attributes: None,
            };
            self.ask_code(now, peer, (CreateTopic::CODE, &header, &EMPTY), deadline, owner);
        }
    }

    pub(crate) fn resume_creation(&mut self, now: Now, topic: TopicId, step: u32, signal: Signal<'_>) {
        if matches!(signal, Signal::Answer { .. } | Signal::Failed(_)) {
            self.end_topic_change(Owner::Creation(topic, step));
        }
        let Some(creation) = self.creations.get_mut(&topic) else {
            return;
        };
        let queues = creation.queues;
        let Some(known) = creation.steps.get_mut(step as usize).filter(|known| !known.is_over()) else {
            return;
        };
        match signal {
            Signal::Ready => return self.ask_for_creation(now, topic, step),
            Signal::Answer { command, .. } => {
                known.state = known.state.after(command, queues);
                if matches!(known.state, State::Creating) {
                    return self.ask_for_creation(now, topic, step);
                }
            }
            Signal::Failed(error) => known.state = State::Failed(error),
            Signal::Start | Signal::Written | Signal::Routed(_) | Signal::Looked(_) | Signal::Elapsed => return,
        }
        self.end_creation(now, topic);
    }

    /// Once all brokers are through, messages go by the route of those that have the topic.
    fn end_creation(&mut self, now: Now, topic: TopicId) {
        let is_over = |creation: &Creation| creation.steps.iter().all(Step::is_over);
        if !self.creations.get(&topic).is_some_and(is_over) {
            return;
        }
        let Some(Creation { name, route, steps, .. }) = self.creations.remove(&topic) else {
            return;
        };
        let mut error = Error::new(ErrorKind::BrokerNotFound, "no broker of the default topic has a master");
        let (mut has, mut is_created) = (BTreeMap::new(), false);
        for Step { broker_name, state, .. } in steps {
            match state {
                State::Has { queues, is_new } => {
                    is_created |= is_new;
                    has.insert(broker_name, queues);
                }
                State::Failed(why) => error = why.at_broker(&broker_name),
                State::Asked | State::Creating => {}
            }
        }
        if has.is_empty() {
            self.topics.end_asking(topic);
            let error = error.context(format_args!("create topic {name} for its first message"));
            return self.tell_waiters(topic, None, &Err(error));
        }
        let route = route.at_brokers(&has);
        if is_created {
            self.notices.push(Notice::info("a topic is created for its first message").about("topic", &name));
        }
        self.learn_route(now, topic, route, true);
        self.tell_waiters(topic, None, &Ok(()));
    }
}
