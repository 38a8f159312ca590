//! Messages by key, by unique id and by tag (`IndexService`).

use std::collections::VecDeque;
use std::hash::Hasher;

use stgclient_core::sorted::SortedSet;
use stgclient_core::wire::message::{PropertiesRef, property};

/// What one entry costs, in bytes: a tree's nodes are half full, and a list may have room for twice as much.
const ENTRY: usize = 4 * size_of::<(u64, u64)>();

/// Which records have what in a topic, by hashes: whoever looks something up has to look again.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Hashes and records.
    entries: SortedSet<(u64, u64)>,
    /// The same in the order in which the records came.
    order: VecDeque<(u64, u64)>,
}

/// What a message is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term<'a> {
    /// One of its keys, or its unique id.
    Key(&'a str),
    /// Its tag.
    Tag(&'a str),
}

impl Term<'_> {
    /// Whether a message with these properties has this.
    pub(super) fn is_in(self, properties: PropertiesRef<'_>) -> bool {
        terms(properties).any(|term| term == self)
    }

    /// FNV-1a: a hash that is the same on every run.
    fn hash(self, topic: &str) -> u64 {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        hasher.write(topic.as_bytes());
        match self {
            Self::Key(key) => {
                hasher.write(b"#");
                hasher.write(key.as_bytes());
            }
            Self::Tag(tag) => {
                hasher.write(b"#T#");
                hasher.write(tag.as_bytes());
            }
        }
        hasher.finish()
    }
}

/// What a message can be looked up by.
fn terms(properties: PropertiesRef<'_>) -> impl Iterator<Item = Term<'_>> {
    let keys = properties.get(property::KEYS).unwrap_or_default().split(' ').filter(|key| !key.is_empty());
    let keys = properties.get(property::UNIQ_KEY).into_iter().chain(keys).map(Term::Key);
    keys.chain(properties.get(property::TAGS).map(Term::Tag))
}

impl Index {
    /// What a message with these properties would cost, in bytes.
    pub(super) fn cost(properties: PropertiesRef<'_>) -> usize {
        terms(properties).count() * ENTRY
    }

    /// Adds a record, which is newer than every other one.
    pub(super) fn add(&mut self, record: u64, topic: &str, properties: PropertiesRef<'_>) {
        for term in terms(properties) {
            let hash = term.hash(topic);
            if self.entries.insert((hash, record)) {
                self.order.push_back((record, hash));
            }
        }
    }

    /// Forgets the records before `first`, which have given way.
    pub(super) fn forget_before(&mut self, first: u64) {
        while let Some((record, hash)) = self.order.front().copied().filter(|(record, _)| *record < first) {
            self.order.pop_front();
            self.entries.remove(&(hash, record));
        }
    }

    /// The records that may have this in a topic, the newest first.
    pub(super) fn find(&self, topic: &str, term: Term<'_>) -> impl Iterator<Item = u64> {
        let hash = term.hash(topic);
        self.entries.iter_within(&(hash, 0), &(hash, u64::MAX)).rev().map(|(_, record)| *record)
    }

    /// The newest record that has anything.
    pub(super) fn last(&self) -> Option<u64> {
        self.order.back().map(|(record, _)| *record)
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, PropertiesRef, Term};

    #[test]
    fn a_record_is_found_by_what_it_has_until_it_has_given_way() {
        let mut index = Index::default();
        let properties = PropertiesRef::new("KEYS\u{1}a  b\u{2}UNIQ_KEY\u{1}u\u{2}TAGS\u{1}a\u{2}");
        for record in [1, 2, 5] {
            index.add(record, "t", properties);
        }
        let find = |index: &Index, topic, term| index.find(topic, term).collect::<Vec<_>>();
        for term in [Term::Key("a"), Term::Key("b"), Term::Key("u"), Term::Tag("a")] {
            assert_eq!(find(&index, "t", term), [5, 2, 1], "{term:?}");
            assert!(term.is_in(properties));
        }
        assert_eq!((find(&index, "u", Term::Key("a")), find(&index, "t", Term::Key(""))), (vec![], vec![]));
        assert!(!Term::Tag("b").is_in(properties) && !Term::Key("a  b").is_in(properties));
        index.forget_before(5);
        assert_eq!(find(&index, "t", Term::Key("a")), [5]);
        assert_eq!((index.entries.len(), index.order.len(), index.last()), (4, 4, Some(5)));
    }
}
