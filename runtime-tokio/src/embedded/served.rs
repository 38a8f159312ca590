//! The cluster behind its lock, and the tasks that serve it: listeners, timers.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::Command;
use stgclient_host::Host;
use stgclient_servers::serving::Serving;
use stgclient_servers::{Cluster, ClusterConfig, Memory, Peer, Refused, ServerId};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::connection;
use crate::Tokio;

/// How long nobody is accepted after a connection could not be: mostly there are no descriptors left, and some have to end first.
const ACCEPTING_PAUSE: Duration = Duration::from_millis(100);

struct State {
    serving: Serving,
    /// Who writes to a peer and waits for something to write, by the peer's slot.
    wakers: Vec<Option<Waker>>,
}

/// A cluster that is being served.
pub(super) struct Served {
    state: Mutex<State>,
    clock: Tokio,
    /// When it began, milliseconds since 1970 UTC.
    began_unix_ms: u64,
    /// Something may be due earlier than the timer task knows.
    changed: Notify,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

impl Served {
    pub(super) fn new(config: ClusterConfig) -> Arc<Self> {
        let clock = Tokio::default();
        let now = clock.now();
        let state = State { serving: Serving::new(Cluster::new(now, config)), wakers: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), clock, began_unix_ms: now.unix_ms, changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the cluster and delivers what follows from it.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        self.act(|serving, _| serving.with(act))
    }

    /// What time it is on the cluster's machines: their calendar goes by the runtime's clock too, or delayed messages would
    /// not come while a test has that stand still.
    pub(super) fn now(&self) -> Now {
        let mono = self.clock.now().mono;
        Now { mono, unix_ms: self.began_unix_ms + mono.as_micros() / 1000 }
    }

    fn act<R>(&self, act: impl FnOnce(&mut Serving, Now) -> R) -> R {
        let now = self.now();
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let before = state.serving.poll_timeout();
        let result = act(&mut state.serving, now);
        while let Some(peer) = state.serving.poll_news() {
            wakers.extend(state.wakers.get_mut(peer.slot()).and_then(Option::take));
        }
        let after = state.serving.poll_timeout();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.changed.notify_one();
        }
        result
    }

    /// Somebody has connected to a server, and has left it once what is returned is dropped.
    pub(super) fn connected(self: &Arc<Self>, server: ServerId, address: SocketAddr) -> Result<Connected, Refused> {
        let peer = self.act(|serving, now| serving.connected(now, server, address))?;
        Ok(Connected { peer, served: Arc::clone(self) })
    }

    /// Stops a server as a crash does: its connections close.
    pub(super) fn stop_server(&self, server: ServerId) {
        self.act(|serving, now| serving.stop_server(now, server));
    }

    pub(super) fn start_server(&self, server: ServerId, memory: Memory) {
        self.act(|serving, now| serving.with(|cluster| cluster.start(now, server, memory)));
    }
}

/// A client that is connected. However its task ends, also by a panic, it is gone from the cluster.
pub(super) struct Connected {
    peer: Peer,
    served: Arc<Served>,
}

impl Connected {
    /// Commands have come, which are taken out.
    pub(super) fn received(&self, commands: &mut Vec<Command>) {
        self.served.act(|serving, now| serving.received(now, self.peer, commands));
    }

    /// So many bytes have been written, and what waits beside them is moved to `chunks`; `None` when the connection has to close. When
    /// nothing waits, `waker` is woken once something does. Says whether to read, too.
    pub(super) fn take(&self, written: usize, chunks: &mut VecDeque<Bytes>, waker: &Waker) -> Option<bool> {
        if written > 0 {
            self.served.act(|serving, now| serving.written(now, self.peer, written));
        }
        let mut state = self.served.lock();
        state.serving.take(self.peer, chunks)?;
        let slot = self.peer.slot();
        if state.wakers.len() <= slot {
            state.wakers.resize(slot + 1, None);
        }
        state.wakers[slot] = Some(waker.clone());
        Some(state.serving.wants_input(self.peer))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.served.act(|serving, now| serving.closed(now, self.peer));
    }
}

/// Accepts the connections of one server until the cluster stops, and then waits until all of them are closed.
pub(super) async fn accept(
    listener: TcpListener,
    server: ServerId,
    served: Arc<Served>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
            // Ended ones are forgotten as they end.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, address)) => {
                let _ = stream.set_nodelay(true);
                connections.spawn(connection::serve(stream, server, address, Arc::clone(&served), stopped.clone()));
            }
            // A connection that ended before it was taken, or no descriptors left: others must go on.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPTING_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Does what is due in the cluster, until it is gone or stopped.
pub(super) async fn run_timers(served: Weak<Served>, mut stopped: watch::Receiver<bool>) {
    while let Some(now_served) = served.upgrade() {
        let next: Option<Instant> = now_served.act(|serving, now| {
            serving.handle_timeout(now);
            serving.poll_timeout()
        });
        let sleep = next.map(|at| now_served.clock.sleep_until(at));
        tokio::select! {
            () = async { match sleep { Some(sleep) => sleep.await, None => std::future::pending().await } } => {}
            () = now_served.changed.notified() => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::BytesMut;
    use stgclient_core::wire::body::{self, ConsumerData, HeartbeatData};
    use stgclient_core::wire::code::RequestCode;
    use stgclient_core::wire::command::{self, Head, HeaderCodec};
    use stgclient_core::wire::dialect::Dialect;
    use stgclient_core::wire::fields::NoFields;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// A stream that gives some bytes, and panics once a server wants more after it has written something.
    struct Panics {
        bytes: Bytes,
        is_answered: bool,
    }

    impl AsyncRead for Panics {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            assert!(!self.is_answered, "the end of a test's connection");
            buffer.put_slice(&self.bytes.split_off(0));
            if buffer.filled().is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
        }
    }

    impl AsyncWrite for Panics {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.is_answered = true;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_client_whose_task_panics_is_gone_from_the_cluster() {
        let mut config = ClusterConfig::default();
        config.max_connections = 1;
        let served = Served::new(config);
        let heartbeat = HeartbeatData {
            client_id: "c".to_owned(),
            consumer_data_set: vec![ConsumerData { group_name: "G".to_owned(), ..ConsumerData::default() }],
            ..HeartbeatData::default()
        };
        let mut bytes = BytesMut::new();
        let head = Head::request(Dialect::Apache, RequestCode::HEART_BEAT, 1);
        let body = body::to_vec(&heartbeat);
        command::encode(&mut bytes, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, &body);
        let (server, address) = (ServerId::Broker(0), SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        let (_stop, stopped) = watch::channel(false);
        let stream = Panics { bytes: bytes.freeze(), is_answered: false };
        let task = tokio::spawn(connection::serve(stream, server, address, Arc::clone(&served), stopped));
        assert!(task.await.unwrap_err().is_panic());
        served.with(|cluster| assert_eq!(cluster.broker("broker-a").unwrap().members("G"), [] as [&str; 0]));
        assert!(served.connected(server, address).is_ok(), "its place is free");
    }
}
