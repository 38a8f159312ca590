//! One question to the name servers, for the application.

use crate::client::base::ids::{OperationId, Owner};
use crate::client::base::signal::Signal;
use crate::client::base::value::Outcome;
use crate::client::routing::look_ups::{NameServerQuestion, Seeker};
use crate::client::session::{Session, look_pauses};
use crate::connection::Backoff;
use crate::error::{Error, ErrorKind};
use crate::time::{Instant, Now};

/// One question to the name servers.
#[derive(Debug)]
pub(crate) struct Lookup {
    question: NameServerQuestion,
    /// Until when it is asked again if no name server answers. The last time may take as long as any.
    until: Instant,
    looks: Backoff,
    last_failure: Option<Error>,
}

impl Lookup {
    pub(crate) const fn new(question: NameServerQuestion, until: Instant) -> Self {
        Self { question, until, looks: look_pauses(), last_failure: None }
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        match signal {
            Signal::Start => self.ask(session, now, id),
            Signal::Elapsed if now.mono < self.until => self.ask(session, now, id),
            Signal::Elapsed => {
                let error = self.last_failure.take().unwrap_or_else(|| Error::new(ErrorKind::Timeout, ""));
                Some(Err(error.context(self.question.words())))
            }
            Signal::Looked(Err(error))
                if now.mono < self.until && error.kind() == ErrorKind::NameServersUnavailable =>
            {
                self.last_failure = Some(error);
                let pause = self.looks.next_pause(&mut session.random);
                session.operation_timers.set(id.key(), self.until.min(now.mono + pause));
                None
            }
            Signal::Looked(answer) => {
                let outcome = self.question.read(&mut session.notices, answer);
                Some(outcome.map_err(|error| error.context(self.question.words())))
            }
            _ => None,
        }
    }

    fn ask(&self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let deadline = now.mono + session.config.request_timeout;
        // One that is waited for may take its time; one that is only asked again has what is left.
        let deadline = if self.last_failure.is_some() { deadline.min(self.until) } else { deadline };
        session.ask_name_servers(now, self.question.clone(), deadline, Seeker::Operation(Owner::Operation(id, 0)));
        None
    }
}
