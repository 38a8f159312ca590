//! Reading more at once than is asked for, with no buffer for those of whom nothing comes: a WebSocket's own would be as large for each.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that are taken at once.
pub(crate) const PIECE: usize = 64 * 1024;

thread_local! {
    /// Where all bytes are read to, and from where they are taken before anything else is done.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// Reads what comes next, and gives what is made of it.
fn poll_piece<S: AsyncRead, T>(
    stream: Pin<&mut S>,
    context: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    READ.with_borrow_mut(|buffer| {
        let mut buffer = ReadBuf::new(buffer);
        ready!(stream.poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(take(buffer.filled())))
    })
}

/// What comes next of a stream; nothing at its end.
pub(crate) async fn next_piece<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Bytes> {
    poll_fn(|context| poll_piece(Pin::new(&mut *stream), context, Bytes::copy_from_slice)).await
}

/// A stream that is read in pieces as large as they come, whatever is asked for. What came and was not asked for is kept: less than a
/// piece, and only until it is.
pub(crate) struct ReadAhead<S> {
    stream: S,
    kept: Bytes,
}

impl<S> ReadAhead<S> {
    /// `before` has been read already. It is copied: a buffer that it is part of would stay as long as it does.
    pub(crate) fn new(stream: S, before: &[u8]) -> Self {
        Self { stream, kept: Bytes::copy_from_slice(before) }
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Waits for the end of the stream, and for nothing else: what comes before it is kept. Who has sent a piece is not read on.
    pub(crate) async fn ended(&mut self) {
        while self.kept.len() < PIECE {
            match next_piece(&mut self.stream).await {
                Ok(piece) if piece.is_empty() => return,
                Ok(piece) => self.kept = [&self.kept[..], &piece].concat().into(),
                Err(_) => return,
            }
        }
        std::future::pending().await
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.kept.is_empty() {
            let kept = &mut this.kept;
            return poll_piece(Pin::new(&mut this.stream), context, |piece| {
                let (wanted, rest) = piece.split_at(piece.len().min(out.remaining()));
                out.put_slice(wanted);
                *kept = Bytes::copy_from_slice(rest);
            });
        }
        let wanted = this.kept.len().min(out.remaining());
        out.put_slice(&this.kept.split_to(wanted));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn all_that_comes_is_read_once_and_in_order_however_little_is_asked_for() {
        let all: Vec<u8> = (0..200_000_u32).map(|at| (at / 7) as u8).collect();
        let (before, stream) = all.split_at(10);
        let mut reading = ReadAhead::new(stream, before);
        let mut read = Vec::new();
        for asked in (1..).step_by(13) {
            let mut some = vec![0; asked % 5000 + 1];
            let count = reading.read(&mut some).await.unwrap();
            if count == 0 {
                break;
            }
            assert!(reading.kept.len() < PIECE);
            read.extend_from_slice(&some[..count]);
        }
        assert!(read == all);
    }

    #[tokio::test]
    async fn the_end_is_waited_for_and_all_that_comes_before_it_is_read_later() {
        let (mut writing, stream) = tokio::io::duplex(1 << 20);
        let mut reading = ReadAhead::new(stream, b"before, ");
        writing.write_all(b"and after").await.unwrap();
        drop(writing);
        reading.ended().await;
        let mut read = String::new();
        reading.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "before, and after");
        let (mut writing, stream) = tokio::io::duplex(1 << 20);
        writing.write_all(&vec![0; 1 << 20]).await.unwrap();
        drop(writing);
        let mut reading = ReadAhead::new(stream, &[]);
        assert!(reading.ended().now_or_never().is_none(), "more is not read before somebody wants it");
        assert!(reading.kept.len() < 2 * PIECE);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_was_asked_for() {
        let mut reading = ReadAhead::new(&b"hello"[..], &[]);
        let mut some = [0; 64];
        assert_eq!(reading.read(&mut some).await.unwrap(), 5);
        assert!(reading.kept.is_empty());
        assert_eq!(reading.read(&mut some).await.unwrap(), 0, "the end is the end");
    }
}
