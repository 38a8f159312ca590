//! A connection, from the client's side of its link.

use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::address::Address;
use stgclient_core::client::ConnectionId;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::wire::command::Command;

use crate::effects::Effects;
use crate::link::{Connection, Link, Output};
use crate::shared::Shared;
use crate::state::SocketWork;

/// What a host drives a connection with.
pub(crate) fn link(shared: &Arc<Shared>, connection: ConnectionId, address: Address) -> Link {
    let side = ClientSide { shared: Arc::clone(shared), connection, effects: Effects::default(), gave_way: false };
    Link::new(Box::new(side), address, shared.settings.max_frame_length, shared.tasks.guard())
}

/// The client's side of a connection.
struct ClientSide {
    shared: Arc<Shared>,
    connection: ConnectionId,
    effects: Effects,
    /// Whether this round of output has let others add to it.
    gave_way: bool,
}

impl Connection for ClientSide {
    fn connected(&mut self) {
        let connection = self.connection;
        self.shared.with(|state, now| state.core.handle_connected(now, connection));
    }

    fn take(&mut self, commands: &mut Vec<Command>) {
        let Self { shared, connection, effects, .. } = self;
        shared.with_buffers(effects, |state, now| {
            state.core.handle_commands(now, *connection, commands.drain(..));
        });
    }

    fn poll_output(&mut self, context: &Context<'_>, outbox: &mut Outbox) -> Poll<Output> {
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

    fn poll_close(&mut self, context: &Context<'_>) -> Poll<()> {
        match self.shared.peek(|state| state.poll_socket(self.connection, context.waker())) {
            Some(SocketWork::Close) => Poll::Ready(()),
            Some(SocketWork::Write) | None => Poll::Pending,
        }
    }

    fn closed(&mut self, reason: CloseReason<'_>) {
        let connection = self.connection;
        self.shared.with(|state, now| state.core.handle_closed(now, connection, reason));
    }
}
