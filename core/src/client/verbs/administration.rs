//! Administration, and look-ups at the name servers.

use crate::admin::{Placement, Task, TopicSettings, TopicStatistics};
use crate::client::base::value::{Given, Pending};
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::administration::Administration;
use crate::client::operations::administration::topic_not_found;
use crate::client::operations::lookup::{Look, Lookup};
use crate::client::operations::queue_list::QueueList;
use crate::client::routing::look_ups::NameServerRequest;
use crate::client::routing::routes::read_route;
use crate::error::{Error, ErrorKind};
use crate::notice::Notices;
use crate::producer::check_topic;
use crate::queue::MessageQueue;
use crate::routes::route::TopicRoute;
use crate::time::Now;
use crate::wire::body::{self, ClusterInfo, TopicList};
use crate::wire::command::Command;

impl Client {
    /// Creates a topic, or changes it; done when all brokers have it.
    pub fn create_topic(
        &mut self,
        now: Now,
        topic: &str,
        settings: TopicSettings,
        placement: Placement,
    ) -> Pending<()> {
        self.administer(now, Task::CreateTopic { topic: topic.to_owned(), settings, placement })
    }

    /// Deletes a topic at its brokers and, if everywhere, from the name servers' routes. One that does not
    /// exist is deleted already.
    pub fn delete_topic(&mut self, now: Now, topic: &str, placement: Placement) -> Pending<()> {
        self.session.topics.remove(topic);
        self.session.forget_topic(topic);
        self.administer(now, Task::DeleteTopic { topic: topic.to_owned(), placement })
    }

    /// A topic's offsets, queue by queue.
    pub fn topic_statistics(&mut self, now: Now, topic: &str) -> Pending<TopicStatistics> {
        let found = TopicStatistics::default();
        self.administer(now, Task::TopicStatistics { topic: topic.to_owned(), found })
    }

    /// A topic's route.
    pub fn topic_route(&mut self, now: Now, topic: &str) -> Pending<TopicRoute> {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        let what = format!("route of topic {topic}");
        self.look_up::<Route>(now, NameServerRequest::Route { topic: topic.into() }, what)
    }

    /// The names of all topics, sorted.
    pub fn topic_list(&mut self, now: Now) -> Pending<Vec<String>> {
        self.look_up::<Topics>(now, NameServerRequest::TopicList, "topic list".to_owned())
    }

    /// The clusters and their brokers.
    pub fn cluster_info(&mut self, now: Now) -> Pending<ClusterInfo> {
        self.look_up::<Clusters>(now, NameServerRequest::ClusterInfo, "cluster info".to_owned())
    }

    /// The queues of a topic that can be pulled from.
    pub fn queues(&mut self, now: Now, topic: &str) -> Pending<Vec<MessageQueue>> {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        let deadline = now.mono + self.session.config.request_timeout;
        Pending::new(self.begin(now, Operation::Queues(QueueList::new(topic.into(), deadline))))
    }

    fn look_up<L: Look>(&mut self, now: Now, request: NameServerRequest, what: String) -> Pending<L::Gives> {
        let until = now.mono + self.session.config.request_timeout;
        Pending::new(self.begin(now, Operation::Lookup(Lookup::new::<L>(request, what, until))))
    }

    fn administer<T: Given>(&mut self, now: Now, task: Task) -> Pending<T> {
        if let Err(error) = task.check() {
            let words = task.words();
            return self.refuse(now, error.context(words));
        }
        // Two legs: the name servers, then the brokers.
        let deadline = now.mono + self.session.config.request_timeout.saturating_mul(2);
        let administration = Administration::new(task, deadline);
        Pending::new(self.begin(now, Operation::Administration(administration)))
    }
}

struct Route;

impl Look for Route {
    type Gives = TopicRoute;

    fn read(_: &mut Notices, answer: Result<Command, Error>) -> Result<TopicRoute, Error> {
        answer.map_err(topic_not_found).and_then(|command| read_route(&command)).map(|(route, _)| route)
    }
}

struct Topics;

impl Look for Topics {
    type Gives = Vec<String>;

    fn read(_: &mut Notices, answer: Result<Command, Error>) -> Result<Vec<String>, Error> {
        let list: TopicList = read_body(answer)?;
        Ok(list.topic_list.into_iter().collect())
    }
}

struct Clusters;

impl Look for Clusters {
    type Gives = ClusterInfo;

    fn read(_: &mut Notices, answer: Result<Command, Error>) -> Result<ClusterInfo, Error> {
        read_body(answer)
    }
}

fn read_body<T: serde::de::DeserializeOwned>(answer: Result<Command, Error>) -> Result<T, Error> {
    let malformed = |error: body::BodyError| Error::new(ErrorKind::MalformedAnswer, error.to_string());
    answer.and_then(|command| body::from_slice(&command.body).map_err(malformed))
}
