//! What a broker asks of clients, and what it does with their answers (`Broker2Client`).

use bytes::Bytes;
use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::Instant;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, FLAG_ONEWAY, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::WriteHeader;
use stgclient_core::wire::request::Request;

use super::super::output::Outputs;
use super::super::peer::Peer;
use super::super::reply::sender;

/// The requests of a broker to its clients; `P` says what an answer is for.
#[derive(Debug)]
pub(super) struct Asks<P> {
    /// The number of the last one. A broker numbers its requests as a client does its own: an answer is matched to its
    /// request within one direction only.
    opaque: i32,
    pending: SortedMap<i32, Pending<P>>,
    /// The same by the moments at which they are waited for no longer.
    deadlines: SortedSet<(Instant, i32)>,
    dialect: Dialect,
}

#[derive(Debug)]
struct Pending<P> {
    peer: Peer,
    due: Instant,
    purpose: P,
}

impl<P> Asks<P> {
    pub(super) const fn new(dialect: Dialect) -> Self {
        Self { opaque: 0, pending: SortedMap::new(), deadlines: SortedSet::new(), dialect }
    }

    /// Sends a request that nobody is to answer. It does not reach a client that has no room for it.
    pub(super) fn oneway<'r, R: Request<'r>>(&mut self, out: &mut Outputs, peer: Peer, request: &R, body: &Bytes) {
        self.write(out, peer, R::CODE, FLAG_ONEWAY, request, body);
    }

    /// Sends a request, whose answer is waited for until `due`. A client that has no room for it will not answer.
    pub(super) fn ask(
        &mut self,
        out: &mut Outputs,
        (peer, due): (Peer, Instant),
        code: RequestCode,
        fields: &dyn WriteHeader,
        body: &Bytes,
        purpose: P,
    ) {
        let opaque = self.write(out, peer, code, 0, fields, body);
        self.pending.insert(opaque, Pending { peer, due, purpose });
        self.deadlines.insert((due, opaque));
    }

    /// What an answer is for; nothing when nobody waits for it any more.
    pub(super) fn answered(&mut self, peer: Peer, opaque: i32) -> Option<P> {
        let pending = self.pending.get(&opaque).filter(|pending| pending.peer == peer)?;
        self.deadlines.remove(&(pending.due, opaque));
        self.pending.remove(&opaque).map(|pending| pending.purpose)
    }

    /// One of those that have not been answered in time, and by whom. A client that is gone is waited for all the same: an
    /// Apache broker does not notice, either.
    pub(super) fn pop_late(&mut self, now: Instant) -> Option<(Peer, P)> {
        let &(due, opaque) = self.deadlines.first()?;
        if due > now {
            return None;
        }
        self.deadlines.pop_first();
        self.pending.remove(&opaque).map(|pending| (pending.peer, pending.purpose))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    fn write(
        &mut self,
        out: &mut Outputs,
        peer: Peer,
        code: RequestCode,
        flag: i32,
        fields: &dyn WriteHeader,
        body: &Bytes,
    ) -> i32 {
        self.opaque = self.opaque.wrapping_add(1) & i32::MAX;
        let opaque = self.opaque;
        let (language, version) = sender(self.dialect);
        let head = Head { code: code.0, language, version, opaque, flag, remark: None };
        // A broker's own requests are in JSON, whatever the client writes (`serializeTypeConfigInThisServer`).
        if out.has_room(peer) {
            out.frame(peer, |pieces| {
                command::encode_head(pieces.tail(), HeaderCodec::Json, self.dialect, &head, fields, body.len());
                pieces.put(body);
            });
        }
        opaque
    }
}
