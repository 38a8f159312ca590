//! A request about a queue on its way: where it goes, who waits for its answer, and how that is read.

use std::borrow::Cow;

use bytes::Bytes;

use crate::client::base::ids::{Owner, PeerId};
use crate::client::session::{EMPTY, Session};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::routes::brokers::Broker;
use crate::time::{Instant, Now};
use crate::wire::body;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::json::Readable;
use crate::wire::request::{OffsetAnswer, Request};

/// Where a request goes, who waits for its answer, and until when. Where nobody does, the server is told not to give one.
pub(crate) struct Exchange {
    pub(crate) peer: PeerId,
    pub(crate) awaited: Option<(Owner, Instant)>,
}

impl Exchange {
    /// Returns whether the connection stands.
    pub(crate) fn request<'h, R: Request<'h>>(&self, session: &mut Session, now: Now, header: &R) -> bool {
        self.request_with(session, now, header, &EMPTY)
    }

    pub(crate) fn request_with<'h, R: Request<'h>>(
        &self,
        session: &mut Session,
        now: Now,
        header: &R,
        body: &Bytes,
    ) -> bool {
        self.write(session, now, (R::CODE, header, body))
    }

    /// Of any header, for all kinds alike.
    fn write(&self, session: &mut Session, now: Now, what: (RequestCode, &dyn WriteHeader, &Bytes)) -> bool {
        match self.awaited {
            Some((owner, deadline)) => session.ask_code(now, self.peer, what, deadline, owner),
            None => session.tell(now, self.peer, what),
        }
    }
}

/// The topic of a queue as headers have it.
pub(crate) fn topic(queue: &MessageQueue) -> Cow<'_, str> {
    Cow::Borrowed(&*queue.topic)
}

/// Its broker's name as headers have it.
pub(crate) fn broker_name(queue: &MessageQueue) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(&*queue.broker_name))
}

/// A number as the wire has it.
pub(crate) fn on_the_wire(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn to_body(body: &impl serde::Serialize) -> Bytes {
    Bytes::from(body::to_vec(body))
}

/// What a member of a queue's broker has answered.
pub(crate) struct Answered<'a> {
    pub(crate) queue: &'a MessageQueue,
    pub(crate) peer: Option<PeerId>,
    pub(crate) command: &'a Command,
}

impl Answered<'_> {
    pub(crate) const fn code(&self) -> ResponseCode {
        ResponseCode(self.command.code)
    }

    /// An error if it is a refusal.
    pub(crate) fn success(&self) -> Result<(), Error> {
        match self.code() {
            ResponseCode::SUCCESS => Ok(()),
            code => Err(Error::refused(code, self.command.remark.as_deref())),
        }
    }

    /// The offset that its header names.
    pub(crate) fn offset(&self) -> Result<Option<u64>, Error> {
        self.success()?;
        match self.command.header::<OffsetAnswer>() {
            Ok(OffsetAnswer { offset }) => Ok(u64::try_from(offset).ok()),
            Err(error) => Err(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
        }
    }

    pub(crate) fn body<T: Readable>(&self) -> Result<T, Error> {
        self.success()?;
        let malformed = |error: body::BodyError| Error::new(ErrorKind::MalformedAnswer, error.to_string());
        self.command.read_body().map_err(malformed)
    }

    /// A group has no offset of the queue. That is believed of its broker's master only: a slave that has started a moment
    /// ago has not taken the offsets over yet, and the group would begin anew.
    pub(crate) fn no_offset(&self, session: &Session) -> Result<Option<u64>, Error> {
        let master = session.brokers.find(&self.queue.broker_name).and_then(Broker::master);
        let asked = self.peer.and_then(|peer| session.network.get(peer)).map(Connection::address);
        if master.is_some() && master == asked {
            return Ok(None);
        }
        let why = "the master is away, and its slave has no offset of the group, perhaps not yet";
        Err(Error::new(ErrorKind::BrokerNotFound, why))
    }
}
