//! What is under way for the application.

use super::administration::Administration;
use super::event::{Outcome, Value};
use super::name_server_calls::{Asker, NameServerRequest};
use super::network::Owner;
use super::queue_requests::QueueRequest;
use super::routing::QueueList;
use super::sending::Sending;
use super::session::{Session, Signal};
use crate::error::{Error, ErrorKind};
use crate::table::Id;
use crate::time::{Instant, Now};
use crate::wire::command::Command;
use crate::wire::request::KvConfigAnswer;

/// An operation under way.
pub type OperationId = Id<Operation>;

/// Something that is under way for the application.
#[derive(Debug)]
#[allow(private_interfaces)]
#[doc(hidden)]
pub enum Operation {
    Send(Sending),
    Queue(QueueRequest),
    Queues(QueueList),
    Lookup(Lookup),
    Administration(Administration),
    /// It cannot be done; it completes at once.
    Refused,
}

impl Operation {
    /// Asks something that costs little, or what servers expect of a client that starts.
    pub(super) fn connect(session: &Session, now: Now) -> Self {
        let dialect = session.config.dialect();
        let request = if dialect.has_projects() {
            NameServerRequest::ProjectGroup
        } else {
            NameServerRequest::Route { topic: dialect.default_topic().into() }
        };
        let read = |answer: Result<Command, Error>| match answer {
            // Any answer is a sign of life, that there is no such topic or project too.
            Err(error) if error.kind() != ErrorKind::Refused => Err(error),
            Ok(answer) => {
                let project = answer.header::<KvConfigAnswer<'_>>().ok().and_then(|answer| answer.value);
                if let Some(project) = project.filter(|project| !project.is_empty()) {
                    // Smartgo's own client makes nothing of it either.
                    tracing::info!(%project, "this host belongs to a project; names of topics and groups stay as they are");
                }
                Ok(Value::Done)
            }
            Err(_) => Ok(Value::Done),
        };
        let deadline = now.mono + session.config.request_timeout;
        Self::Lookup(Lookup { request, what: "connect".to_owned(), deadline, read })
    }

    /// When its time is up, if it is known at the start and nothing on the way watches over it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            // A send sets its own, since most never wait for anything but an answer.
            Self::Send(_) | Self::Lookup(_) | Self::Refused => None,
            Self::Queue(request) => Some(request.deadline()),
            Self::Queues(list) => Some(list.deadline()),
            Self::Administration(administration) => Some(administration.deadline()),
        }
    }

    pub(super) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        step: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        match self {
            Self::Send(sending) => sending.resume(session, now, id, step, signal),
            Self::Queue(request) => request.resume(session, now, id, step, signal),
            Self::Queues(list) => list.resume(session, now, id, signal),
            Self::Lookup(lookup) => lookup.resume(session, now, id, signal),
            Self::Administration(administration) => administration.resume(session, now, id, step, signal),
            Self::Refused => None,
        }
    }
}

/// One question to the name servers.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(super) request: NameServerRequest,
    /// The question in words, for errors.
    pub(super) what: String,
    pub(super) deadline: Instant,
    pub(super) read: fn(Result<Command, Error>) -> Outcome,
}

impl Lookup {
    fn resume(&self, session: &mut Session, now: Now, id: OperationId, signal: Signal<'_>) -> Option<Outcome> {
        match signal {
            Signal::Start => {
                let asker = Asker::Operation(Owner::Operation(id, 0));
                session.ask_name_servers(now, self.request.clone(), self.deadline, asker);
                None
            }
            Signal::Looked(answer) => Some((self.read)(answer).map_err(|error| error.context(&self.what))),
            _ => None,
        }
    }
}
