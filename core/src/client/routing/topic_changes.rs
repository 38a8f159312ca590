//! Requests that change a broker's topics, one at a time where it cannot take two: smartgo's brokers handle requests side by
//! side, and write their table of topics out while others change it, which ends the process (`RegisterBrokerAll`).

use std::collections::VecDeque;

use crate::client::base::ids::{OperationId, Owner, PeerId};
use crate::sorted::SortedMap;

/// Who changes topics at which broker, and who waits.
#[derive(Debug, Default)]
pub(crate) struct TopicChanges(SortedMap<PeerId, Line>);

#[derive(Debug)]
struct Line {
    under_way: Owner,
    /// Its request has gone: whatever becomes of who asked, the broker has it in hand until it answers, or the time is up.
    is_sent: bool,
    waiting: VecDeque<Owner>,
}

impl TopicChanges {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a change may go now. One that may not hears that it may once it is its turn: [`end`](Self::end) names it.
    pub(crate) fn may_go(&mut self, peer: PeerId, owner: Owner) -> bool {
        let line =
            self.0.get_or_insert_with(peer, || Line { under_way: owner, is_sent: false, waiting: VecDeque::new() });
        if line.under_way != owner && !line.waiting.contains(&owner) {
            line.waiting.push_back(owner);
        }
        line.under_way == owner
    }

    /// The request of a change whose turn it is has gone.
    pub(crate) fn note_sent(&mut self, peer: PeerId, owner: Owner) {
        if let Some(line) = self.0.get_mut(&peer).filter(|line| line.under_way == owner) {
            line.is_sent = true;
        }
    }

    /// A change is over: it is answered, or will not be. Returns whose turn it is.
    pub(crate) fn end(&mut self, owner: Owner) -> Vec<Owner> {
        self.end_those(true, |known| *known == owner)
    }

    /// A change is not wanted any more. One that a broker has in hand goes on until it is over.
    pub(crate) fn withdraw(&mut self, owner: Owner) -> Vec<Owner> {
        self.end_those(false, |known| *known == owner)
    }

    /// The same of all changes of an operation.
    pub(crate) fn withdraw_all(&mut self, operation: OperationId) -> Vec<Owner> {
        self.end_those(false, |known| matches!(known, Owner::Operation(id, _) if *id == operation))
    }

    fn end_those(&mut self, also_sent: bool, is_over: impl Fn(&Owner) -> bool) -> Vec<Owner> {
        let mut next = Vec::new();
        self.0.retain(|_, line| {
            line.waiting.retain(|owner| !is_over(owner));
            if !is_over(&line.under_way) || (line.is_sent && !also_sent) {
                return true;
            }
            let Some(first) = line.waiting.pop_front() else {
                return false;
            };
            (line.under_way, line.is_sent) = (first, false);
            next.push(first);
            true
        });
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn one_change_at_a_time_at_each_broker_in_the_order_of_asking() {
        let mut peers = Table::<u8, crate::client::base::ids::PeerKind>::default();
        let (a, b) = (peers.insert(0), peers.insert(1));
        let mut operations = Table::<u8, crate::client::base::ids::OperationKind>::default();
        let [first, second, third] = [0, 1, 2].map(|number| Owner::Operation(operations.insert(number), 0));
        let mut changes = TopicChanges::default();
        assert!(changes.may_go(a, first) && changes.may_go(b, second));
        assert!(!changes.may_go(a, second) && !changes.may_go(a, third) && !changes.may_go(a, second));
        assert!(changes.may_go(a, first), "it has its turn already");
        assert_eq!(changes.end(first), [second]);
        assert!(changes.may_go(a, second));
        let Owner::Operation(id, _) = second else { panic!() };
        changes.note_sent(a, second);
        assert!(changes.withdraw_all(id).is_empty(), "a broker has it in hand");
        assert!(changes.may_go(b, first), "and of the other nobody wants anything");
        assert_eq!(changes.end(second), [third]);
        assert!(changes.end(third).is_empty() && changes.end(first).is_empty());
        assert!(changes.0.is_empty());
    }
}
