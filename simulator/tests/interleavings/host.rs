//! A host on the checker's threads, with a cluster in memory at the other end of its connections.
//!
//! What it keeps itself stands behind locks of the standard library, which nobody holds while others may run.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use stgclient::host::{BoxFuture, Host, Link, Output};
use stgclient::{Client, ClientBuilder};
use stgclient_core::client::Identity;
use stgclient_core::connection::Outbox;
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::{Cluster, ClusterConfig, Peer, ServerId};

pub(crate) struct Threads(Arc<Mutex<Inner>>);

struct Inner {
    now: Now,
    cluster: Cluster,
    servers: Vec<(ServerId, String)>,
    /// What servers have sent and nobody has read, and who waits for it.
    unread: BTreeMap<Peer, (Vec<Bytes>, Option<Waker>)>,
    sleepers: Vec<(Instant, Waker)>,
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Threads {
    /// A cluster with the topic `t`, which has one queue.
    pub(crate) fn new() -> Arc<Self> {
        let now = Now { mono: Instant::from_micros(1_000_000), unix_ms: 1_700_000_000_000 };
        let config = ClusterConfig::with_servers(1, 1);
        let mut cluster = Cluster::new(now, config);
        cluster.brokers().for_each(|broker| broker.create_topic("t", 1).expect("a topic"));
        let servers = cluster.servers().map(|(id, address)| (id, address.to_owned())).collect();
        let (unread, sleepers) = (BTreeMap::new(), Vec::new());
        Arc::new(Self(Arc::new(Mutex::new(Inner { now, cluster, servers, unread, sleepers }))))
    }

    pub(crate) async fn client(self: &Arc<Self>) -> Client {
        let host: Arc<dyn Host> = Arc::<Self>::clone(self);
        ClientBuilder::on(host, "10.0.0.1:9876").connect().await.expect("it is there")
    }

    pub(crate) fn cluster<R>(&self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        act(&mut lock(&self.0).cluster)
    }

    /// Lets time pass until a future is ready.
    pub(crate) async fn pass_until<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            if polled.is_pending() {
                self.pass(Duration::from_millis(100));
                shuttle::thread::yield_now();
                context.waker().wake_by_ref();
            }
            polled
        })
        .await
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        let mut inner = lock(&self.0);
        inner.now.mono = inner.now.mono + time;
        let (now, sleepers) = (inner.now.mono, std::mem::take(&mut inner.sleepers));
        let (due, later) = sleepers.into_iter().partition(|(at, _)| *at <= now);
        inner.sleepers = later;
        drop(inner);
        let due: Vec<(Instant, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Inner {
    /// Sorts what the servers say by peers; gives those to be woken.
    fn take_output(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some((peer, bytes)) = self.cluster.poll_output() {
            let (unread, waker) = self.unread.entry(peer).or_default();
            unread.push(bytes);
            woken.extend(waker.take());
        }
        woken
    }
}

impl Host for Threads {
    fn now(&self) -> Now {
        lock(&self.0).now
    }

    fn spawn(&self, task: BoxFuture<()>) {
        drop(shuttle::future::spawn(task));
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        let inner = Arc::clone(&self.0);
        Box::pin(poll_fn(move |context| {
            let mut inner = lock(&inner);
            if at <= inner.now.mono {
                return Poll::Ready(());
            }
            inner.sleepers.retain(|(_, waker)| !waker.will_wake(context.waker()));
            inner.sleepers.push((at, context.waker().clone()));
            Poll::Pending
        }))
    }

    fn connect(&self, link: Box<dyn Link>) {
        drop(shuttle::future::spawn(run(Arc::clone(&self.0), link)));
    }

    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn seed(&self) -> u64 {
        7
    }
}

async fn run(inner: Arc<Mutex<Inner>>, mut link: Box<dyn Link>) {
    let peer = {
        let mut inner = lock(&inner);
        let server = inner.servers.iter().find(|(_, address)| address == link.address().as_str()).map(|(id, _)| *id);
        let (now, client) = (inner.now, SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)));
        server.and_then(|server| inner.cluster.connected(now, server, client).ok())
    };
    let Some(peer) = peer else {
        return link.closed("connection refused".into());
    };
    link.connected();
    let mut stream =
        Stream { inner, peer, outbox: Outbox::default(), reader: FrameReader::new(DEFAULT_MAX_FRAME_LENGTH) };
    poll_fn(|context| stream.poll(&mut *link, context)).await;
    let mut inner = lock(&stream.inner);
    let now = inner.now;
    inner.cluster.closed(now, peer);
    inner.unread.remove(&peer);
}

struct Stream {
    inner: Arc<Mutex<Inner>>,
    peer: Peer,
    outbox: Outbox,
    reader: FrameReader,
}

impl Stream {
    fn poll(&mut self, link: &mut dyn Link, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match link.poll_output(context, &mut self.outbox) {
                Poll::Ready(Output::Close) => return Poll::Ready(()),
                Poll::Ready(Output::Write) => {
                    self.write();
                    continue;
                }
                Poll::Pending => {}
            }
            let unread = {
                let mut inner = lock(&self.inner);
                let (unread, waker) = inner.unread.entry(self.peer).or_default();
                *waker = Some(context.waker().clone());
                std::mem::take(unread)
            };
            if unread.is_empty() {
                return Poll::Pending;
            }
            unread.iter().for_each(|bytes| link.read_buffer().extend_from_slice(bytes));
            link.received().expect("the servers send frames");
        }
    }

    /// What is written arrives at once.
    fn write(&mut self) {
        while self.outbox.has_remaining() {
            let chunk = self.outbox.chunk();
            let length = chunk.len();
            self.reader.read_buffer().extend_from_slice(chunk);
            self.outbox.advance(length);
        }
        let woken = {
            let mut inner = lock(&self.inner);
            let now = inner.now;
            while let Some(command) = self.reader.next_command().expect("the client sends frames") {
                inner.cluster.receive(now, self.peer, &command);
            }
            inner.take_output()
        };
        woken.into_iter().for_each(Waker::wake);
    }
}
