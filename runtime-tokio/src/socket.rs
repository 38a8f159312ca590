//! The task of one connection: it reads in large pieces and writes all that waits at once.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Buf;
use stgclient_core::address::Address;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_host::{Link, Output};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::failure::Failure;

/// How often one turn of the task reads and writes before it lets others run.
const ROUNDS: usize = 32;
/// How many pieces one write takes at the most.
const PIECES: usize = 64;

/// Opens a stream, unless the link has to close meanwhile.
pub(crate) async fn unless_closed<T, F>(link: &mut dyn Link, open: impl FnOnce(Address) -> F) -> Option<T>
where
    F: Future<Output = T>,
{
    let mut opening = pin!(open(link.address().clone()));
    poll_fn(|context| match link.poll_close(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => opening.as_mut().poll(context).map(Some),
    })
    .await
}

/// Drives a link over an open stream until one of them ends. `guess` is what it may mean that the server hangs up without
/// a word.
pub(crate) async fn drive(stream: impl AsyncRead + AsyncWrite + Unpin, link: &mut dyn Link, guess: &str) {
    link.connected();
    let mut socket = Socket { stream, outbox: Outbox::default() };
    let end = poll_fn(|context| socket.poll(link, context)).await;
    // TLS tells its peer of the end: one try, since nobody waits for it.
    poll_fn(|context| {
        let _ = Pin::new(&mut socket.stream).poll_shutdown(context);
        Poll::Ready(())
    })
    .await;
    match end {
        End::Asked => {}
        End::Failed(failure) => link.closed(CloseReason::from(&failure).or_perhaps(guess)),
    }
}

/// How a connection ended.
enum End {
    /// We were asked to close it.
    Asked,
    Failed(Failure),
}

struct Socket<S> {
    stream: S,
    /// What is being written.
    outbox: Outbox,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn poll(&mut self, link: &mut dyn Link, context: &mut Context<'_>) -> Poll<End> {
        for _ in 0..ROUNDS {
            let written = self.poll_write(link, context);
            if let Poll::Ready(Err(end)) = written {
                return Poll::Ready(end);
            }
            let read = self.poll_read(link, context);
            if let Poll::Ready(Err(end)) = read {
                return Poll::Ready(end);
            }
            if written.is_pending() && read.is_pending() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_read(&mut self, link: &mut dyn Link, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let read = pin!(self.stream.read_buf(link.read_buffer())).poll(context);
        let Poll::Ready(read) = read else {
            return Poll::Pending;
        };
        Poll::Ready(match read {
            Ok(0) if link.is_mid_frame() => {
                Err(End::Failed("closed by the server in the middle of a frame".to_owned().into()))
            }
            Ok(0) => Err(End::Failed("closed by the server".to_owned().into())),
            Ok(_) => match link.received() {
                Ok(()) => Ok(()),
                Err(error) => Err(End::Failed(error.to_string().into())),
            },
            Err(error) => Err(End::Failed(error.into())),
        })
    }

    fn poll_write(&mut self, link: &mut dyn Link, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        if !self.outbox.has_remaining() {
            // TLS may hold what it has taken.
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(End::Failed(error.into()))),
                Poll::Pending => return link.poll_close(context).map(|()| Err(End::Asked)),
            }
            match link.poll_output(context, &mut self.outbox) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Output::Close) => return Poll::Ready(Err(End::Asked)),
                Poll::Ready(Output::Write) => {}
            }
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let count = self.outbox.chunks_vectored(&mut pieces);
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, &pieces[..count]);
        let Poll::Ready(written) = written else {
            return link.poll_close(context).map(|()| Err(End::Asked));
        };
        Poll::Ready(match written {
            Ok(0) => Err(End::Failed("the socket takes no more bytes".to_owned().into())),
            Ok(count) => {
                link.written(&mut self.outbox, count);
                Ok(())
            }
            Err(error) => Err(End::Failed(error.into())),
        })
    }
}
