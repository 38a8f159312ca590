//! Administration, and look-ups at the name servers.

use std::collections::BTreeMap;

use crate::admin::{FoundMessages, GroupLag, MessageQuery, Placement, TopicSettings, TopicStatistics};
use crate::client::base::value::Pending;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::administration::Administration;
use crate::client::operations::lookup::Lookup;
use crate::client::operations::queue_list::QueueList;
use crate::client::operations::tasks::{
    CreateTopic, DeleteTopic, FindMessages, GroupNames, LagOf, MessageAt, ResetOffsets, Rule, StatisticsOf,
};
use crate::client::routing::look_ups::{Clusters, LookUp, ProjectGroup, RouteOf, SignOfLife, TopicNames};
use crate::consumer::push::ConsumeFrom;
use crate::producer::check_topic;
use crate::queue::MessageQueue;
use crate::routes::route::TopicRoute;
use crate::time::{Duration, Now};
use crate::wire::body::ClusterInfo;
use crate::wire::message::OffsetMessageId;

impl Client {
    /// Creates a topic, or changes it; done when all brokers have it.
    pub fn create_topic(
        &mut self,
        now: Now,
        topic: &str,
        settings: TopicSettings,
        placement: Placement,
    ) -> Pending<()> {
        self.administer(now, CreateTopic { topic: topic.to_owned(), settings, placement })
    }

    /// Deletes a topic at its brokers and, if everywhere, from the name servers' routes. One that does not
    /// exist is deleted already.
    pub fn delete_topic(&mut self, now: Now, topic: &str, placement: Placement) -> Pending<()> {
        let known = self.session.topics.find(topic).and_then(|id| self.session.topics.get(id));
        if let Some(known) = known.filter(|known| known.route.is_some()) {
            let topic = known.name.clone();
            self.session.note_changed_route(topic);
        }
        self.session.topics.remove(topic);
        self.session.forget_topic(topic);
        self.administer(now, DeleteTopic { topic: topic.to_owned(), placement })
    }

    /// A topic's offsets, queue by queue.
    pub fn topic_statistics(&mut self, now: Now, topic: &str) -> Pending<TopicStatistics> {
        let found = TopicStatistics::default();
        self.administer(now, StatisticsOf { topic: topic.to_owned(), found })
    }

    /// A topic's route.
    pub fn topic_route(&mut self, now: Now, topic: &str) -> Pending<TopicRoute> {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        self.look_up(now, RouteOf { topic: topic.into() }, self.session.config.request_timeout)
    }

    /// The names of all topics, sorted.
    pub fn topic_list(&mut self, now: Now) -> Pending<Vec<String>> {
        self.look_up(now, TopicNames, self.session.config.request_timeout)
    }

    /// The names of all consumer groups that masters know, sorted.
    pub fn groups(&mut self, now: Now) -> Pending<Vec<String>> {
        self.administer(now, GroupNames::default())
    }

    /// How far a group is behind, queue by queue.
    pub fn group_lag(&mut self, now: Now, group: &str) -> Pending<GroupLag> {
        self.administer(now, LagOf::new(group))
    }

    /// Has a group go on elsewhere in a topic; gives the new offsets by queue.
    pub fn reset_group_offsets(
        &mut self,
        now: Now,
        group: &str,
        topic: &str,
        to: ConsumeFrom,
    ) -> Pending<BTreeMap<MessageQueue, u64>> {
        self.administer(now, ResetOffsets::new(group, topic, to))
    }

    /// Looks for the message at a place in a broker's commit log.
    pub fn message_by_id(&mut self, now: Now, id: OffsetMessageId) -> Pending<FoundMessages> {
        self.administer(now, MessageAt::new(id))
    }

    /// Looks for messages by a key, or by the id that a producer gave.
    pub fn find_messages(&mut self, now: Now, query: MessageQuery) -> Pending<FoundMessages> {
        self.administer(now, FindMessages::new(query))
    }

    /// The clusters and their brokers.
    pub fn cluster_info(&mut self, now: Now) -> Pending<ClusterInfo> {
        self.look_up(now, Clusters, self.session.config.request_timeout)
    }

    /// Asks the name servers for something that costs little, or what servers expect of a client that starts; done when one
    /// answers.
    pub fn connect(&mut self, now: Now) -> Pending<()> {
        let (config, dialect) = (&self.session.config, self.session.config.dialect());
        let wait = config.wait_for_servers;
        if dialect.has_projects() {
            let host = config.identity.ip;
            return self.look_up(now, ProjectGroup { host }, wait);
        }
        self.look_up(now, SignOfLife { topic: dialect.default_topic() }, wait)
    }

    /// The queues of a topic that can be pulled from.
    pub fn queues(&mut self, now: Now, topic: &str) -> Pending<Vec<MessageQueue>> {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        let deadline = now.mono + self.session.config.request_timeout;
        Pending::new(self.begin(now, Operation::Queues(QueueList::new(topic.into(), deadline))))
    }

    /// Looks something up; while no name server answers, it is asked again for so long.
    fn look_up<L: LookUp>(&mut self, now: Now, question: L, wait: Duration) -> Pending<L::Gives> {
        let look_up = Lookup::new(question.into(), now.mono + wait);
        Pending::new(self.begin(now, Operation::Lookup(look_up)))
    }

    fn administer<R: Rule>(&mut self, now: Now, task: R) -> Pending<R::Gives> {
        let (config, brokers) = (&self.session.config, &self.session.brokers);
        let is_server = |name: &str| brokers.find(name).is_some();
        let changes = task.changes().map_or(Ok(()), |topic| config.check_topic_to_change(topic, is_server));
        if let Err(error) = task.check(config).and(changes) {
            let words = task.words();
            return self.refuse(now, error.context(words));
        }
        let deadline = now.mono + self.session.config.request_timeout.saturating_mul(R::LEGS);
        let administration = Administration::new(task.into(), deadline);
        Pending::new(self.begin(now, Operation::Administration(administration)))
    }
}
