//! The client's end of a link: it opens, writes, reads and leaves.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use stgclient_core::random::Random;
use stgclient_core::time::Duration;

use super::super::course::Course;
use super::super::events::Event;
use super::Network;
use super::faults::{between, happens};
use super::link::{CLOSED, Direction, Item, Link, LinkId, Pipe, Stage, WINDOW};

impl Network {
    /// Begins to open a link.
    pub(in super::super) fn open(&mut self, course: &mut Course, address: &str, client: SocketAddr) -> LinkId {
        self.last_link += 1;
        let id = self.last_link;
        course.note("opens", id, address.as_bytes());
        let mut random = Random::new(self.seed ^ id.wrapping_mul(0xA076_1D64_78BD_642F));
        let rule = self.rule_of(address);
        let latency = between(&mut random, self.faults.min_latency, self.faults.max_latency);
        let is_refused = rule.refuses || happens(&mut random, self.faults.refusals);
        let is_silent = happens(&mut random, self.faults.silences);
        let link = Link {
            address: address.into(),
            client,
            random,
            latency,
            stage: Stage::Opening { is_refused },
            pipes: [Pipe::default(), Pipe::default()],
            inbox: BytesMut::new(),
            reader: None,
            writer: None,
            backlog: VecDeque::new(),
            breaks_after: rule.breaks_after,
            closes: false,
            is_left_by_client: false,
            is_left_by_server: false,
        };
        if !is_silent {
            course.plan_after(2 * (latency + self.delay_of(&link)), Event::Opened(id));
        }
        self.links.insert(id, link);
        id
    }

    pub(in super::super) fn poll_open(&mut self, id: LinkId, context: &Context<'_>) -> Poll<Result<(), &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        match link.stage {
            Stage::Opening { .. } => {
                link.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Stage::Open => Poll::Ready(Ok(())),
            Stage::Over(reason) => Poll::Ready(Err(reason)),
        }
    }

    /// Takes bytes from the client, as many as there is room for.
    pub(in super::super) fn poll_write(
        &mut self,
        course: &mut Course,
        id: LinkId,
        context: &Context<'_>,
        bytes: &mut impl Buf,
    ) -> Poll<Result<(), &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        if let Stage::Over(reason) = link.stage {
            return Poll::Ready(Err(reason));
        }
        let room = WINDOW.saturating_sub(link.pipe(Direction::ToServer).in_flight).min(bytes.remaining());
        if room == 0 {
            link.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let bytes = bytes.copy_to_bytes(room);
        course.note("client writes", id, &bytes);
        self.send(course, id, Direction::ToServer, bytes);
        Poll::Ready(Ok(()))
    }

    /// Gives the client what has arrived; false at the end of it.
    pub(in super::super) fn poll_read(
        &mut self,
        course: &mut Course,
        id: LinkId,
        context: &Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<Result<bool, &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        if link.inbox.is_empty() {
            return match link.stage {
                Stage::Over(CLOSED) => Poll::Ready(Ok(false)),
                Stage::Over(reason) => Poll::Ready(Err(reason)),
                Stage::Opening { .. } | Stage::Open => {
                    link.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let count = link.inbox.len();
        into.extend_from_slice(&link.inbox);
        link.inbox.clear();
        link.pipe(Direction::ToClient).in_flight -= count;
        self.flush(course, id);
        Poll::Ready(Ok(true))
    }

    /// The client lets go of its end.
    pub(in super::super) fn leave(&mut self, course: &mut Course, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_client) else {
            return;
        };
        course.note("client leaves", id, &[]);
        link.is_left_by_client = true;
        let unread = std::mem::take(&mut link.inbox);
        link.pipe(Direction::ToClient).in_flight -= unread.len();
        match link.stage {
            Stage::Open => self.put(course, id, Direction::ToServer, Item::End, Duration::ZERO),
            // No server knows of it.
            Stage::Opening { .. } => link.is_left_by_server = true,
            Stage::Over(_) => {}
        }
        self.flush(course, id);
        self.forget_if_left(id);
    }
}
