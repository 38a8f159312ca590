//! One connection, from a host's side: bytes in, bytes out.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use stgclient_core::address::Address;
use stgclient_core::client::ConnectionId;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{FrameError, FrameReader};

use crate::effects::Effects;
use crate::shared::{Shared, SocketWork};
use crate::tasks::TaskGuard;

/// What a host drives a connection with.
///
/// The host opens a byte stream to [`Link::address`] and says [`connected`](Link::connected). Then, in one task: bytes
/// that come are read into [`read_buffer`](Link::read_buffer) and announced by [`received`](Link::received); what
/// [`poll_output`](Link::poll_output) gives is written. At the end it says [`closed`](Link::closed) with the reason;
/// a link that is dropped is closed too. While the stream is being opened, and while it takes no bytes, the host
/// watches [`poll_close`](Link::poll_close).
pub struct Link {
    shared: Arc<Shared>,
    connection: ConnectionId,
    address: Address,
    reader: FrameReader,
    commands: Vec<Command>,
    effects: Effects,
    /// Whether this round of output has let others add to it.
    gave_way: bool,
    is_closed: bool,
    span: tracing::Span,
    /// Goes last: the client is gone when its links are.
    _task: TaskGuard,
}

/// What a link wants of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write the bytes in the outbox.
    Write,
    /// Close the stream; nothing has to be reported.
    Close,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, connection: ConnectionId, address: Address) -> Self {
        let reader = FrameReader::new(shared.settings.max_frame_length);
        let span = tracing::debug_span!("connection", %address);
        Self {
            _task: shared.tasks.guard(),
            shared,
            connection,
            address,
            reader,
            commands: Vec::new(),
            effects: Effects::default(),
            gave_way: false,
            is_closed: false,
            span,
        }
    }

    /// Where to connect to.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The stream stands.
    pub fn connected(&mut self) {
        let _guard = self.span.enter();
        tracing::info!("connected");
        let connection = self.connection;
        self.shared.with(|state, now| state.core.handle_connected(now, connection));
    }

    /// Where to read the peer's bytes to, with room at its end.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.reader.read_buffer()
    }

    /// Bytes have been added to the read buffer.
    ///
    /// # Errors
    /// They are no frames. The host has to close the stream, and say why.
    pub fn received(&mut self) -> Result<(), FrameError> {
        // What came before a malformed frame still counts.
        let result = loop {
            match self.reader.next_command() {
                Ok(Some(command)) => self.commands.push(command),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if !self.commands.is_empty() {
            let Self { shared, connection, commands, effects, span, .. } = self;
            let _guard = span.enter();
            shared.with_buffers(effects, |state, now| {
                state.core.handle_commands(now, *connection, commands.drain(..));
            });
        }
        result
    }

    /// Whether a frame has begun and not ended: the peer would be wrong to end the stream now.
    pub fn is_mid_frame(&self) -> bool {
        self.reader.is_mid_frame()
    }

    /// What to do next. The host calls this again when it has written everything, which says so.
    ///
    /// `outbox` has to be empty. When several requests are under way, one turn passes between the first bytes and
    /// their writing, so that those woken by the same read share a write: fewer system calls for us and for the
    /// broker.
    pub fn poll_output(&mut self, context: &Context<'_>, outbox: &mut Outbox) -> Poll<Output> {
        let Self { shared, connection, gave_way, .. } = self;
        let connection = *connection;
        let work = shared.peek(|state| {
            let is_busy = state.waiting.is_busy();
            state.poll_socket(connection, context.waker()).map(|work| (work, is_busy))
        });
        match work {
            None => return Poll::Pending,
            Some((SocketWork::Close, _)) => return Poll::Ready(Output::Close),
            Some((SocketWork::Write, true)) if !*gave_way => {
                *gave_way = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some((SocketWork::Write, _)) => {}
        }
        *gave_way = false;
        let work = shared.with_buffers(&mut self.effects, |state, now| {
            state.core.take_outbox(now, connection, outbox);
            state.waiting.note_flush();
            if !bytes::Buf::has_remaining(outbox) {
                state.note_written(connection);
                return state.poll_socket(connection, context.waker());
            }
            Some(SocketWork::Write)
        });
        match work {
            None => Poll::Pending,
            Some(SocketWork::Close) => Poll::Ready(Output::Close),
            Some(SocketWork::Write) => Poll::Ready(Output::Write),
        }
    }

    /// Ready when the stream has to close, whatever it is doing: opening, or writing to a peer that does not read.
    pub fn poll_close(&mut self, context: &Context<'_>) -> Poll<()> {
        match self.shared.peek(|state| state.poll_socket(self.connection, context.waker())) {
            Some(SocketWork::Close) => Poll::Ready(()),
            Some(SocketWork::Write) | None => Poll::Pending,
        }
    }

    /// The stream ended, or could not be opened. The link has to be dropped when the stream is: its client counts as alive
    /// until then.
    pub fn closed<'r>(&mut self, reason: impl Into<CloseReason<'r>>) {
        self.close(reason.into());
    }

    fn close(&mut self, reason: CloseReason<'_>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let _guard = self.span.enter();
        tracing::info!(reason = reason.words(), "closed");
        let connection = self.connection;
        self.shared.with(|state, now| state.core.handle_closed(now, connection, reason));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close("the host gave the connection up".into());
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}
