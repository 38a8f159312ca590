//! A topic's offsets, of all its masters together.

use std::borrow::Cow;

use crate::admin::TopicStatistics;
use crate::client::operations::tasks::{Needs, Rule, Target, Write, success};
use crate::error::{Error, ErrorKind};
use crate::producer::check_topic;
use crate::wire::body::TopicStatsTable;
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

    fn check(&self) -> Result<(), Error> {
        check_topic(&self.topic)
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Route(&self.topic)
    }

    fn write(&self, _dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        write(GetTopicStats::CODE, &GetTopicStats { topic: Cow::Borrowed(&self.topic) });
    }

    fn take(&mut self, answer: &Command) -> Result<(), Error> {
        success(answer)?;
        let table: TopicStatsTable =
            answer.read_body().map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))?;
        self.found.add(table);
        Ok(())
    }

    fn give(&mut self) -> TopicStatistics {
        core::mem::take(&mut self.found)
    }
}
