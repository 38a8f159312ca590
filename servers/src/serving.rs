//! A cluster and those who are connected to it, for any host: who is served when, and what waits for whom. Sans-IO: the host has the
//! streams, and is told for whom there is something to do.
//!
//! Output that waits pushes back on input: of a client that does not read what it has asked for, nothing more is carried out, and
//! pulls of its that wait no longer are answered once there is room; nor does anything reach it that others cause. So what waits for a
//! client is no more than [`ROOM`] and one answer, but for what a test has held back; and nobody who reads is closed. A connection on which nothing comes and goes for [`MOST_IDLE`] is closed,
//! as a server of Apache's does (`NettyServerConfig.serverChannelMaxIdleTimeSeconds`).

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::sorted::SortedSet;
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::command::Command;

use crate::{Cluster, Peer, Refused, ServerId};

/// Of a client for whom so many bytes wait nothing more is carried out.
pub const ROOM: usize = 4 * 1024 * 1024;

/// With more bytes waiting than this, which a test has held back, a connection is closed.
pub const MOST_WAITING: usize = 64 * 1024 * 1024;

/// How long nothing may come and go on a connection.
pub const MOST_IDLE: Duration = Duration::from_secs(120);

/// A cluster that is being served.
#[derive(Debug)]
pub struct Serving {
    cluster: Cluster,
    /// By the slots of peers.
    places: Vec<Option<Place>>,
    /// Those for whom there may be something to do since the host has asked last.
    news: SortedSet<Peer>,
    /// When to look for connections that are idle.
    next_idle: Option<Instant>,
}

/// One client's.
#[derive(Debug)]
struct Place {
    peer: Peer,
    /// What it has asked and nobody has looked at yet.
    commands: VecDeque<Command>,
    /// What waits for it, and how many bytes of that and of what the host has taken are not written yet.
    chunks: VecDeque<Bytes>,
    waiting: usize,
    has_to_close: bool,
    last_use: Instant,
}

impl Serving {
    /// A cluster that nobody is connected to.
    pub const fn new(cluster: Cluster) -> Self {
        Self { cluster, places: Vec::new(), news: SortedSet::new(), next_idle: None }
    }

    /// The cluster, for whoever serves it otherwise.
    pub fn into_cluster(self) -> Cluster {
        self.cluster
    }

    /// Does something with the cluster, and what follows from it.
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        let result = act(&mut self.cluster);
        self.deliver();
        result
    }

    /// Somebody has connected to a server.
    ///
    /// # Errors
    /// The connection has to be closed, for this reason.
    pub fn connected(&mut self, now: Now, server: ServerId, address: SocketAddr) -> Result<Peer, Refused> {
        let peer = self.cluster.connected(now, server, address)?;
        if self.places.len() <= peer.slot() {
            self.places.resize_with(peer.slot() + 1, || None);
        }
        let place = Place {
            peer,
            commands: VecDeque::new(),
            chunks: VecDeque::new(),
            waiting: 0,
            has_to_close: false,
            last_use: now.mono,
        };
        self.places[peer.slot()] = Some(place);
        self.next_idle.get_or_insert(now.mono + MOST_IDLE);
        Ok(peer)
    }

    /// Bytes have come from a client, and these commands in them, which are taken out.
    pub fn received(&mut self, now: Now, peer: Peer, commands: &mut Vec<Command>) {
        if let Some(place) = self.place(peer) {
            place.last_use = now.mono;
            place.commands.extend(commands.drain(..));
        }
        commands.clear();
        self.carry_out(now, peer);
    }

    /// A client's connection is closed.
    pub fn closed(&mut self, now: Now, peer: Peer) {
        if self.place(peer).is_some() {
            self.places[peer.slot()] = None;
            self.news.remove(&peer);
        }
        self.cluster.closed(now, peer);
        self.deliver();
    }

    /// Stops a server as a crash does: its connections have to close.
    pub fn stop_server(&mut self, now: Now, server: ServerId) {
        let peers = self.cluster.stop(now, server);
        for peer in peers {
            self.close(peer);
        }
        self.deliver();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.cluster.handle_timeout(now);
        if self.next_idle.is_some_and(|at| at <= now.mono) {
            let is_idle = |place: &&Place| place.last_use + MOST_IDLE <= now.mono;
            let idle: Vec<Peer> = self.places.iter().flatten().filter(is_idle).map(|place| place.peer).collect();
            idle.into_iter().for_each(|peer| self.close(peer));
            let open = self.places.iter().flatten().filter(|place| !place.has_to_close);
            self.next_idle = open.map(|place| place.last_use + MOST_IDLE).min();
        }
        self.deliver();
    }

    /// When [`Serving::handle_timeout`] next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cluster.poll_timeout().into_iter().chain(self.next_idle).min()
    }

    /// The next client for whom there may be something to write, or whose connection has to close.
    pub fn poll_news(&mut self) -> Option<Peer> {
        self.news.pop_first()
    }

    /// Whether to read from a client: not while it does not read what it has asked for.
    pub fn wants_input(&self, peer: Peer) -> bool {
        self.find(peer).is_some_and(|place| place.commands.is_empty() && place.waiting < ROOM)
    }

    /// Moves what waits for a client to `chunks`; `None` when its connection has to close. [`Serving::written`] tells what becomes of it.
    pub fn take(&mut self, peer: Peer, chunks: &mut VecDeque<Bytes>) -> Option<()> {
        let place = self.place(peer).filter(|place| !place.has_to_close)?;
        chunks.append(&mut place.chunks);
        Some(())
    }

    /// So many bytes have been written to a client.
    pub fn written(&mut self, now: Now, peer: Peer, count: usize) {
        let Some(place) = self.place(peer) else {
            return;
        };
        let had_room = place.waiting < ROOM;
        place.waiting = place.waiting.saturating_sub(count);
        place.last_use = now.mono;
        if !had_room && place.waiting < ROOM {
            self.cluster.set_room(peer, true);
            self.carry_out(now, peer);
        }
    }

    fn find(&self, peer: Peer) -> Option<&Place> {
        self.places.get(peer.slot())?.as_ref().filter(|place| place.peer == peer)
    }

    fn place(&mut self, peer: Peer) -> Option<&mut Place> {
        self.places.get_mut(peer.slot())?.as_mut().filter(|place| place.peer == peer)
    }

    fn close(&mut self, peer: Peer) {
        if let Some(place) = self.place(peer) {
            place.has_to_close = true;
            place.commands.clear();
            place.chunks.clear();
            self.news.insert(peer);
        }
    }

    /// Carries out what a client has asked, as long as there is room for the answers.
    fn carry_out(&mut self, now: Now, peer: Peer) {
        self.deliver();
        while let Some(command) =
            self.place(peer).filter(|place| place.waiting < ROOM).and_then(|place| place.commands.pop_front())
        {
            self.cluster.receive(now, peer, &command);
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let Self { cluster, places, .. } = self;
        while let Some((peer, bytes)) = cluster.poll_output() {
            let place = places.get_mut(peer.slot()).and_then(Option::as_mut).filter(|place| place.peer == peer);
            let Some(place) = place.filter(|place| !place.has_to_close) else {
                continue;
            };
            place.waiting += bytes.len();
            place.chunks.push_back(bytes);
            if place.waiting >= ROOM {
                cluster.set_room(peer, false);
            }
            if place.waiting > MOST_WAITING {
                place.has_to_close = true;
                place.chunks.clear();
                place.commands.clear();
            }
            self.news.insert(peer);
        }
    }
}
