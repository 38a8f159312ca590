//! The task of one client's connection to a server of the cluster.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::ServerId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;

use super::served::{Connected, Served};

/// How often one turn of the task reads and writes before it lets others run.
const ROUNDS: usize = 32;
/// How many pieces one write takes at the most.
const PIECES: usize = 64;

/// Serves one connection until either side ends it.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    server: ServerId,
    address: SocketAddr,
    served: Arc<Served>,
    mut stopped: watch::Receiver<bool>,
) {
    let connected = match served.connected(server, address) {
        Ok(connected) => connected,
        Err(reason) => {
            tracing::info!(%address, %reason, "connection refused");
            return;
        }
    };
    let mut connection = Connection {
        stream,
        connected,
        reader: FrameReader::new(DEFAULT_MAX_FRAME_LENGTH),
        commands: Vec::new(),
        chunks: VecDeque::new(),
        written: 0,
        reads: true,
    };
    tokio::select! {
        () = poll_fn(|context| connection.poll(context)) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

struct Connection<S> {
    stream: S,
    connected: Connected,
    reader: FrameReader,
    commands: Vec<Command>,
    /// What is being written.
    chunks: VecDeque<Bytes>,
    /// How many bytes have been written that the cluster does not know of.
    written: usize,
    /// Whether to read.
    reads: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Reads and writes; ready at the end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            let written = self.poll_write(context);
            // A client that does not read what it asked for gets to ask no more.
            let read = if self.reads { self.poll_read(context) } else { Poll::Pending };
            match (written, read) {
                (Poll::Ready(None), _) | (_, Poll::Ready(None)) => return Poll::Ready(()),
                (Poll::Pending, Poll::Pending) => return Poll::Pending,
                _ => {}
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<()>> {
        let read = pin!(self.stream.read_buf(self.reader.read_buffer())).poll(context);
        let Poll::Ready(read) = read else {
            return Poll::Pending;
        };
        if !read.is_ok_and(|count| count > 0) {
            return Poll::Ready(None);
        }
        let whole = loop {
            match self.reader.next_command() {
                Ok(Some(command)) => self.commands.push(command),
                Ok(None) => break Some(()),
                Err(error) => {
                    tracing::info!(%error, "a client's bytes are no frames");
                    break None;
                }
            }
        };
        self.connected.received(&mut self.commands);
        Poll::Ready(whole)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Option<()>> {
        let written = std::mem::take(&mut self.written);
        let Some(reads) = self.connected.take(written, &mut self.chunks, context.waker()) else {
            return Poll::Ready(None);
        };
        self.reads = reads;
        if self.chunks.is_empty() {
            return Poll::Pending;
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (piece, chunk) in pieces.iter_mut().zip(&self.chunks) {
            *piece = IoSlice::new(chunk);
            count += 1;
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, &pieces[..count]);
        let Poll::Ready(written) = written else {
            return Poll::Pending;
        };
        Poll::Ready(written.ok().filter(|&count| count > 0).map(|count| self.advance(count)))
    }

    fn advance(&mut self, mut count: usize) {
        self.written += count;
        while let Some(chunk) = self.chunks.front_mut().filter(|_| count > 0) {
            let step = count.min(chunk.len());
            chunk.advance(step);
            count -= step;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}
