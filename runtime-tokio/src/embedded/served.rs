//! The cluster behind its lock, and the tasks that serve it: listeners, timers.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use bytes::Bytes;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::Command;
use stgclient_runtime::Host;
use stgclient_simulator::server::{Cluster, ClusterConfig, Memory, Peer, Refused, ServerId};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::connection;
use crate::Tokio;

/// How many bytes may wait for a client that does not read them; then its connection is closed.
const MOST_WAITING: usize = 64 * 1024 * 1024;
/// From how many waiting bytes on nothing more is read from a client.
pub(super) const READ_BELOW: usize = 4 * 1024 * 1024;

/// What waits for one client.
#[derive(Default)]
struct Mailbox {
    /// Whose it is; slots are used again.
    peer: Option<Peer>,
    chunks: VecDeque<Bytes>,
    bytes: usize,
    has_to_close: bool,
    waker: Option<Waker>,
}

struct State {
    cluster: Cluster,
    mailboxes: Vec<Mailbox>,
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
        let state = State { cluster: Cluster::new(now, config), mailboxes: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), clock, began_unix_ms: now.unix_ms, changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the cluster and delivers what follows from it.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        self.act(|cluster, _| act(cluster))
    }

    /// What time it is on the cluster's machines: their calendar goes by the runtime's clock too, or delayed messages would
    /// not come while a test has that stand still.
    fn now(&self) -> Now {
        let mono = self.clock.now().mono;
        Now { mono, unix_ms: self.began_unix_ms + mono.as_micros() / 1000 }
    }

    fn act<R>(&self, act: impl FnOnce(&mut Cluster, Now) -> R) -> R {
        let now = self.now();
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let before = state.cluster.poll_timeout();
        let result = act(&mut state.cluster, now);
        state.deliver(&mut wakers);
        let after = state.cluster.poll_timeout();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.changed.notify_one();
        }
        result
    }

    pub(super) fn connected(&self, server: ServerId, address: SocketAddr) -> Result<Peer, Refused> {
        self.act(|cluster, now| cluster.connected(now, server, address))
    }

    pub(super) fn receive(&self, peer: Peer, commands: &[Command]) {
        self.act(|cluster, now| commands.iter().for_each(|command| cluster.receive(now, peer, command)));
    }

    pub(super) fn closed(&self, peer: Peer) {
        self.act(|cluster, now| cluster.closed(now, peer));
        let mut state = self.lock();
        if let Some(mailbox) = state.mailbox(peer) {
            *mailbox = Mailbox::default();
        }
    }

    /// Stops a server as a crash does: its connections close.
    pub(super) fn stop_server(&self, server: ServerId) {
        let peers = self.act(|cluster, now| cluster.stop(now, server));
        let mut state = self.lock();
        for peer in peers {
            if let Some(mailbox) = state.mailbox(peer) {
                mailbox.has_to_close = true;
                mailbox.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }

    pub(super) fn start_server(&self, server: ServerId, memory: Memory) {
        self.act(|cluster, now| cluster.start(now, server, memory));
    }

    /// What waits for a client, moved to `chunks`; `None` when its connection has to close. When nothing waits,
    /// `waker` is woken once something does.
    pub(super) fn take(&self, peer: Peer, chunks: &mut VecDeque<Bytes>, waker: &Waker) -> Option<()> {
        let mut state = self.lock();
        let mailbox = state.mailbox(peer)?;
        if mailbox.has_to_close {
            return None;
        }
        chunks.append(&mut mailbox.chunks);
        mailbox.bytes = 0;
        mailbox.waker = Some(waker.clone());
        Some(())
    }
}

impl State {
    fn mailbox(&mut self, peer: Peer) -> Option<&mut Mailbox> {
        let slot = peer.slot();
        if self.mailboxes.len() <= slot {
            self.mailboxes.resize_with(slot + 1, Mailbox::default);
        }
        let mailbox = &mut self.mailboxes[slot];
        if mailbox.peer.is_none() {
            mailbox.peer = Some(peer);
        }
        (mailbox.peer == Some(peer)).then_some(mailbox)
    }

    fn deliver(&mut self, wakers: &mut Vec<Waker>) {
        while let Some((peer, bytes)) = self.cluster.poll_output() {
            let Some(mailbox) = self.mailbox(peer) else {
                continue;
            };
            mailbox.bytes += bytes.len();
            mailbox.chunks.push_back(bytes);
            if mailbox.bytes > MOST_WAITING {
                mailbox.has_to_close = true;
                mailbox.chunks.clear();
            }
            wakers.extend(mailbox.waker.take());
        }
    }
}

/// Accepts the connections of one server until the cluster stops, and then waits until all of them are closed.
pub(super) async fn accept(
    listener: TcpListener,
    server: ServerId,
    served: Arc<Served>,
    mut stopped: watch::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
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
                tokio::task::yield_now().await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Does what is due in the cluster, until it is gone or stopped.
pub(super) async fn run_timers(served: Weak<Served>, mut stopped: watch::Receiver<()>) {
    while let Some(now_served) = served.upgrade() {
        let next: Option<Instant> = now_served.act(|cluster, now| {
            cluster.handle_timeout(now);
            cluster.poll_timeout()
        });
        let sleep = next.map(|at| now_served.clock.sleep_until(at));
        tokio::select! {
            () = async { match sleep { Some(sleep) => sleep.await, None => std::future::pending().await } } => {}
            () = now_served.changed.notified() => {}
            _ = stopped.changed() => break,
        }
    }
}
