//! Deletes a topic at every member of a place, and, if that is everywhere, from the name servers' routes.

use std::borrow::Cow;

use crate::address::Address;
use crate::admin::Placement;
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::{Members, no_master};
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, success};
use crate::error::Error;
use crate::producer::check_topic;
use crate::wire::body::ClusterInfo;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{DeleteTopicInBroker, DeleteTopicInNameServer, Request};

#[derive(Debug)]
pub(crate) struct DeleteTopic {
    pub(crate) topic: String,
    pub(crate) placement: Placement,
}

impl Rule for DeleteTopic {
    type Gives = ();

    fn words(&self) -> String {
        format!("delete topic {}", self.topic)
    }

    fn check(&self, _config: &ClientConfig) -> Result<(), Error> {
        check_topic(&self.topic)
    }

    fn needs(&self) -> Needs<'_> {
        Needs::of(&self.placement)
    }

    fn changes(&self) -> Option<&str> {
        Some(&self.topic)
    }

    fn targets(&self, clusters: &ClusterInfo, name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        let Members { masters, slaves } = Members::of(&self.placement, clusters)?;
        if masters.is_empty() && slaves.is_empty() {
            return Err(no_master());
        }
        let everywhere = self.placement == Placement::Everywhere;
        let name_servers = name_servers.iter().filter(|_| everywhere).cloned().map(Target::NameServer);
        let brokers = masters.into_iter().map(Target::Broker).chain(slaves.into_iter().map(Target::Slave));
        Ok(brokers.chain(name_servers).collect())
    }

    fn write(&self, _dialect: Dialect, target: &Target, write: &mut Write<'_>) {
        let topic = Cow::Borrowed(&*self.topic);
        if target.is_name_server() {
            return write(DeleteTopicInNameServer::CODE, &DeleteTopicInNameServer { topic, cluster_name: None });
        }
        write(DeleteTopicInBroker::CODE, &DeleteTopicInBroker { topic });
    }

    /// Deleting what is not there is done already.
    fn take(&mut self, _target: &Target, answer: &Command) -> Result<Then, Error> {
        match ResponseCode(answer.code) {
            ResponseCode::TOPIC_NOT_EXIST => {}
            _ => success(answer)?,
        }
        Ok(Then::Done)
    }

    fn give(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
