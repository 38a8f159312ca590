//! What is under way for the application.

pub(super) mod administration;
pub(super) mod asker;
mod exchange;
pub(super) mod flush;
pub(super) mod lookup;
pub(super) mod questions;
pub(super) mod queue_list;
pub(super) mod queue_request;
pub(super) mod sending;
pub(super) mod tasks;

use crate::client::base::ids::OperationId;
use crate::client::base::signal::Signal;
use crate::client::base::value::Outcome;
use crate::client::operations::administration::Administration;
use crate::client::operations::flush::Flush;
use crate::client::operations::lookup::Lookup;
use crate::client::operations::queue_list::QueueList;
use crate::client::operations::queue_request::QueueRequest;
use crate::client::operations::sending::Sending;
use crate::client::session::{Reserved, Session};
use crate::producer::Spent;
use crate::time::{Instant, Now};

/// Something that is under way for the application.
#[derive(Debug)]
#[allow(private_interfaces)]
#[doc(hidden)]
pub(crate) enum Operation {
    Send(Sending),
    Flush(Flush),
    Queue(QueueRequest),
    Queues(QueueList),
    Lookup(Lookup),
    Administration(Administration),
    /// It cannot be done; it completes at once.
    Refused,
}

impl Operation {
    /// What it holds as long as it is under way.
    pub(crate) fn reserved(&self) -> Reserved {
        match self {
            Self::Send(sending) => sending.reserved(),
            Self::Queue(request) => request.offset_table().map_or(Reserved::Nothing, Reserved::FirstCommit),
            Self::Flush(flush) => Reserved::Flush(flush.producer()),
            Self::Queues(_) | Self::Lookup(_) | Self::Administration(_) | Self::Refused => Reserved::Nothing,
        }
    }

    /// It is over, with an outcome unless it was given up.
    #[inline]
    pub(crate) fn note_over(&self, session: &mut Session, now: Now, outcome: Option<&Outcome>) {
        if let Self::Send(sending) = self {
            sending.note_over(session, now, outcome);
        }
    }

    /// Gives what it has of the application, which is not to be dropped here.
    pub(crate) fn take_spent(&mut self, spent: &mut Spent) {
        if let Self::Send(sending) = self {
            sending.take_spent(spent);
        }
    }

    /// When its time is up, if it is known at the start and nothing on the way watches over it.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            // A send sets its own, since most never wait for anything but an answer.
            Self::Send(_) | Self::Lookup(_) | Self::Refused => None,
            // The sends have their own.
            Self::Flush(_) => None,
            Self::Queue(request) => Some(request.deadline()),
            Self::Queues(list) => Some(list.deadline()),
            Self::Administration(administration) => Some(administration.deadline()),
        }
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        step: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        match self {
            Self::Send(sending) => sending.resume(session, now, id, step, signal),
            Self::Flush(flush) => flush.resume(session, id, &signal),
            Self::Queue(request) => request.resume(session, now, id, step, signal),
            Self::Queues(list) => list.resume(session, now, id, signal),
            Self::Lookup(lookup) => lookup.resume(session, now, id, signal),
            Self::Administration(administration) => administration.resume(session, now, id, step, signal),
            Self::Refused => None,
        }
    }
}
