//! Creates a topic, or changes it, at the masters of a place, which tell their slaves.

use std::borrow::Cow;

use crate::address::Address;
use crate::admin::{Placement, TopicSettings};
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::{Members, no_master};
use crate::client::operations::tasks::{Needs, Rule, Target, Write};
use crate::error::Error;
use crate::producer::check_topic;
use crate::wire::body::ClusterInfo;
use crate::wire::dialect::Dialect;
use crate::wire::request::{self, Request, TopicFilterType};

#[derive(Debug)]
pub(crate) struct CreateTopic {
    pub(crate) topic: String,
    pub(crate) settings: TopicSettings,
    pub(crate) placement: Placement,
}

impl Rule for CreateTopic {
    type Gives = ();

    fn words(&self) -> String {
        format!("create topic {}", self.topic)
    }

    fn check(&self, _config: &ClientConfig) -> Result<(), Error> {
        check_topic(&self.topic)?;
        self.settings.check()
    }

    fn needs(&self) -> Needs<'_> {
        Needs::of(&self.placement)
    }

    fn changes(&self) -> Option<&str> {
        Some(&self.topic)
    }

    fn targets(&self, clusters: &ClusterInfo, _name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        let masters = Members::of(&self.placement, clusters)?.masters;
        if masters.is_empty() {
            return Err(no_master());
        }
        Ok(masters.into_iter().map(Target::Broker).collect())
    }

    fn write(&self, dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        let template = self.settings.template.as_deref().unwrap_or(dialect.default_topic());
        let header = request::CreateTopic {
            topic: Cow::Borrowed(&self.topic),
            default_topic: Some(Cow::Borrowed(template)),
            read_queue_nums: self.settings.queues as i32,
            write_queue_nums: self.settings.queues as i32,
            perm: self.settings.permission.0,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_sys_flag: Some(0),
            order: self.settings.ordered,
            attributes: None,
        };
        write(request::CreateTopic::CODE, &header);
    }

    fn give(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
