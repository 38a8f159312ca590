//! One connection: two pipes, the client's end, and what the server's end has not yet been able to send.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};

use super::super::course::Course;
use super::rules::Break;

/// A connection's number, given out in order.
pub(in super::super) type LinkId = u64;

/// How many bytes are on their way in one direction at the most.
pub(super) const WINDOW: usize = 256 * 1024;

/// The reason of an end that nobody is to blame for.
pub(super) const CLOSED: &str = "closed by the server";

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From a client to a server.
    ToServer,
    /// From a server to a client.
    ToClient,
}

impl Direction {
    /// The other one.
    pub const fn reversed(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// What travels on a link.
#[derive(Clone, Debug)]
pub(in super::super) enum Item {
    Bytes(Bytes),
    /// Nothing more comes from this side.
    End,
    /// The link is over, and what is on its way is lost.
    Reset,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// When the latest piece arrives; none arrives before it.
    pub(super) last_arrival: Instant,
    /// Bytes that were sent and not yet read.
    pub(super) in_flight: usize,
    /// What has arrived and is held up.
    pub(super) held_up: VecDeque<Item>,
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is being opened, and will be or will not be.
    Opening {
        /// Whether the network refuses it.
        is_refused: bool,
    },
    /// It stands.
    Open,
    /// It is over for the client, for this reason.
    Over(&'static str),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    /// The server's address, as the client named it.
    pub(super) address: Arc<str>,
    /// The client's address.
    pub(super) client: SocketAddr,
    pub(super) random: Random,
    pub(super) latency: Duration,
    pub(super) stage: Stage,
    pub(super) pipes: [Pipe; 2],
    /// What the client has not yet read.
    pub(super) inbox: BytesMut,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// What the server has not yet been able to send.
    pub(super) backlog: VecDeque<Bytes>,
    /// After how many bytes more it breaks, if no other link to its server does before.
    pub(super) breaks_after: Option<Break>,
    /// The server closes the link when it has sent everything.
    pub(super) closes: bool,
    /// The client has no hand on its end any more.
    pub(super) is_left_by_client: bool,
    /// The server has none on its.
    pub(super) is_left_by_server: bool,
}

impl Link {
    /// The link is over for its client.
    pub(super) fn end(&mut self, course: &mut Course, reason: &'static str) {
        if !matches!(self.stage, Stage::Over(_)) {
            self.stage = Stage::Over(reason);
            course.wake(self.reader.take());
            course.wake(self.writer.take());
        }
    }

    pub(super) const fn pipe(&mut self, direction: Direction) -> &mut Pipe {
        &mut self.pipes[direction.index()]
    }
}
