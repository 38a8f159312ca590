//! Producers and pull consumers: begun and closed.

use crate::client::base::ids::{ProducerId, PullConsumerId};
use crate::client::driver::Client;
use crate::error::{Error, ErrorKind};
use crate::producer::{ProducerConfig, check_group};
use crate::time::Now;

impl Client {
    /// Starts a producer of `group`. Brokers hear of it at once if they are connected.
    ///
    /// # Errors
    /// The group's name is none, a number is out of its range, or the client is closed.
    pub fn start_producer(&mut self, now: Now, group: &str, config: ProducerConfig) -> Result<ProducerId, Error> {
        self.check_group(group)?;
        config.check()?;
        let id = self.session.groups.add_producer(group, config);
        self.session.groups_changed(now);
        Ok(id)
    }

    /// Closes a producer: what it has under way goes on, nothing new is taken, and brokers hear that the group left
    /// when this was its last producer here.
    pub fn close_producer(&mut self, now: Now, id: ProducerId) {
        if let Some(group) = self.session.groups.close_producer(id) {
            self.session.producer_left(now, &group);
            self.run(now);
        }
    }

    /// Starts a pull consumer of `group`.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub fn start_pull_consumer(&mut self, now: Now, group: &str) -> Result<PullConsumerId, Error> {
        self.check_group(group)?;
        let id = self.session.groups.add_pull_consumer(group);
        self.session.groups_changed(now);
        Ok(id)
    }

    /// Closes a pull consumer; its pulls under way go on.
    pub fn close_pull_consumer(&mut self, now: Now, id: PullConsumerId) {
        if let Some(group) = self.session.groups.remove_pull_consumer(id) {
            self.session.consumer_left(now, &group);
            self.run(now);
        }
    }

    pub(crate) fn check_group(&self, group: &str) -> Result<(), Error> {
        if self.session.is_closing() {
            return Err(Error::new(ErrorKind::Closed, "the client"));
        }
        check_group(group)
    }
}
