//! The cluster reached in-process: no sockets, only a pipe for each connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use stgclient_core::address::Address;
use stgclient_core::client::Identity;
use stgclient_core::error::Error;
use stgclient_core::time::{Instant, Now};
use stgclient_host::{BoxFuture, Host, Link};
use stgclient_servers::ServerId;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use super::connection;
use super::served::Served;
use crate::host::Needs;
use crate::{Tokio, socket};

/// How many bytes a pipe holds.
const PIPE: usize = 256 * 1024;

/// A host whose connections lead into a cluster.
#[derive(Debug)]
pub(super) struct InProcess {
    tokio: Tokio,
    served: Arc<Served>,
    servers: Vec<(ServerId, String)>,
    /// The cluster's tasks end when the last one who has this drops it.
    stop: Arc<watch::Sender<bool>>,
}

impl InProcess {
    pub(super) fn new(served: Arc<Served>, stop: Arc<watch::Sender<bool>>) -> Self {
        let servers = served.with(|cluster| cluster.servers().map(|(id, address)| (id, address.to_owned())).collect());
        Self { tokio: Tokio::default(), served, servers, stop }
    }

    /// Our end of a new connection to the server at an address.
    fn open(&self, address: &Address) -> Option<DuplexStream> {
        let (server, _) = self.servers.iter().find(|(_, known)| known == address.as_str())?;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stopped = self.stop.subscribe();
        self.tokio.run(connection::serve(theirs, *server, client, Arc::clone(&self.served), stopped));
        Some(ours)
    }
}

impl Host for InProcess {
    fn check(&self) -> Result<(), Error> {
        self.tokio.check_for(Needs::Timers)
    }

    fn now(&self) -> Now {
        self.tokio.now()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tokio.spawn(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        self.tokio.sleep_until(at)
    }

    fn connect(&self, mut link: Box<dyn Link>) {
        match self.open(link.address()) {
            Some(stream) => self.tokio.run(async move { socket::drive(stream, &mut *link, "").await }),
            None => link.closed("there is no such server in the embedded cluster".into()),
        }
    }

    fn identity(&self) -> Identity {
        self.tokio.identity()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }
}

#[cfg(test)]
mod tests {
    // What takes a while does so by a real clock.
    #![allow(clippy::disallowed_methods)]

    use std::io;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use stgclient::{ClientBuilder, Message};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::super::EmbeddedCluster;
    use super::*;

    /// A host whose streams are wrapped.
    struct Wrapping<F>(InProcess, F);

    impl<S, F> Host for Wrapping<F>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Fn(DuplexStream) -> S + Send + Sync + 'static,
    {
        fn now(&self) -> Now {
            self.0.now()
        }

        fn spawn(&self, task: BoxFuture<()>) {
            self.0.spawn(task);
        }

        fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
            self.0.sleep_until(at)
        }

        fn connect(&self, mut link: Box<dyn Link>) {
            let stream = self.0.open(link.address()).expect("a server of the cluster");
            let stream = self.1(stream);
            self.0.tokio.run(async move { socket::drive(stream, &mut *link, "").await });
        }

        fn identity(&self) -> Identity {
            self.0.identity()
        }

        fn seed(&self) -> u64 {
            self.0.seed()
        }
    }

    /// A stream that takes a while to be dropped.
    struct Slow(DuplexStream, Arc<AtomicUsize>);

    impl Drop for Slow {
        fn drop(&mut self) {
            std::thread::sleep(std::time::Duration::from_millis(50));
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl AsyncRead for Slow {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(context)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn when_the_close_returns_every_stream_is_closed() {
        let open = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&open);
        let wrap = move |stream| {
            count.fetch_add(1, Ordering::SeqCst);
            Slow(stream, Arc::clone(&count))
        };
        let cluster = EmbeddedCluster::in_process().unwrap();
        let host = Wrapping(cluster.pipes(), wrap);
        let client = ClientBuilder::on(Arc::new(host), cluster.name_server_address()).connect().await.unwrap();
        client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
        assert!(open.load(Ordering::SeqCst) > 1);
        client.close().await;
        assert_eq!(open.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn what_a_stream_has_taken_is_flushed_before_more_is_waited_for() {
        let cluster = EmbeddedCluster::in_process().unwrap();
        // These hold what they are given until they are flushed.
        let host = Wrapping(cluster.pipes(), tokio::io::BufStream::new);
        let client = ClientBuilder::on(Arc::new(host), cluster.name_server_address()).connect().await.unwrap();
        let producer = client.producer("P").start().await.unwrap();
        for length in [1, 8191, 100_000] {
            producer.send(Message::new("T", vec![1; length])).await.unwrap();
        }
        client.close().await;
    }
}
