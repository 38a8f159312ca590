//! Whether a consumer has what is its share: all its queues begun, or none there for it.

use super::queue::AssignedQueue;
use super::{PushConsumer, PushEvent};
use crate::time::Now;

impl PushConsumer {
    /// Has [`PushEvent::Ready`] follow as soon as it is so, once.
    pub(crate) fn await_ready(&mut self, now: Now) {
        self.is_ready_awaited = true;
        self.attend(now);
    }

    /// Lets the application know, if it waits for that.
    pub(super) fn say_ready(&mut self) {
        if self.is_ready_awaited && self.is_ready() {
            self.is_ready_awaited = false;
            self.events.push_back(PushEvent::Ready);
        }
    }

    /// Whether it has begun with all queues that are its share of the topics that it subscribes to. The retry topic does not
    /// count: it is there only once a message has failed.
    pub(super) fn is_ready(&self) -> bool {
        let mut subscriptions = self.subscriptions.values().filter(|known| !known.is_retry);
        let has_begun = |known: &AssignedQueue| known.is_consuming() && !known.is_unchecked;
        let counts = |known: &&AssignedQueue| {
            let subscription = self.subscriptions.get(&known.queue.topic);
            !known.is_leaving() && subscription.is_some_and(|known| !known.is_retry)
        };
        let mut queues = self.queues.iter().map(|(_, known)| known).filter(counts);
        self.is_started && !self.is_closing() && subscriptions.all(|known| known.is_shared) && queues.all(has_begun)
    }
}
