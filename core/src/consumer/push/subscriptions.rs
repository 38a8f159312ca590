//! What a consumer subscribes to, and as what it shows up in heartbeats.

use std::sync::Arc;

use super::PushConsumer;
use crate::consumer::MessageSelector;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::body::{ConsumeType, ConsumerData};

/// A topic that is subscribed to.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) selector: MessageSelector,
    /// When it changed last, milliseconds since 1970 UTC: brokers keep the newest.
    pub(crate) version: u64,
    /// It is the retry topic, which begins with the first message.
    pub(crate) is_retry: bool,
    /// The topic's queues, as far as they are known.
    pub(crate) queues: Vec<MessageQueue>,
    /// Whether queues or members are being asked for.
    pub(crate) is_sharing: bool,
    /// It has been said that the topic does not exist.
    pub(crate) is_missing: bool,
}

impl Subscription {
    const fn new(now: Now, selector: MessageSelector, is_retry: bool) -> Self {
        let version = now.unix_ms;
        Self { selector, version, is_retry, queues: Vec::new(), is_sharing: false, is_missing: false }
    }

    pub(crate) fn retry(now: Now) -> Self {
        Self::new(now, MessageSelector::all(), true)
    }
}

impl PushConsumer {
    /// Subscribes to a topic, or changes what is wanted of it. What was fetched already is delivered all the same.
    ///
    /// # Errors
    /// The topic's name is none.
    pub(crate) fn subscribe(&mut self, now: Now, topic: &str, selector: MessageSelector) -> Result<(), Error> {
        if topic.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a topic without a name"));
        }
        match self.subscriptions.get_mut(topic) {
            Some(known) => {
                known.selector = selector;
                // Also when the clock has not moved.
                known.version = now.unix_ms.max(known.version + 1);
            }
            None => {
                self.subscriptions.insert(topic.into(), Subscription::new(now, selector, false));
            }
        }
        self.rebalance_soon(now.mono);
        Ok(())
    }

    /// Wants nothing more of a topic: its queues leave.
    pub(crate) fn unsubscribe(&mut self, now: Now, topic: &str) {
        if self.subscriptions.get(topic).is_some_and(|known| !known.is_retry) {
            self.subscriptions.remove(topic);
            self.share(now, topic, &[]);
        }
    }

    /// As heartbeats tell it.
    pub(crate) fn heartbeat_data(&self) -> ConsumerData {
        let subscriptions = self.subscriptions.iter();
        ConsumerData {
            group_name: self.group.to_string(),
            consume_type: ConsumeType::Passively,
            message_model: self.config.message_model,
            consume_from_where: self.config.consume_from.on_the_wire(),
            subscription_data_set: subscriptions
                .map(|(topic, known)| known.selector.subscription(topic, known.version))
                .collect(),
            unit_mode: false,
        }
    }

    /// The topics that are subscribed to.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.subscriptions.keys()
    }
}
