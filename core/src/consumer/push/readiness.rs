//! Whether a consumer has what is its share: all its queues begun, or none there for it.

use super::queue::{AssignedQueue, Stage};
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

    /// Whether it has begun with all queues that are its share of the topics that it subscribes to, the retry topic among them.
    pub(super) fn is_ready(&self) -> bool {
        let has_begun = |known: &AssignedQueue| match known.stage {
            Stage::Leaving(leave) => !leave.is_wanted_back,
            _ => known.is_consuming() && !known.is_unchecked,
        };
        self.is_started
            && !self.is_closing()
            && self.subscriptions.values().all(|known| known.share.is_known())
            && self.queues.iter().all(|(_, known)| has_begun(known))
    }
}
