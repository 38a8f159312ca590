//! A connection, as its host drives it.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use stgclient_core::address::Address;
use stgclient_core::client::ConnectionId;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::notice::Notice;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{FrameError, FrameReader};
use stgclient_host::{Link, Output};

use crate::effects::Effects;
use crate::guard::{self, LogSpan};
use crate::log;
use crate::shared::Shared;
use crate::state::SocketWork;
use crate::tasks::TaskGuard;

/// What the host drives a connection with.
pub(crate) fn link(shared: &Arc<Shared>, id: ConnectionId, address: Address) -> Box<dyn Link> {
    Box::new(Connection {
        shared: Arc::clone(shared),
        id,
        effects: Effects::default(),
        gave_way: false,
        reader: FrameReader::new(shared.settings.max_frame_length),
        commands: Vec::new(),
        is_closed: false,
        is_unwanted: false,
        span: guard::span(|| tracing::debug_span!("connection", %address)),
        address,
        _task: shared.tasks.guard(),
    })
}

/// A connection of a client.
struct Connection {
    shared: Arc<Shared>,
    id: ConnectionId,
    address: Address,
    effects: Effects,
    /// Whether this round of output has let others add to it.
    gave_way: bool,
    reader: FrameReader,
    commands: Vec<Command>,
    is_closed: bool,
    /// The client wants it to close, and knows why.
    is_unwanted: bool,
    span: LogSpan,
    /// Goes last: the client is gone when its connections are.
    _task: TaskGuard,
}

impl Connection {
    /// Logs a line, with which of the process's clients this is of, and where it leads.
    fn log(&self, line: Notice) {
        let line = line.about("client_id", &self.shared.settings.client_id).about("address", &self.address);
        log::write(&*self.shared.host, &line);
    }
}

impl Link for Connection {
    fn address(&self) -> &Address {
        &self.address
    }

    fn connected(&mut self) {
        let _inside = guard::enter(&self.span);
        self.log(Notice::info("connected"));
        self.shared.with(|state, now| state.core.handle_connected(now, self.id));
    }

    fn read_buffer(&mut self) -> &mut BytesMut {
        self.reader.read_buffer()
    }

    fn received(&mut self) -> Result<(), FrameError> {
        let buffered = self.reader.buffered();
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
            let Self { shared, id, effects, commands, reader, .. } = self;
            let bytes = (buffered - reader.buffered()) as u64;
            shared.with_buffers(effects, |state, now| {
                state.core.note_received(bytes);
                state.core.handle_commands(now, *id, commands.drain(..));
            });
        }
        result
    }

    fn is_mid_frame(&self) -> bool {
        self.reader.is_mid_frame()
    }

    fn poll_output(&mut self, context: &Context<'_>, outbox: &mut Outbox) -> Poll<Output> {
        let Self { shared, id, gave_way, effects, .. } = self;
        let id = *id;
        let work = shared.peek(|state| {
            let is_busy = state.waiting.is_busy();
            state.poll_socket(id, context.waker()).map(|work| (work, is_busy))
        });
        match work {
            None => return Poll::Pending,
            Some((SocketWork::Close, _)) => {
                self.is_unwanted = true;
                return Poll::Ready(Output::Close);
            }
            Some((SocketWork::Write, true)) if !*gave_way => {
                *gave_way = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some((SocketWork::Write, _)) => {}
        }
        *gave_way = false;
        let work = shared.with_buffers(effects, |state, now| {
            state.core.take_outbox(now, id, outbox);
            state.waiting.note_flush();
            if !outbox.has_remaining() {
                state.note_written(id);
                return state.poll_socket(id, context.waker());
            }
            Some(SocketWork::Write)
        });
        match work {
            None => Poll::Pending,
            Some(SocketWork::Close) => {
                self.is_unwanted = true;
                Poll::Ready(Output::Close)
            }
            Some(SocketWork::Write) => Poll::Ready(Output::Write),
        }
    }

    fn written(&self, outbox: &mut Outbox, count: usize) {
        outbox.advance(count);
        while let Some(body) = outbox.take_written() {
            guard::discard(body);
        }
    }

    fn poll_close(&mut self, context: &Context<'_>) -> Poll<()> {
        match self.shared.peek(|state| state.poll_socket(self.id, context.waker())) {
            Some(SocketWork::Close) => {
                self.is_unwanted = true;
                Poll::Ready(())
            }
            Some(SocketWork::Write) | None => Poll::Pending,
        }
    }

    fn closed(&mut self, reason: CloseReason<'_>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let _inside = guard::enter(&self.span);
        self.log(Notice::info("closed").about("reason", reason.words()));
        self.shared.with(|state, now| state.core.handle_closed(now, self.id, reason));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let words = if self.is_unwanted { "the client ends it" } else { "the host gave the connection up" };
        self.closed(words.into());
    }
}
