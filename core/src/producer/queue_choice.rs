//! How a queue is chosen: in turn, by a rule, or the one that was given.

use core::fmt;
use std::sync::Arc;

use crate::producer::Message;
use crate::queue::MessageQueue;
use crate::routes::topics::QueuePlace;
use crate::wire::java;

/// Chooses a queue for a message. Has to be pure: the same arguments, the same choice. It is asked once for each message,
/// and all tries go to the chosen queue; a panic of its is an error of that send.
pub trait QueueSelector: Send + Sync {
    /// The index of the chosen one of `queues`, of which there is at least one. An index beyond them fails the send.
    fn select(&self, queues: &[MessageQueue], message: &Message) -> usize;
}

impl<F: Fn(&[MessageQueue], &Message) -> usize + Send + Sync> QueueSelector for F {
    fn select(&self, queues: &[MessageQueue], message: &Message) -> usize {
        self(queues, message)
    }
}

/// Where a message goes. Messages in turn and at random go on to another broker when a try fails; a queue that is chosen in another way
/// stays for all tries.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum QueueChoice {
    /// The next queue in turn, from a random start, brokers that were slow or failed passed over.
    #[default]
    RoundRobin,
    /// The queue that the hash of a key falls on, as Java's `SelectMessageQueueByHash` chooses: another one when the topic's queues
    /// change.
    Hash(String),
    /// Any queue, brokers that were slow or failed passed over.
    Random,
    /// The one that a selector chooses among all writable queues, sorted by broker name and number.
    Selector(Arc<dyn QueueSelector>),
    /// This one.
    Queue(MessageQueue),
}

impl From<MessageQueue> for QueueChoice {
    fn from(queue: MessageQueue) -> Self {
        Self::Queue(queue)
    }
}

impl fmt::Debug for QueueChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundRobin => f.write_str("RoundRobin"),
            Self::Hash(key) => write!(f, "Hash({key:?})"),
            Self::Random => f.write_str("Random"),
            Self::Selector(_) => f.write_str("Selector"),
            Self::Queue(queue) => write!(f, "Queue({queue})"),
        }
    }
}

/// How well a broker stands, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing speaks against it.
    Available,
    /// It was slow lately.
    Slow,
    /// It cannot be reached at the moment.
    Unreachable,
    /// Too many bytes wait for it already: nothing more may be sent.
    Congested,
}

/// The next of `places` in turn, the best that there is: available and another broker than `avoid`, then reachable
/// and another, then any (`MQFaultStrategy.selectOneMessageQueue`). `None` when all are congested.
#[inline]
pub(crate) fn in_turn<B: PartialEq>(
    places: &[QueuePlace],
    cursor: &mut u32,
    avoid: Option<B>,
    broker: impl Fn(QueuePlace) -> B,
    standing: impl Fn(QueuePlace) -> Standing,
) -> Option<QueuePlace> {
    let count = u32::try_from(places.len()).ok().filter(|&count| count > 0)?;
    let start = *cursor;
    *cursor = cursor.wrapping_add(1);
    let mut best: Option<((Standing, bool), QueuePlace)> = None;
    let mut step = 0;
    while step < count {
        let place = places[(start.wrapping_add(step) % count) as usize];
        let (at, stands) = (step, standing(place));
        // What is true of one queue of a broker is true of the others that follow.
        step += place.run.max(1);
        if stands == Standing::Congested {
            continue;
        }
        let avoided = avoid.as_ref().is_some_and(|avoid| *avoid == broker(place));
        // Another broker matters more than a quick one: the avoided one has just failed.
        let (stands, avoided) = if avoided { (stands.max(Standing::Unreachable), true) } else { (stands, false) };
        if stands == Standing::Available && !avoided {
            *cursor = start.wrapping_add(at).wrapping_add(1);
            return Some(place);
        }
        if best.is_none_or(|(found, _)| (stands, avoided) < found) {
            best = Some(((stands, avoided), place));
        }
    }
    best.map(|(_, place)| place)
}

/// The index that `key` falls on (`SelectMessageQueueByHash`).
pub(crate) fn by_hash(key: &str, count: usize) -> Option<usize> {
    java::select_by_hash(java::string_hash(key), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn places(brokers: u32, queues: u32) -> Vec<QueuePlace> {
        let mut table = Table::default();
        let ids: Vec<_> = (0..brokers).map(|_| table.insert(broker())).collect();
        let all = ids.iter().flat_map(|&broker| (0..queues).map(move |queue_id| QueuePlace::new(broker, queue_id)));
        let mut all: Vec<_> = all.collect();
        QueuePlace::count_runs(&mut all);
        all
    }

    fn broker() -> crate::routes::brokers::Broker {
        crate::routes::brokers::Broker { name: "b".into(), addresses: Default::default(), sends: Default::default() }
    }

    fn choose(
        places: &[QueuePlace],
        cursor: &mut u32,
        avoid: Option<usize>,
        bad: &[(usize, Standing)],
    ) -> Option<(usize, u32)> {
        let standing = |place: QueuePlace| {
            let entry = bad.iter().find(|(slot, _)| *slot == place.broker.slot());
            entry.map_or(Standing::Available, |(_, standing)| *standing)
        };
        let chosen = in_turn(places, cursor, avoid, |place| place.broker.slot(), standing);
        chosen.map(|place| (place.broker.slot(), place.queue_id))
    }

    #[test]
    fn queues_take_turns() {
        let places = places(2, 2);
        let mut cursor = u32::MAX - 1;
        let chosen: Vec<_> = (0..8).filter_map(|_| choose(&places, &mut cursor, None, &[])).collect();
        assert_eq!(chosen[..4], chosen[4..]);
        let mut first = chosen[..4].to_vec();
        first.sort_unstable();
        assert_eq!(first, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    }

    #[test]
    fn a_retry_goes_to_another_broker_if_there_is_one() {
        let two = places(2, 2);
        for start in 0..4 {
            assert_eq!(choose(&two, &mut { start }, Some(0), &[]).map(|chosen| chosen.0), Some(1));
            let slow = [(1, Standing::Slow)];
            assert_eq!(choose(&two, &mut { start }, Some(0), &slow).map(|chosen| chosen.0), Some(1));
        }
        assert_eq!(choose(&places(1, 2), &mut 0, Some(0), &[]), Some((0, 0)));
    }

    #[test]
    fn slow_brokers_are_passed_over_and_dead_ones_come_last() {
        let three = places(3, 1);
        let bad = [(0, Standing::Unreachable), (1, Standing::Slow)];
        assert!((0..6).all(|start| choose(&three, &mut { start }, None, &bad) == Some((2, 0))));
        let all = [(0, Standing::Unreachable), (1, Standing::Slow), (2, Standing::Unreachable)];
        assert!((0..6).all(|start| choose(&three, &mut { start }, None, &all) == Some((1, 0))));
    }

    #[test]
    fn one_look_at_each_broker_is_enough_however_many_queues_it_has() {
        for (brokers, bad) in [(1, 1), (3, 3), (3, 1)] {
            let places = places(brokers, 10_000);
            for start in [0, 5, 9_999, 10_000, 29_999] {
                let looks = core::cell::Cell::new(0);
                let standing = |place: QueuePlace| {
                    looks.set(looks.get() + 1);
                    if (place.broker.slot() as u32) < bad { Standing::Slow } else { Standing::Available }
                };
                let chosen = in_turn(&places, &mut { start }, None, |place| place.broker.slot(), standing).unwrap();
                assert!(looks.get() <= brokers + 1, "{} looks", looks.get());
                assert!(bad == brokers || chosen.broker.slot() as u32 >= bad);
            }
        }
    }

    #[test]
    fn the_queues_of_a_slow_broker_that_is_the_only_one_take_turns_too() {
        let places = places(1, 4);
        let mut cursor = 0;
        let bad = [(0, Standing::Slow)];
        let chosen: Vec<_> =
            (0..8).filter_map(|_| choose(&places, &mut cursor, None, &bad)).map(|(_, id)| id).collect();
        assert_eq!(chosen, [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_congested_broker_gets_nothing_more() {
        let two = places(2, 1);
        let bad = [(0, Standing::Congested), (1, Standing::Unreachable)];
        assert_eq!(choose(&two, &mut 0, None, &bad), Some((1, 0)));
        assert_eq!(choose(&two, &mut 0, None, &[(0, Standing::Congested), (1, Standing::Congested)]), None);
        assert_eq!(choose(&[], &mut 0, None, &[]), None);
    }
}
