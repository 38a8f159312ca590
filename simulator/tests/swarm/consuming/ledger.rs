//! What everybody in a history has done: what was sent, delivered and consumed, by whom and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::producer::Receipt;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::{Duration, Instant};

use super::super::seeds::Finding;

/// A message's body, which no other has.
pub(super) type Body = String;

/// A queue and an offset.
pub(super) type Place = (MessageQueue, u64);

/// A message that somebody has sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) topic: &'static str,
    pub(super) tag: &'static str,
    pub(super) begin: Instant,
    /// When it was acknowledged, and where it is.
    pub(super) receipt: Option<(Instant, Place)>,
}

/// A delivery that began, and perhaps ended.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) member: u32,
    pub(super) begin: Instant,
    pub(super) end: Option<Instant>,
    pub(super) is_consumed: bool,
}

/// A member has sought in a queue of its own.
#[derive(Clone, Debug)]
pub(super) struct Seek {
    pub(super) at: Instant,
    pub(super) member: u32,
    pub(super) queue: MessageQueue,
    pub(super) to: u64,
    /// The queue was not the member's meanwhile.
    pub(super) has_left: bool,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) sent: BTreeMap<Body, Sent>,
    /// By queue and offset: what handlers had.
    pub(super) work: BTreeMap<Place, Vec<Work>>,
    /// By body: who has consumed it, and when first.
    pub(super) consumed: BTreeMap<Body, BTreeMap<u32, Instant>>,
    /// By body: to whom it was delivered, and how often.
    pub(super) deliveries: BTreeMap<Body, BTreeMap<u32, u32>>,
    /// When sends could not be expected to succeed.
    pub(super) troubles: Vec<(Instant, Option<Instant>)>,
    /// When the first start of a member returned, by member; the group's is the earliest.
    pub(super) starts: BTreeMap<u32, Instant>,
    /// When the latest start of a member returned.
    pub(super) last_starts: BTreeMap<u32, Instant>,
    /// When the broker first had an offset of a queue from the group.
    pub(super) first_commits: BTreeMap<MessageQueue, Instant>,
    /// When all tags were wanted.
    pub(super) widened: Option<Instant>,
    /// When the second topic was last made.
    pub(super) second_made: Option<Instant>,
    /// When an administrator has set the group's offsets of a queue, and where to.
    pub(super) resets: Vec<(Instant, MessageQueue, u64)>,
    /// For how many looks the broker has had an offset that was committed before it was set by an administrator.
    pub(super) undone_for: u32,
    /// Where members have sought.
    pub(super) seeks: Vec<Seek>,
    /// How many wait until a member is ready, by member.
    pub(super) waiting: BTreeMap<u32, u32>,
    /// Sends of the first topic that failed: when they began, and why.
    pub(super) failed: Vec<(Body, Instant, String)>,
    /// Callbacks that are still to be called.
    pub(super) callbacks: BTreeSet<Body>,
    /// From when on everything was well.
    pub(super) healed: Option<Instant>,
    /// From when on nothing of the trouble has any effect.
    pub(super) calm: Option<Instant>,
    findings: Vec<Finding>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

impl Ledger {
    pub(super) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rule is broken. The first finding is the one that counts: others may follow from it, and of each rule only one
    /// is kept.
    pub(super) fn found(&self, rule: &'static str, what: impl std::fmt::Display) {
        let findings = &mut self.lock().findings;
        if findings.iter().all(|known| known.rule != rule) {
            findings.push(Finding::new(rule, what));
        }
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.lock().findings.clone()
    }

    pub(super) fn sends(&self, body: &Body, topic: &'static str, tag: &'static str, now: Instant) {
        self.lock().sent.insert(body.clone(), Sent { topic, tag, begin: now, receipt: None });
    }

    pub(super) fn acknowledged(&self, body: &Body, receipt: &Receipt, now: Instant) {
        if let Some(sent) = self.lock().sent.get_mut(body) {
            sent.receipt = Some((now, (receipt.queue.clone(), receipt.queue_offset)));
        }
    }

    /// A handler has a message. Gives how often it was delivered before.
    pub(super) fn begins(&self, member: u32, message: &ReceivedMessage, now: Instant) -> u32 {
        let mut entries = self.lock();
        let work = Work { member, begin: now, end: None, is_consumed: false };
        entries.work.entry(place(message)).or_default().push(work);
        let deliveries = entries.deliveries.entry(body(message)).or_default();
        let before = deliveries.values().sum();
        *deliveries.entry(member).or_default() += 1;
        before
    }

    pub(super) fn ends(&self, member: u32, message: &ReceivedMessage, now: Instant, is_consumed: bool) {
        let mut entries = self.lock();
        let open = entries.work.get_mut(&place(message)).into_iter().flatten();
        if let Some(work) = open.rev().find(|work| work.member == member && work.end.is_none()) {
            work.end = Some(now);
            work.is_consumed = is_consumed;
        }
        if is_consumed {
            entries.consumed.entry(body(message)).or_default().entry(member).or_insert(now);
        }
    }

    /// The start of a member has returned.
    pub(super) fn starts(&self, member: u32, now: Instant) {
        let mut entries = self.lock();
        entries.starts.entry(member).or_insert(now);
        entries.last_starts.insert(member, now);
    }

    /// Sends may fail from now on. Gives what [`Ledger::trouble_ends`] wants.
    pub(super) fn trouble_begins(&self, now: Instant) -> usize {
        let mut entries = self.lock();
        entries.troubles.push((now, None));
        entries.troubles.len() - 1
    }

    pub(super) fn trouble_ends(&self, trouble: usize, now: Instant) {
        self.lock().troubles[trouble].1 = Some(now);
    }
}

impl Entries {
    /// For how long all was well at the most, without a break, from `begin` to `end`.
    pub(super) fn longest_peace(&self, begin: Instant, end: Instant) -> Duration {
        let mut troubles: Vec<(Instant, Instant)> =
            self.troubles.iter().map(|(from, to)| (*from, to.unwrap_or(end).max(*from))).collect();
        troubles.sort_unstable();
        let (mut from, mut longest) = (begin, Duration::ZERO);
        for (trouble, over) in troubles.into_iter().filter(|(_, over)| *over > begin) {
            longest = longest.max(trouble.min(end).since(from.min(trouble.min(end))));
            from = from.max(over);
        }
        longest.max(end.since(from.min(end)))
    }

    /// When the group, or a member that gets everything, began.
    pub(super) fn start_of(&self, member: Option<u32>) -> Option<Instant> {
        match member {
            Some(member) => self.starts.get(&member).copied(),
            None => self.starts.values().min().copied(),
        }
    }
}

fn place(message: &ReceivedMessage) -> Place {
    (message.queue().clone(), message.queue_offset())
}

fn body(message: &ReceivedMessage) -> Body {
    String::from_utf8_lossy(message.body()).into_owned()
}
