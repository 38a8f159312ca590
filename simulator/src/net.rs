//! A world's network, from outside: what a test asks of it, and a client's end of a link.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use stgclient_core::time::Duration;

use super::Shared;
use super::network::{Direction, Faults, LinkId};

/// The network of a world. Cheap to clone.
///
/// Addresses are `host:port`, as clients name them.
#[derive(Clone)]
pub struct NetworkHandle {
    shared: Arc<Shared>,
}

impl NetworkHandle {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// What goes wrong from now on. Links that stand keep their latency.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.with(|state| state.network.set_faults(faults));
    }

    /// Takes back all faults and everything else that was asked for below. What was held up goes on.
    pub fn heal(&self) {
        self.shared.with(|state| state.network.heal(&mut state.course));
    }

    /// Attempts to connect to `address` are refused, or no longer.
    pub fn refuse(&self, address: &str, refuses: bool) {
        self.shared.with(|state| state.network.rule(&mut state.course, address, |rule| rule.refuses = refuses));
    }

    /// Nothing reaches `address` or comes from it, or no longer: attempts to connect are not decided, and what is sent
    /// waits in vain, as behind a cut cable. Afterwards it goes on, as with TCP, except a reset, which nobody sends twice:
    /// the link is then half open, until its other end sends something. `address` is a server's, `host:port`, or a machine's
    /// without a port.
    pub fn partition(&self, address: &str, is_cut_off: bool) {
        self.shared.with(|state| {
            state.network.rule(&mut state.course, address, |rule| {
                rule.is_cut_off = is_cut_off;
            });
        });
    }

    /// Holds up what goes to or comes from `address` in one direction, or no longer. Connections are taken: with
    /// [`Direction::ToServer`] the server is a process that was stopped, which accepts and never answers.
    pub fn stall(&self, address: &str, direction: Direction, is_stalled: bool) {
        self.shared.with(|state| {
            state.network.rule(&mut state.course, address, |rule| rule.hold(direction, is_stalled));
        });
    }

    /// Everything to and from `address` takes so much longer from now on, connecting too: a way there and one back.
    /// `address` is a server's or a machine's.
    pub fn delay(&self, address: &str, delay: Duration) {
        self.shared.with(|state| state.network.rule(&mut state.course, address, |rule| rule.delay = delay));
    }

    /// The first link to `address` over which `bytes` bytes more have gone in this direction is reset then, in the middle
    /// of a frame if need be. Each link counts its own; a later call takes the place of an earlier one.
    pub fn break_after(&self, address: &str, direction: Direction, bytes: usize) {
        self.shared.with(|state| state.network.break_after(&mut state.course, address, (direction, bytes)));
    }

    /// Resets every link to `address`.
    pub fn reset(&self, address: &str) {
        self.shared.with(|state| state.network.reset_all(&mut state.course, address));
    }

    /// How many links there are, those included that are being opened or closed.
    pub fn links(&self) -> usize {
        self.shared.lock().network.len()
    }
}

impl std::fmt::Debug for NetworkHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkHandle").finish_non_exhaustive()
    }
}

/// A client's end of a link. Closes the link when it is dropped.
pub struct Stream {
    shared: Arc<Shared>,
    link: LinkId,
    address: String,
}

impl Stream {
    pub(super) fn open(shared: &Arc<Shared>, address: &str, client: std::net::SocketAddr) -> Opening {
        let link = shared.with(|state| state.network.open(&mut state.course, address, client));
        let stream = Self { shared: Arc::clone(shared), link, address: address.to_owned() };
        Opening { stream: Some(stream) }
    }

    /// The server's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Takes bytes to be sent, as many as there is room for; at least one, if there is one.
    ///
    /// # Errors
    /// The link is over, for this reason.
    pub fn poll_write(&self, context: &Context<'_>, bytes: &mut impl Buf) -> Poll<Result<(), &'static str>> {
        if !bytes.has_remaining() {
            return Poll::Ready(Ok(()));
        }
        self.shared.with(|state| state.network.poll_write(&mut state.course, self.link, context, bytes))
    }

    /// Appends to `into` what has come. Ready with false when the server has closed the link.
    ///
    /// # Errors
    /// The link is over, for this reason.
    pub fn poll_read(&self, context: &Context<'_>, into: &mut BytesMut) -> Poll<Result<bool, &'static str>> {
        self.shared.with(|state| state.network.poll_read(&mut state.course, self.link, context, into))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The link is over, for this reason.
    pub async fn write(&self, mut bytes: impl Buf) -> Result<(), &'static str> {
        poll_fn(|context| {
            while bytes.has_remaining() {
                match self.poll_write(context, &mut bytes) {
                    Poll::Ready(Ok(())) => {}
                    other => return other,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Waits for bytes and appends them to `into`. False when the server has closed the link.
    ///
    /// # Errors
    /// The link is over, for this reason.
    pub async fn read(&self, into: &mut BytesMut) -> Result<bool, &'static str> {
        poll_fn(|context| self.poll_read(context, into)).await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.with(|state| state.network.leave(&mut state.course, self.link));
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("link", &self.link).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A link that is being opened: ready with the client's end of it, or the reason why not.
#[derive(Debug)]
pub struct Opening {
    stream: Option<Stream>,
}

impl Future for Opening {
    type Output = Result<Stream, &'static str>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(stream) = &self.stream else {
            return Poll::Pending;
        };
        let opened = stream.shared.with(|state| state.network.poll_open(stream.link, context));
        opened.map(|result| result.and_then(|()| self.stream.take().ok_or("opened already")))
    }
}
