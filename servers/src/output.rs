//! Bytes on their way out: for each peer the frames in order, small ones joined, large messages left where they lie.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use stgclient_core::sorted::SortedMap;
use stgclient_core::time::Instant;

use super::peer::Peer;

/// From this length on a message is not copied behind its header but goes out as it is stored, in bytes.
const LARGE: usize = 16 * 1024;

/// Bytes in the order they are to be written.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    done: VecDeque<Bytes>,
    tail: BytesMut,
}

impl Pieces {
    /// Where the next bytes are appended.
    pub(super) const fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends bytes that may stay where they are.
    pub(super) fn put(&mut self, bytes: &Bytes) {
        if bytes.len() < LARGE {
            self.tail.extend_from_slice(bytes);
            return;
        }
        self.finish_tail();
        self.done.push_back(bytes.clone());
    }

    fn finish_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        // A small allocation is used again. A large one goes with what is in it: there is one for each peer.
        let tail = if self.tail.capacity() > LARGE { std::mem::take(&mut self.tail) } else { self.tail.split() };
        self.done.push_back(tail.freeze());
    }

    fn pop(&mut self) -> Option<Bytes> {
        if self.done.is_empty() {
            self.finish_tail();
        }
        self.done.pop_front()
    }

    /// All of it in one piece.
    pub(super) fn into_bytes(mut self) -> BytesMut {
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.pop() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    fn append(&mut self, mut other: Self) {
        while let Some(bytes) = other.pop() {
            self.put(&bytes);
        }
    }
}

/// What a cluster has to say to its peers.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// By the peer's slot.
    lanes: Vec<Lane>,
    ready: VecDeque<Peer>,
    /// Answers that a test holds back, in the order they become due.
    delayed: SortedMap<(Instant, u64), (Peer, Pieces)>,
    sequence: u64,
}

#[derive(Debug, Default)]
struct Lane {
    peer: Option<Peer>,
    is_ready: bool,
    /// So much waits for the peer at its host that nobody but itself may cause more.
    is_full: bool,
    pieces: Pieces,
}

impl Outputs {
    pub(super) fn open(&mut self, peer: Peer) {
        if self.lanes.len() <= peer.slot() {
            self.lanes.resize_with(peer.slot() + 1, Lane::default);
        }
        self.lanes[peer.slot()] = Lane { peer: Some(peer), ..Lane::default() };
    }

    pub(super) fn close(&mut self, peer: Peer) {
        if let Some(lane) = self.lanes.get_mut(peer.slot()).filter(|lane| lane.peer == Some(peer)) {
            *lane = Lane::default();
            self.delayed.retain(|_, (to, _)| *to != peer);
        }
    }

    /// Says whether more may be written for `peer` than what it asks for.
    pub(super) fn set_room(&mut self, peer: Peer, has_room: bool) {
        if let Some(lane) = self.lanes.get_mut(peer.slot()).filter(|lane| lane.peer == Some(peer)) {
            lane.is_full = !has_room;
        }
    }

    pub(super) fn has_room(&self, peer: Peer) -> bool {
        self.lanes.get(peer.slot()).is_none_or(|lane| lane.peer != Some(peer) || !lane.is_full)
    }

    /// Lets `write` append a frame for `peer`. Nothing happens when the peer is gone.
    pub(super) fn frame(&mut self, peer: Peer, write: impl FnOnce(&mut Pieces)) {
        let Some(lane) = self.lanes.get_mut(peer.slot()).filter(|lane| lane.peer == Some(peer)) else {
            return;
        };
        write(&mut lane.pieces);
        if !lane.is_ready {
            lane.is_ready = true;
            self.ready.push_back(peer);
        }
    }

    /// The same at `due`, or at once when `limit` frames wait already.
    pub(super) fn frame_at(&mut self, due: Instant, limit: usize, peer: Peer, write: impl FnOnce(&mut Pieces)) {
        if self.delayed.len() >= limit {
            return self.frame(peer, write);
        }
        let mut pieces = Pieces::default();
        write(&mut pieces);
        self.sequence += 1;
        self.delayed.insert((due, self.sequence), (peer, pieces));
    }

    /// When the next frame that is held back becomes due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, (peer, pieces))) = self.delayed.pop_first_if(|(due, _)| *due <= now) {
            self.frame(peer, |lane| lane.append(pieces));
        }
    }

    /// The next bytes to be written, and to whom.
    pub(super) fn pop(&mut self) -> Option<(Peer, Bytes)> {
        while let Some(&peer) = self.ready.front() {
            if let Some(lane) = self.lanes.get_mut(peer.slot()).filter(|lane| lane.peer == Some(peer)) {
                if let Some(bytes) = lane.pieces.pop() {
                    return Some((peer, bytes));
                }
                lane.is_ready = false;
            }
            self.ready.pop_front();
        }
        None
    }
}
