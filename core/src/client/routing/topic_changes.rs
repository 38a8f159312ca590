//! Requests that change a broker's topics, one at a time where it cannot take two: smartgo's brokers handle requests side by
//! side, and write their table of topics out while others change it, which ends the process (`RegisterBrokerAll`).

use std::collections::{BTreeMap, VecDeque};

use crate::client::base::ids::{OperationId, Owner, PeerId};

/// Who changes topics at which broker, and who waits.
#[derive(Debug, Default)]
pub(crate) struct TopicChanges(BTreeMap<PeerId, Line>);

#[derive(Debug)]
struct Line {
    under_way: Owner,
    waiting: VecDeque<Owner>,
}

impl TopicChanges {
    /// Whether a change may go now. One that may not hears that it may once it is its turn: [`end`](Self::end) names it.
    pub(crate) fn may_go(&mut self, peer: PeerId, owner: Owner) -> bool {
        let line = self.0.entry(peer).or_insert_with(|| Line { under_way: owner, waiting: VecDeque::new() });
        if line.under_way != owner && !line.waiting.contains(&owner) {
            line.waiting.push_back(owner);
        }
        line.under_way == owner
    }

    /// A change is over, or is not wanted any more. Returns whose turn it is.
    pub(crate) fn end(&mut self, owner: Owner) -> Vec<Owner> {
        self.end_those(|known| *known == owner)
    }

    /// The same of all changes of an operation.
    pub(crate) fn end_of(&mut self, operation: OperationId) -> Vec<Owner> {
        self.end_those(|known| matches!(known, Owner::Operation(id, _) if *id == operation))
    }

    fn end_those(&mut self, is_over: impl Fn(&Owner) -> bool) -> Vec<Owner> {
        let mut next = Vec::new();
        self.0.retain(|_, line| {
            line.waiting.retain(|owner| !is_over(owner));
            if !is_over(&line.under_way) {
                return true;
            }
            let Some(first) = line.waiting.pop_front() else {
                return false;
            };
            line.under_way = first;
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
        assert_eq!(changes.end_of(id), [third], "at both brokers");
        assert!(changes.may_go(b, first));
        assert!(changes.end(third).is_empty() && changes.end(first).is_empty());
        assert!(changes.0.is_empty());
    }
}
