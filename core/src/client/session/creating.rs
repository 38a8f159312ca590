//! Unknown topics that somebody sends to, where brokers create none that can be used (smartgo's give it no permission): the
//! client creates them before the first message goes, at every master that the default topic has.
//!
//! Name servers that have just started know no topics, and creating one that is there would change it. So a broker is asked
//! first whether it has the topic.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::client::base::ids::Owner;
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
    /// Creates a topic at the brokers of the default topic's `route` for those who wait to send to it. As long as that takes,
    /// the topic's route counts as being asked for.
    pub(crate) fn create_for_senders(&mut self, now: Now, topic: TopicId, route: TopicRoute) {
        let wanted = self.route_waiters.waiting.get(&topic).into_iter().flatten();
        let queues = wanted.filter_map(|(_, purpose)| match purpose {
            Purpose::Send { queues } => Some(*queues),
            Purpose::Read => None,
        });
        let (queues, name) =
            (queues.max().map(|queues| queues.max(1)), self.topics.get(topic).map(|topic| topic.name.clone()));
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
        let (peer, owner) = (*peer, Owner::Creation(topic, step));
        let deadline = now.mono + self.config.request_timeout;
        match state {
            State::Asked => {
                let header = GetTopicStats { topic: Cow::Borrowed(&name) };
                self.ask_code(now, peer, (GetTopicStats::CODE, &header, &EMPTY), deadline, owner);
            }
            State::Creating => {
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
            State::Has { .. } | State::Failed(_) => {}
        }
    }

    pub(crate) fn resume_creation(&mut self, now: Now, topic: TopicId, step: u32, signal: Signal<'_>) {
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
