//! One connection, from a host's side: bytes in, bytes out.

use std::task::{Context, Poll};

use bytes::BytesMut;
use stgclient_core::address::Address;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::wire::frame::FrameError;

use crate::bounds::MaybeSend;

/// What a client gives its host to drive a connection with.
///
/// The host opens a byte stream to [`address`](Link::address) and says [`connected`](Link::connected). Then, in one task: bytes
/// that come are read into [`read_buffer`](Link::read_buffer) and announced by [`received`](Link::received); what
/// [`poll_output`](Link::poll_output) gives is written. At the end it says [`closed`](Link::closed) with the reason;
/// a link that is dropped is closed too. While the stream is being opened, and while it takes no bytes, the host
/// watches [`poll_close`](Link::poll_close). The client counts as alive until its links are dropped, so the stream goes first.
pub trait Link: MaybeSend {
    /// Where to connect to.
    fn address(&self) -> &Address;

    /// The stream stands.
    fn connected(&mut self);

    /// Where to read the peer's bytes to, with room at its end.
    fn read_buffer(&mut self) -> &mut BytesMut;

    /// Bytes have been added to the read buffer.
    ///
    /// # Errors
    /// They are no frames. The host has to close the stream, and say why.
    fn received(&mut self) -> Result<(), FrameError>;

    /// Whether a frame has begun and not ended: the peer would be wrong to end the stream now.
    fn is_mid_frame(&self) -> bool;

    /// What to do next. The host calls this again when it has written everything, which says so.
    ///
    /// `outbox` has to be empty. When several requests are under way, one turn passes between the first bytes and
    /// their writing, so that those woken by the same read share a write: fewer system calls for us and for the
    /// broker.
    fn poll_output(&mut self, context: &Context<'_>, outbox: &mut Outbox) -> Poll<Output>;

    /// So many bytes of the outbox are written. Bodies among them are dropped, which may run code of the application.
    fn written(&self, outbox: &mut Outbox, count: usize);

    /// Ready when the stream has to close, whatever it is doing: opening, or writing to a peer that does not read.
    fn poll_close(&mut self, context: &Context<'_>) -> Poll<()>;

    /// The stream ended, or could not be opened.
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
