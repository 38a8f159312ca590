//! An application that follows which queues are ours: it hears of each before the first message and after the last, and has
//! a bounded time for what it keeps of it.

use super::asked::Ticket;
use super::queue::{AssignedQueue, QueueId};
use super::{PushConsumer, PushEvent};
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};

/// How long an application may take with queues that are ours now, before they begin all the same.
const TAKE_OVER: Duration = Duration::from_secs(20);

/// Queues that an application is told of. Until it says that it is done ([`Client::rebalanced`](crate::client::Client::rebalanced)),
/// they rest, up to a bound.
#[derive(Clone, Debug, Default)]
pub struct Rebalanced {
    /// Which.
    pub queues: Vec<MessageQueue>,
    told: Vec<(QueueId, Ticket)>,
}

impl Rebalanced {
    /// Takes a queue out, of which the application need not be told any more. Returns whether it was there.
    pub fn forget(&mut self, queue: &MessageQueue) -> bool {
        let at = self.queues.iter().position(|known| known == queue);
        if let Some(at) = at {
            self.queues.remove(at);
            self.told.remove(at);
        }
        at.is_some()
    }

    fn push(&mut self, queue: MessageQueue, told: (QueueId, Ticket)) {
        self.queues.push(queue);
        self.told.push(told);
    }
}

/// That an application has been told of a queue and is not done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    ticket: Ticket,
    /// It is waited for until then.
    pub(super) until: Instant,
}

impl AssignedQueue {
    /// Until when the queue rests for the application's sake.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.listening.map(|listening| listening.until).filter(|until| now < *until)
    }
}

impl PushConsumer {
    /// A queue is ours: it begins once the application has taken it over.
    pub(super) fn tell_assigned(&mut self, now: Instant, id: QueueId) {
        let Some((queue, told)) = self.listen(id, now + TAKE_OVER) else {
            return;
        };
        match self.events.back_mut() {
            Some(PushEvent::Assigned(last)) => last.push(queue, told),
            _ => {
                let mut assigned = Rebalanced::default();
                assigned.push(queue, told);
                self.events.push_back(PushEvent::Assigned(assigned));
            }
        }
    }

    /// A queue leaves: it is handed over once the application is done with it, or at `until`.
    pub(super) fn tell_revoked(&mut self, id: QueueId, until: Instant) {
        let Some((queue, told)) = self.listen(id, until) else {
            return;
        };
        match self.events.back_mut() {
            Some(PushEvent::Revoked(last)) => last.push(queue, told),
            _ => {
                let mut revoked = Rebalanced::default();
                revoked.push(queue, told);
                self.events.push_back(PushEvent::Revoked(revoked));
            }
        }
    }

    fn listen(&mut self, id: QueueId, until: Instant) -> Option<(MessageQueue, (QueueId, Ticket))> {
        if !self.config.follows_queues {
            return None;
        }
        let ticket = self.next_ticket();
        let known = self.queues.touch(id)?;
        known.listening = Some(Listening { ticket, until });
        Some((known.queue.clone(), (id, ticket)))
    }

    /// The application is done with queues that it was told of. What it was told since of the same queue still rests.
    pub(crate) fn rebalanced(&mut self, now: Now, done: &Rebalanced) {
        for &(id, ticket) in &done.told {
            if let Some(known) = self.queues.touch(id) {
                known.listening.take_if(|listening| listening.ticket == ticket);
            }
        }
        self.attend(now);
    }
}
