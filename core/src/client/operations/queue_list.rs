//! The list of a topic's queues.

use std::sync::Arc;

use crate::client::base::ids::{OperationId, Owner};
use crate::client::base::signal::Signal;
use crate::client::base::value::Outcome;
use crate::client::session::{Session, look_pauses};
use crate::connection::Backoff;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::routes::topics::Purpose;
use crate::time::{Instant, Now};

/// The operation that lists a topic's queues.
#[derive(Debug)]
pub(crate) struct QueueList {
    topic: Arc<str>,
    deadline: Instant,
    looks: Backoff,
    last_failure: Option<Error>,
}

impl QueueList {
    pub(crate) const fn new(topic: Arc<str>, deadline: Instant) -> Self {
        Self { topic, deadline, looks: look_pauses(), last_failure: None }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        let error = match signal {
            Signal::Start => return self.ask(session, now, id),
            Signal::Elapsed if now.mono < self.deadline => return self.ask(session, now, id),
            Signal::Routed(Ok(())) => return Some(Ok(self.queues(session).into())),
            // The name servers may come back in its time.
            Signal::Routed(Err(error)) if error.is_retryable() && now.mono < self.deadline => {
                self.last_failure = Some(error);
                let pause = self.looks.next_pause(&mut session.random);
                session.operation_timers.set(id.key(), self.deadline.min(now.mono + pause));
                return None;
            }
            Signal::Routed(Err(error)) => error,
            Signal::Elapsed => {
                let none = || Error::new(ErrorKind::Timeout, "the name servers gave no route");
                self.last_failure.take().unwrap_or_else(none)
            }
            _ => return None,
        };
        Some(Err(error.context(format_args!("queues of topic {}", self.topic))))
    }

    fn ask(&self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        session.operation_timers.set(id.key(), self.deadline);
        let topic = session.topic(now, &self.topic);
        // The newest route, not the last known one: queues come and go.
        session.await_route(now, topic, Purpose::Read, Owner::Operation(id, 0));
        None
    }

    fn queues(&self, session: &Session) -> Vec<MessageQueue> {
        let topic = session.topics.find(&self.topic).and_then(|topic| session.topics.get(topic));
        topic.map(|topic| topic.readable_queues()).unwrap_or_default()
    }
}
