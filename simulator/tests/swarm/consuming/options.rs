//! What a history is: who consumes what and how, and what goes wrong. The seed decides.

use std::collections::BTreeSet;

use stgclient_core::consumer::push::{ConsumeFrom, ConsumeOrder, MessageModel};
use stgclient_core::random::Random;
use stgclient_core::time::Duration;
use stgclient_core::wire::dialect::Dialect;

use super::SECOND;
use super::following::Following;

/// A kind of trouble, or of things that users do. Most histories have few of them, so that what one does alone is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing does.
    Nothing,
    /// Connections are reset.
    Resets,
    /// A server or a machine is cut off for a while.
    Partitions,
    /// Brokers restart.
    Stops,
    /// Brokers and name servers lose their power and have it again.
    PowerCuts,
    /// Servers close what is idle, and soon.
    IdleEnds,
    /// A member's process stands still.
    StandsStill,
    /// The network cuts, delays and breaks.
    Network,
    /// A request of any code is treated badly, once, now and then.
    OneRequest,
    /// Requests of some codes are treated badly all the time.
    Requests,
    /// A broker is too busy for sends for a while.
    Busy,
    /// The answer to a send is lost, now and then.
    LostAnswers,
    /// A broker refuses to renew its locks once, now and then.
    RefusedLocks,
    /// A broker answers GO_AWAY, once, now and then.
    GoAway,
    /// A broker says that the offset has moved, whatever is asked of it, for a while.
    OffsetMoved,
    /// A name server forgets topics until brokers register again.
    Forgets,
    /// A route names, beside the right brokers, one whose address is none, or a member without a role.
    OddRoutes,
    /// The topic grows.
    Grows,
    /// A second topic appears after the consumers have started, who may select from it by SQL.
    Appears,
    /// A second topic is deleted and made anew.
    Vanishes,
    /// Members and queues are paused and resumed.
    Pauses,
    /// What is wanted of the topic changes.
    Subscriptions,
    /// Handlers fail.
    Failures,
    /// Handlers panic.
    Panics,
    /// Handlers take longer than they may.
    Hangs,
    /// Members start and close.
    ComeAndGo,
    /// Members' machines lose their power.
    Deaths,
    /// The first member is gone within five seconds.
    EarlyEnd,
    /// A start fails, and is tried again.
    FailedStarts,
    /// An administrator sets the group's offsets.
    AdminResets,
    /// Answers to requests for locks come late.
    LateLocks,
    /// The store of a broadcasting consumer's offsets fails.
    StoreFails,
    /// Callbacks of senders panic.
    Callbacks,
    /// Selectors of queues panic.
    Selectors,
    /// The strategy by which a member shares queues panics now and then.
    Strategies,
    /// A broker hangs, and a producer with little room sends to it.
    SlowProducer,
}

impl Kind {
    const ALL: [Self; 36] = [
        Self::Nothing,
        Self::Resets,
        Self::Partitions,
        Self::Stops,
        Self::PowerCuts,
        Self::IdleEnds,
        Self::StandsStill,
        Self::Network,
        Self::OneRequest,
        Self::Requests,
        Self::Busy,
        Self::LostAnswers,
        Self::RefusedLocks,
        Self::GoAway,
        Self::OffsetMoved,
        Self::Forgets,
        Self::OddRoutes,
        Self::Grows,
        Self::Appears,
        Self::Vanishes,
        Self::Pauses,
        Self::Subscriptions,
        Self::Failures,
        Self::Panics,
        Self::Hangs,
        Self::ComeAndGo,
        Self::Deaths,
        Self::EarlyEnd,
        Self::FailedStarts,
        Self::AdminResets,
        Self::LateLocks,
        Self::StoreFails,
        Self::Callbacks,
        Self::Selectors,
        Self::Strategies,
        Self::SlowProducer,
    ];

    /// Those that the seed's dialect, model or other kinds make pointless, or whose rules cannot be told apart.
    fn excludes(self, other: Self) -> bool {
        match self {
            // Members of one group with different subscriptions are the users' fault.
            Self::Subscriptions => {
                matches!(other, Self::ComeAndGo | Self::Deaths | Self::EarlyEnd | Self::AdminResets | Self::LateLocks)
            }
            // The rule is about a group that has begun in peace.
            Self::EarlyEnd => matches!(other, Self::FailedStarts | Self::AdminResets | Self::Requests | Self::Network),
            Self::Vanishes => matches!(other, Self::Appears | Self::AdminResets),
            // A broker tells of it once: with an answer that is lost, or ends with its connection, it is not told again.
            Self::AdminResets => {
                let loses_answers = matches!(other, Self::LostAnswers | Self::FailedStarts | Self::Requests);
                loses_answers || matches!(other, Self::GoAway | Self::Partitions | Self::StandsStill)
            }
            _ => false,
        }
    }
}

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Some each second.
    Dense,
    /// Now and then one, after up to a minute of nothing.
    Sparse,
    /// Many at once, and a while of nothing.
    Bursts,
}

/// The plan of a history.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) dialect: Dialect,
    pub(super) model: MessageModel,
    pub(super) order: ConsumeOrder,
    pub(super) from: ConsumeFrom,
    /// How many messages one delivery may have.
    pub(super) batch: usize,
    pub(super) brokers: u8,
    pub(super) queues: u32,
    pub(super) members: u32,
    /// How many messages there are before the group begins.
    pub(super) old: u32,
    pub(super) pace: Pace,
    /// For how long a handler works on a message at the most.
    pub(super) work: Duration,
    /// The time for a send.
    pub(super) send_timeout: Duration,
    /// For how long things go wrong.
    pub(super) trouble: Duration,
    /// Whether the second topic is selected from by SQL.
    pub(super) by_sql: bool,
    /// Whether members follow their queues, and how.
    pub(super) following: Following,
    kinds: BTreeSet<Kind>,
}

impl Options {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0071_0015);
        let mut one_in = |count: u64| random.below(count) == 0;
        let dialect = if one_in(4) { Dialect::Smartgo } else { Dialect::Apache };
        let model = if one_in(5) { MessageModel::Broadcasting } else { MessageModel::Clustering };
        let order = if one_in(2) { ConsumeOrder::Orderly } else { ConsumeOrder::Concurrently };
        let from = if one_in(2) { ConsumeFrom::LastOffset } else { ConsumeFrom::FirstOffset };
        let batch = if one_in(4) { 4 } else { 1 };
        let old = if one_in(2) { 20 } else { 0 };
        let send_timeout = SECOND * if one_in(2) { 15 } else { 3 };
        let pace = [Pace::Dense, Pace::Dense, Pace::Sparse, Pace::Bursts][random.below(4) as usize];
        let work = Duration::from_millis([0, 5, 100, 500][random.below(4) as usize]);
        let (brokers, queues) = (1 + random.below(2) as u8, 1 + random.below(3) as u32);
        let members = 1 + random.below(3) as u32;
        let trouble = SECOND * (60 + random.below(60) as u32);
        let mut options = Self {
            dialect,
            model,
            order,
            from,
            batch,
            brokers,
            queues,
            members,
            old,
            pace,
            work,
            send_timeout,
            trouble,
            by_sql: false,
            following: Following::drawn(seed),
            kinds: BTreeSet::new(),
        };
        // Each kind has its turn, half the time alone.
        options.kinds.insert(Kind::ALL[(seed % Kind::ALL.len() as u64) as usize]);
        let count = 1 + [0, 0, 0, 1, 1, 3][random.below(6) as usize];
        while options.kinds.len() < count {
            let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
            if !options.kinds.iter().any(|known| known.excludes(kind) || kind.excludes(*known)) {
                options.kinds.insert(kind);
            }
        }
        options.fit(&mut random);
        options
    }

    /// Makes the rest fit the kinds.
    fn fit(&mut self, random: &mut Random) {
        use Kind as K;
        if self.has(K::Nothing) && self.count() > 1 {
            self.kinds.remove(&K::Nothing);
        }
        if self.has(K::Hangs) {
            self.order = ConsumeOrder::Concurrently;
            let models = [MessageModel::Broadcasting, MessageModel::Clustering];
            self.model = models[random.below(2) as usize];
            self.pace = Pace::Dense;
        }
        if self.has(K::RefusedLocks) {
            self.order = ConsumeOrder::Orderly;
        }
        if self.has_any(&[K::RefusedLocks, K::StandsStill]) {
            self.pace = [self.pace, Pace::Sparse][random.below(2) as usize];
        }
        if self.has(K::Callbacks) {
            self.pace = Pace::Bursts;
        }
        if self.has(K::LostAnswers) || self.has(K::Busy) {
            self.brokers = 1;
        }
        // A broker tells of a reset whoever pulls next, also a member that the queue has left.
        if self.has(K::Subscriptions) || self.has(K::AdminResets) {
            self.members = 1;
        }
        if self.has(K::EarlyEnd) {
            self.from = ConsumeFrom::LastOffset;
            self.old = 20;
        }
        if self.has(K::StoreFails) {
            self.model = MessageModel::Broadcasting;
            self.from = ConsumeFrom::LastOffset;
            // What fails is the last before it closes only if nothing comes in between.
            self.pace = Pace::Sparse;
        }
        if self.has(K::SlowProducer) {
            self.brokers = 2;
        }
        if self.has(K::LateLocks) {
            self.order = ConsumeOrder::Orderly;
            self.members = self.members.max(2);
        }
        if self.has_any(&[K::AdminResets, K::GoAway, K::RefusedLocks, K::LateLocks]) {
            self.dialect = Dialect::Apache;
        }
        // Where both move offsets, nobody can say whose counts.
        self.following.seeks &= !self.has(K::AdminResets);
        self.by_sql = self.has(K::Appears) && self.dialect == Dialect::Apache && random.below(2) == 0;
        if self.has_any(&[K::AdminResets, K::EarlyEnd, K::LateLocks, K::RefusedLocks]) {
            self.model = MessageModel::Clustering;
        }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    pub(super) fn count(&self) -> usize {
        self.kinds.len()
    }

    /// The only kind; `None` when there are several.
    pub(super) fn only(&self) -> Option<Kind> {
        self.kinds.first().copied().filter(|_| self.kinds.len() == 1)
    }

    pub(super) fn has_any(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }

    pub(super) fn is_orderly(&self) -> bool {
        self.order == ConsumeOrder::Orderly
    }

    pub(super) fn is_broadcasting(&self) -> bool {
        self.model == MessageModel::Broadcasting
    }

    /// Whether anything ends connections, locks or processes, so that a delivery in hand may be given to somebody else.
    pub(super) fn may_lose_locks(&self) -> bool {
        use Kind as K;
        self.has_any(&[
            K::Resets,
            K::Partitions,
            K::Stops,
            K::PowerCuts,
            K::IdleEnds,
            K::StandsStill,
            K::Network,
            K::OneRequest,
            K::Requests,
            K::RefusedLocks,
            K::GoAway,
            K::Deaths,
            K::ComeAndGo,
            K::EarlyEnd,
            K::AdminResets,
            K::Forgets,
            K::Hangs,
        ])
    }

    /// How long everything may take to be well again once all is healed: a pause of 30 s before a server is tried again and
    /// a round of rebalances; a message that failed twice comes back after 10 and 30 s; a member that died without a word
    /// is missed after 120 s, and looked for every 10 s.
    pub(super) fn recovery(&self) -> Duration {
        use Kind as K;
        let retries = if self.has_any(&[K::Failures, K::Panics, K::Hangs]) { 60 } else { 0 };
        let deaths = if self.has_any(&[K::Deaths, K::EarlyEnd]) { 100 } else { 0 };
        SECOND * (75 + retries.max(deaths)) + self.claim()
    }

    /// For how long a new owner of an orderly queue waits where brokers grant no locks.
    fn claim(&self) -> Duration {
        let claims = self.is_orderly() && !self.is_broadcasting() && self.dialect == Dialect::Smartgo;
        if claims { 35 * SECOND } else { Duration::ZERO }
    }

    /// How soon a message is delivered when its queue has just lost its owner.
    pub(super) fn hand_over(&self) -> Duration {
        10 * SECOND + self.claim()
    }
}
