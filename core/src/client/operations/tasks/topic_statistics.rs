//! A topic's offsets, of all its masters together.

use std::borrow::Cow;

use crate::admin::TopicStatistics;
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, body};
use crate::error::Error;
use crate::producer::check_topic;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{GetTopicStats, Request};

#[derive(Debug)]
pub(crate) struct StatisticsOf {
    pub(crate) topic: String,
    pub(crate) found: TopicStatistics,
}

impl Rule for StatisticsOf {
    type Gives = TopicStatistics;

    fn words(&self) -> String {
        format!("statistics of topic {}", self.topic)
    }

    fn check(&self, _config: &ClientConfig) -> Result<(), Error> {
        check_topic(&self.topic)
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Route(&self.topic)
    }

    fn write(&self, _dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        write(GetTopicStats::CODE, &GetTopicStats { topic: Cow::Borrowed(&self.topic) });
    }

    fn take(&mut self, _target: &Target, answer: &Command) -> Result<Then, Error> {
        self.found.add(body(answer)?);
        Ok(Then::Done)
    }

    fn give(&mut self) -> Result<TopicStatistics, Error> {
        Ok(core::mem::take(&mut self.found))
    }
}
