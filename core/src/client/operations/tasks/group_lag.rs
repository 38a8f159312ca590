//! How far a group is behind, at all brokers where it is known (`DefaultMQAdminExtImpl.examineConsumeStats`).

use std::borrow::Cow;

use crate::address::Address;
use crate::admin::GroupLag;
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::{brokers_of, readers_of};
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, body};
use crate::consumer::push::RETRY_PREFIX;
use crate::error::{Error, ErrorKind};
use crate::producer::check_group;
use crate::routes::route::TopicRoute;
use crate::wire::body::ClusterInfo;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{GetConsumeStats, Request};

#[derive(Debug)]
pub(crate) struct LagOf {
    group: String,
    /// Each broker that a member of the group has been connected to has this topic.
    retry_topic: String,
    /// Nobody knows that topic: the group has none, or has never had a member. Then all brokers are asked, since it may have offsets
    /// all the same.
    is_everywhere: bool,
    found: GroupLag,
}

impl LagOf {
    pub(crate) fn new(group: &str) -> Self {
        let retry_topic = format!("{RETRY_PREFIX}{group}");
        Self { group: group.to_owned(), retry_topic, is_everywhere: false, found: GroupLag::default() }
    }
}

impl Rule for LagOf {
    type Gives = GroupLag;

    /// A look-up of the clusters may follow that of the route.
    const LEGS: u32 = 3;

    fn words(&self) -> String {
        format!("lag of group {}", self.group)
    }

    fn check(&self, _config: &ClientConfig) -> Result<(), Error> {
        check_group(&self.group)
    }

    fn needs(&self) -> Needs<'_> {
        if self.is_everywhere { Needs::Clusters } else { Needs::Route(&self.retry_topic) }
    }

    fn goes_without_route(&mut self) -> bool {
        !core::mem::replace(&mut self.is_everywhere, true)
    }

    fn targets(&self, clusters: &ClusterInfo, _name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        readers_of(&brokers_of(clusters))
    }

    fn targets_on(&mut self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
        readers_of(&route.brokers)
    }

    fn write(&self, _dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        let header = GetConsumeStats { consumer_group: Cow::Borrowed(&self.group), topic: None, topic_list: None };
        write(GetConsumeStats::CODE, &header);
    }

    fn take(&mut self, _target: &Target, answer: &Command) -> Result<Then, Error> {
        self.found.add(body(answer)?);
        Ok(Then::Done)
    }

    fn give(&mut self) -> Result<GroupLag, Error> {
        if self.is_everywhere && self.found.queues.is_empty() {
            return Err(Error::new(
                ErrorKind::GroupNotFound,
                "it has no retry topic, and no broker has an offset of it",
            ));
        }
        Ok(core::mem::take(&mut self.found))
    }
}
