//! What brokers know of our groups, and what they have yet to hear.

use std::sync::Arc;

use crate::client::base::ids::{Owner, PeerId};
use crate::sorted::{SortedMap, SortedSet};
use crate::wire::command::Command;
use crate::wire::request::HeartbeatAnswer;

/// What brokers know of our groups.
#[derive(Debug, Default)]
pub(crate) struct Greetings {
    by_peer: SortedMap<PeerId, Greeting>,
    /// How many farewells brokers have not yet acknowledged.
    pub(crate) farewells: usize,
}

/// What one broker knows of our groups.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    /// The connection and the version of the groups that it has taken a heartbeat in of.
    pub(crate) taken: Option<(u32, u32)>,
    /// The fingerprint of the groups in the last heartbeat.
    pub(crate) sent: Option<i32>,
    /// It keeps our subscriptions by their fingerprint, on this connection: as long as that stays the same it need not be told
    /// again (heartbeats of the second version).
    pub(crate) agreed: Option<(u32, i32)>,
    /// Who waits for it to take in the groups of now.
    pub(crate) waiting: Vec<Owner>,
    /// It is being told something, and this comes after that.
    pub(crate) unsaid: Option<Unsaid>,
}

/// That groups of ours leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Farewell {
    pub(crate) producer_group: Option<Arc<str>>,
    pub(crate) consumer_group: Option<Arc<str>>,
}

/// What a broker has to hear once it has answered. Of two things at once it might take in the older one last: it handles
/// them in several threads (`BrokerController.heartbeatExecutor`, `clientManageExecutor`).
#[derive(Debug, Default)]
pub(crate) struct Unsaid {
    /// The version of the groups that it is being told of, if that is what it is told.
    pub(crate) being_said: Option<u32>,
    pub(crate) farewells: SortedSet<Farewell>,
    /// The groups are others now.
    pub(crate) heartbeat: bool,
}

impl Greetings {
    pub(crate) fn get(&self, peer: PeerId) -> Option<&Greeting> {
        self.by_peer.get(&peer)
    }

    pub(crate) fn of(&mut self, peer: PeerId) -> &mut Greeting {
        self.by_peer.get_or_default(peer)
    }

    /// Forgets the peers that are gone, unless somebody is still to hear of that.
    pub(crate) fn retain_peers(&mut self, is_known: impl Fn(PeerId) -> bool) {
        self.by_peer.retain(|peer, known| is_known(*peer) || known.unsaid.is_some() || !known.waiting.is_empty());
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Owner) -> bool) {
        self.by_peer.values_mut().for_each(|known| known.waiting.retain(|owner| keep(owner)));
    }
}

impl Greeting {
    /// A broker that knows heartbeats of the second version says whether it needs the subscriptions again.
    pub(crate) fn note_agreement(&mut self, attempt: u32, answer: &Command) {
        let said = answer.header::<HeartbeatAnswer>().ok().filter(|_| answer.code == 0);
        let is_agreed =
            said.is_some_and(|said| said.is_support_heart_beat_v2 == Some(true) && said.is_sub_change == Some(false));
        self.agreed = self.sent.filter(|_| is_agreed).map(|fingerprint| (attempt, fingerprint));
    }
}
