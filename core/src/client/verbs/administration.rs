//! Administration, and look-ups at the name servers.

use crate::admin::{Placement, Task, TopicSettings, TopicStatistics};
use crate::client::base::event::{Outcome, Value};
use crate::client::base::ids::OperationId;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::administration::Administration;
use crate::client::operations::administration::topic_not_found;
use crate::client::operations::lookup::Lookup;
use crate::client::operations::queue_list::QueueList;
use crate::client::routing::look_ups::NameServerRequest;
use crate::client::routing::routes::read_route;
use crate::error::{Error, ErrorKind};
use crate::notice::Notices;
use crate::producer::check_topic;
use crate::time::Now;
use crate::wire::body::{self, TopicList};
use crate::wire::command::Command;

impl Client {
    /// Creates a topic, or changes it; completes with [`Value::Done`] when all brokers have it.
    pub fn create_topic(
        &mut self,
        now: Now,
        topic: &str,
        settings: TopicSettings,
        placement: Placement,
    ) -> OperationId {
        self.administer(now, Task::CreateTopic { topic: topic.to_owned(), settings, placement })
    }

    /// Deletes a topic at its brokers and, if everywhere, from the name servers' routes; completes with
    /// [`Value::Done`]. A topic that does not exist is deleted already.
    pub fn delete_topic(&mut self, now: Now, topic: &str, placement: Placement) -> OperationId {
        self.session.topics.remove(topic);
        self.session.forget_topic(topic);
        self.administer(now, Task::DeleteTopic { topic: topic.to_owned(), placement })
    }

    /// A topic's offsets, queue by queue; completes with [`Value::Statistics`].
    pub fn topic_statistics(&mut self, now: Now, topic: &str) -> OperationId {
        let found = TopicStatistics::default();
        self.administer(now, Task::TopicStatistics { topic: topic.to_owned(), found })
    }

    /// A topic's route; completes with [`Value::Route`].
    pub fn topic_route(&mut self, now: Now, topic: &str) -> OperationId {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        let what = format!("route of topic {topic}");
        self.look_up(now, NameServerRequest::Route { topic: topic.into() }, what, |_, answer| {
            answer
                .map_err(topic_not_found)
                .and_then(|command| read_route(&command))
                .map(|(route, _)| Value::Route(route))
        })
    }

    /// The names of all topics; completes with [`Value::Topics`].
    pub fn topic_list(&mut self, now: Now) -> OperationId {
        self.look_up(now, NameServerRequest::TopicList, "topic list".to_owned(), |_, answer| {
            let list: TopicList = read_body(answer)?;
            Ok(Value::Topics(list.topic_list.into_iter().collect()))
        })
    }

    /// The clusters and their brokers; completes with [`Value::ClusterInfo`].
    pub fn cluster_info(&mut self, now: Now) -> OperationId {
        self.look_up(now, NameServerRequest::ClusterInfo, "cluster info".to_owned(), |_, answer| {
            read_body(answer).map(Value::ClusterInfo)
        })
    }

    /// The queues of a topic that can be pulled from; completes with [`Value::Queues`].
    pub fn queues(&mut self, now: Now, topic: &str) -> OperationId {
        if let Err(error) = check_topic(topic) {
            return self.refuse(now, error);
        }
        let deadline = now.mono + self.session.config.request_timeout;
        self.begin(now, Operation::Queues(QueueList::new(topic.into(), deadline)))
    }

    fn look_up(
        &mut self,
        now: Now,
        request: NameServerRequest,
        what: String,
        read: fn(&mut Notices, Result<Command, Error>) -> Outcome,
    ) -> OperationId {
        let until = now.mono + self.session.config.request_timeout;
        self.begin(now, Operation::Lookup(Lookup::new(request, what, until, read)))
    }

    fn administer(&mut self, now: Now, task: Task) -> OperationId {
        if let Err(error) = task.check() {
            let words = task.words();
            return self.refuse(now, error.context(words));
        }
        // Two legs: the name servers, then the brokers.
        let deadline = now.mono + self.session.config.request_timeout.saturating_mul(2);
        let administration = Administration::new(task, deadline);
        self.begin(now, Operation::Administration(administration))
    }
}

fn read_body<T: serde::de::DeserializeOwned>(answer: Result<Command, Error>) -> Result<T, Error> {
    let malformed = |error: body::BodyError| Error::new(ErrorKind::MalformedAnswer, error.to_string());
    answer.and_then(|command| body::from_slice(&command.body).map_err(malformed))
}
