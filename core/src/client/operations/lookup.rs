//! One question to the name servers, for the application.

use crate::client::base::ids::{OperationId, Owner};
use crate::client::base::signal::Signal;
use crate::client::base::value::{Given, Outcome};
use crate::client::routing::look_ups::{NameServerRequest, Seeker};
use crate::client::session::{Session, look_pauses};
use crate::connection::Backoff;
use crate::error::{Error, ErrorKind};
use crate::notice::{Notice, Notices};
use crate::time::{Instant, Now};
use crate::wire::command::Command;
use crate::wire::request::KvConfigAnswer;

/// What is asked of the name servers, and what their answer says.
pub(crate) trait Look {
    /// What their answer says.
    type Gives: Given;

    /// Reads their answer, or why there is none.
    fn read(notices: &mut Notices, answer: Result<Command, Error>) -> Result<Self::Gives, Error>;
}

/// One question to the name servers.
#[derive(Debug)]
pub(crate) struct Lookup {
    request: NameServerRequest,
    /// The question in words, for errors.
    what: String,
    /// Until when it is asked again if no name server answers. The last time may take as long as any.
    until: Instant,
    looks: Backoff,
    last_failure: Option<Error>,
    read: fn(&mut Notices, Result<Command, Error>) -> Outcome,
}

/// A sign of life.
pub(crate) struct Connect;

impl Look for Connect {
    type Gives = ();

    fn read(notices: &mut Notices, answer: Result<Command, Error>) -> Result<(), Error> {
        match answer {
            // Any answer is a sign of life, that there is no such topic or project too.
            Err(error) if error.kind() != ErrorKind::Refused => Err(error),
            Ok(answer) => {
                let project = answer.header::<KvConfigAnswer<'_>>().ok().and_then(|answer| answer.value);
                if let Some(project) = project.filter(|project| !project.is_empty()) {
                    // Smartgo's own client makes nothing of it either.
                    let what = "this host belongs to a project; names of topics and groups stay as they are";
                    notices.push(Notice::info(what).about("project", project));
                }
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }
}

impl Lookup {
    pub(crate) fn new<L: Look>(request: NameServerRequest, what: String, until: Instant) -> Self {
        let read = |notices: &mut Notices, answer| L::read(notices, answer).map(Into::into);
        Self { request, what, until, looks: look_pauses(), last_failure: None, read }
    }

    /// Asks something that costs little, or what servers expect of a client that starts.
    pub(crate) fn connect(session: &Session, now: Now) -> Self {
        let dialect = session.config.dialect();
        let request =
            if dialect.has_projects() { NameServerRequest::ProjectGroup } else { NameServerRequest::SignOfLife };
        Self::new::<Connect>(request, "connect".to_owned(), now.mono + session.config.wait_for_servers)
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
                Some(Err(error.context(&self.what)))
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
                let outcome = (self.read)(&mut session.notices, answer);
                Some(outcome.map_err(|error| error.context(&self.what)))
            }
            _ => None,
        }
    }

    fn ask(&self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let deadline = now.mono + session.config.request_timeout;
        // One that is waited for may take its time; one that is only asked again has what is left.
        let deadline = if self.last_failure.is_some() { deadline.min(self.until) } else { deadline };
        session.ask_name_servers(now, self.request.clone(), deadline, Seeker::Operation(Owner::Operation(id, 0)));
        None
    }
}
