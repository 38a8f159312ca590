//! One connection, from a host's side: bytes in, bytes out.

use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use stgclient_core::address::Address;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{FrameError, FrameReader};

use crate::bounds::MaybeSend;
use crate::guard::{self, LogSpan};
use crate::tasks::TaskGuard;

/// What a host drives a connection with.
///
/// The host opens a byte stream to [`Link::address`] and says [`connected`](Link::connected). Then, in one task: bytes
/// that come are read into [`read_buffer`](Link::read_buffer) and announced by [`received`](Link::received); what
/// [`poll_output`](Link::poll_output) gives is written. At the end it says [`closed`](Link::closed) with the reason;
/// a link that is dropped is closed too. While the stream is being opened, and while it takes no bytes, the host
/// watches [`poll_close`](Link::poll_close).
pub struct Link {
    connection: Box<dyn Connection>,
    address: Address,
    reader: FrameReader,
    commands: Vec<Command>,
    is_closed: bool,
    span: LogSpan,
    /// Goes last: the client is gone when its links are.
    _task: TaskGuard,
}

/// A connection, as the client has it.
pub(crate) trait Connection: MaybeSend {
    /// The stream stands.
    fn connected(&mut self);
    /// Commands came, which are taken out.
    fn take(&mut self, commands: &mut Vec<Command>);
    /// What is to be done with the stream next; with [`Output::Write`], what is to be written is in the outbox, which was
    /// empty.
    fn poll_output(&mut self, context: &Context<'_>, outbox: &mut Outbox) -> Poll<Output>;
    /// Ready when the stream has to close.
    fn poll_close(&mut self, context: &Context<'_>) -> Poll<()>;
    /// The stream ended.
    fn closed(&mut self, reason: CloseReason<'_>);
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
    pub(crate) fn new(
        connection: Box<dyn Connection>,
        address: Address,
        max_frame_length: usize,
        task: TaskGuard,
    ) -> Self {
        let reader = FrameReader::new(max_frame_length);
        let span = guard::span(|| tracing::debug_span!("connection", %address));
        Self { connection, address, reader, commands: Vec::new(), is_closed: false, span, _task: task }
    }

    /// Where to connect to.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The stream stands.
    pub fn connected(&mut self) {
        let _inside = guard::enter(&self.span);
        guard::log(|| tracing::info!("connected"));
        self.connection.connected();
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
            let _inside = guard::enter(&self.span);
            self.connection.take(&mut self.commands);
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
        self.connection.poll_output(context, outbox)
    }

    /// So many bytes of the outbox are written. Bodies among them are dropped, which may run code of the application.
    pub fn written(&self, outbox: &mut Outbox, count: usize) {
        outbox.advance(count);
        while let Some(body) = outbox.take_written() {
            guard::discard(body);
        }
    }

    /// Ready when the stream has to close, whatever it is doing: opening, or writing to a peer that does not read.
    pub fn poll_close(&mut self, context: &Context<'_>) -> Poll<()> {
        self.connection.poll_close(context)
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
        let _inside = guard::enter(&self.span);
        guard::log(|| tracing::info!(reason = reason.words(), "closed"));
        self.connection.closed(reason);
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
