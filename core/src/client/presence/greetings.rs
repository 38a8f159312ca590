//! What brokers know of our groups, and what they have yet to hear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::client::base::ids::{Owner, PeerId};
use crate::wire::command::Command;
use crate::wire::request::HeartbeatAnswer;

/// What brokers know of our groups.
#[derive(Debug, Default)]
pub(crate) struct Greetings {
    /// The connection and the version of the groups that a broker has taken a heartbeat in of.
    pub(crate) taken: BTreeMap<PeerId, (u32, u32)>,
    /// The fingerprint of the groups in the last heartbeat to each broker.
    pub(crate) sent: BTreeMap<PeerId, i32>,
    /// Brokers that keep our subscriptions by their fingerprint, each on this connection: as long as that stays the same they
    /// need not be told again (heartbeats of the second version).
    pub(crate) agreed: BTreeMap<PeerId, (u32, i32)>,
    /// Who waits for which broker to take in the groups of now.
    pub(crate) waiting: BTreeMap<PeerId, Vec<Owner>>,
    /// The brokers that are being told something, and what comes after that.
    pub(crate) unsaid: BTreeMap<PeerId, Unsaid>,
    /// How many farewells brokers have not yet acknowledged.
    pub(crate) farewells: usize,
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
    pub(crate) farewells: BTreeSet<Farewell>,
    /// The groups are others now.
    pub(crate) heartbeat: bool,
}

impl Greetings {
    /// Forgets the peers that are gone.
    pub(crate) fn retain_peers(&mut self, is_known: impl Fn(PeerId) -> bool) {
        self.taken.retain(|peer, _| is_known(*peer));
        self.sent.retain(|peer, _| is_known(*peer));
        self.agreed.retain(|peer, _| is_known(*peer));
    }

    /// A broker that knows heartbeats of the second version says whether it needs the subscriptions again.
    pub(crate) fn note_agreement(&mut self, peer: PeerId, attempt: u32, answer: &Command) {
        let said = answer.header::<HeartbeatAnswer>().ok().filter(|_| answer.code == 0);
        let is_agreed =
            said.is_some_and(|said| said.is_support_heart_beat_v2 == Some(true) && said.is_sub_change == Some(false));
        match self.sent.get(&peer).filter(|_| is_agreed) {
            Some(&fingerprint) => self.agreed.insert(peer, (attempt, fingerprint)),
            None => self.agreed.remove(&peer),
        };
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Owner) -> bool) {
        self.waiting.retain(|_, owners| {
            owners.retain(|owner| keep(owner));
            !owners.is_empty()
        });
    }
}
