//! Maps and sets that are lists in order. Next to the standard library's trees they are a tenth of the code for each type, which a user
//! compiles and a page loads, and as quick.
//!
//! In WebAssembly the larger functions are never put into their callers: of several types they are so alike that compressed they take the
//! room of one, and in the midst of other code each takes its own.

mod lists;

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;

use serde::{Serialize, Serializer};

use lists::{Lists, Place};

/// Values by key, in the order of the keys.
#[derive(Clone)]
pub struct SortedMap<K, V>(Lists<(K, V)>);

impl<K, V> SortedMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self(Lists::new())
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key with its value, in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> Part<'_, K, V, K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> Part<'_, K, V, V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The values in the order of their keys.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.into_iter().map(|(_, value)| value)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the lowest key and its value out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.0.pop_first()
    }

    /// The same, if its key is one that is `wanted`.
    pub fn pop_first_if(&mut self, wanted: impl FnOnce(&K) -> bool) -> Option<(K, V)> {
        wanted(&self.0.first()?.0).then(|| self.0.pop_first()).flatten()
    }

    /// The value of the lowest key.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.0.first().map(|(key, value)| (key, value))
    }

    /// Keeps what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        self.0.find(|(known, _)| known.borrow().cmp(key))
    }

    /// Every key from this one on with its value, in order.
    pub fn iter_from<Q: Ord + ?Sized>(&self, key: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let from = self.place(key).unwrap_or_else(|place| place);
        self.0.iter_between(from, self.0.end()).map(|(key, value)| (key, value))
    }

    /// Every key from one to another, both included, with its value, in order.
    pub fn iter_within(&self, from: &K, to: &K) -> Iter<'_, K, V> {
        let from = self.place(from).unwrap_or_else(|place| place);
        let to = self.place(to).map_or_else(|place| place, |(list, at)| (list, at + 1));
        self.0.iter_between(from, to).map(|(key, value)| (key, value))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.look_up(|(known, _)| known.borrow().cmp(key)).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &mut self.0.get_mut(at).1)
    }

    /// Whether the key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Gives a key its value, and returns the one that it had.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(core::mem::replace(&mut self.0.get_mut(at).1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a key, which has one then: what `make` gives, if it had none.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => self.0.insert(at, (key, make())),
        };
        &mut self.0.get_mut(at).1
    }

    /// The value of a key, which has one then.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// Takes the value of a key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Takes a key and its value out.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| self.0.remove(at))
    }
}

/// Every key of a [`SortedMap`] with its value.
pub type Iter<'a, K, V> = core::iter::Map<lists::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

/// A part of each entry of a [`SortedMap`].
pub type Part<'a, K, V, P> = core::iter::Map<lists::Iter<'a, (K, V)>, fn(&'a (K, V)) -> &'a P>;

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Of several values of a key the last counts.
impl<K: Ord, V> From<Vec<(K, V)>> for SortedMap<K, V> {
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn from(entries: Vec<(K, V)>) -> Self {
        Self(Lists::from_sorted(in_order(entries, |one, other| one.0.cmp(&other.0))))
    }
}

/// Of several values of a key the last counts.
impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::from(Vec::from_iter(entries))
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let entries: Vec<(K, V)> = entries.into_iter().collect();
        if entries.len() < self.len() / 8 {
            return entries.into_iter().for_each(|(key, value)| _ = self.insert(key, value));
        }
        let mut all = core::mem::take(&mut self.0).into_vec();
        all.extend(entries);
        *self = Self::from(all);
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Serialize, V: Serialize> Serialize for SortedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

/// Values in order, each once.
#[derive(Clone)]
pub struct SortedSet<T>(Lists<T>);

impl<T> SortedSet<T> {
    /// An empty set.
    pub const fn new() -> Self {
        Self(Lists::new())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All in order.
    pub fn iter(&self) -> lists::Iter<'_, T> {
        self.0.iter()
    }

    /// The lowest.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// Takes the lowest out.
    pub fn pop_first(&mut self) -> Option<T> {
        self.0.pop_first()
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The highest.
    pub fn last(&self) -> Option<&T> {
        self.0.last()
    }

    /// Keeps what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|value| keep(value));
    }
}

impl<T: Ord> SortedSet<T> {
    fn place<Q: Ord + ?Sized>(&self, value: &Q) -> Result<Place, Place>
    where
        T: Borrow<Q>,
    {
        self.0.find(|known| known.borrow().cmp(value))
    }

    /// Those from this one on, in order.
    pub fn iter_from<Q: Ord + ?Sized>(&self, value: &Q) -> lists::Iter<'_, T>
    where
        T: Borrow<Q>,
    {
        let from = self.place(value).unwrap_or_else(|place| place);
        self.0.iter_between(from, self.0.end())
    }

    /// Those from one to another, both included, in order.
    pub fn iter_within(&self, from: &T, to: &T) -> lists::Iter<'_, T> {
        let from = self.place(from).unwrap_or_else(|place| place);
        let to = self.place(to).map_or_else(|place| place, |(list, at)| (list, at + 1));
        self.0.iter_between(from, to)
    }

    /// Whether it is there.
    pub fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.look_up(|known| known.borrow().cmp(value)).is_some()
    }

    /// Adds a value; says whether it was not there.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn insert(&mut self, value: T) -> bool {
        match self.place(&value) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, value);
                true
            }
        }
    }

    /// Takes a value out; says whether it was there.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn remove<Q: Ord + ?Sized>(&mut self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.place(value).map(|at| self.0.remove(at)).is_ok()
    }
}

impl<T: PartialEq> PartialEq for SortedSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for SortedSet<T> {}

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for SortedSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> From<Vec<T>> for SortedSet<T> {
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn from(values: Vec<T>) -> Self {
        Self(Lists::from_sorted(in_order(values, T::cmp)))
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(Vec::from_iter(values))
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        let values: Vec<T> = values.into_iter().collect();
        if values.len() < self.len() / 8 {
            return values.into_iter().for_each(|value| _ = self.insert(value));
        }
        let mut all = core::mem::take(&mut self.0).into_vec();
        all.extend(values);
        *self = Self::from(all);
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for SortedSet<T> {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T> IntoIterator for SortedSet<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a SortedSet<T> {
    type Item = &'a T;
    type IntoIter = lists::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for SortedSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

/// The values in order, of equal ones the last, whatever a peer has thought of: it takes no longer than to sort them.
fn in_order<T>(mut values: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let (swaps, left) = swaps(values.len(), true, &|one, other| compare(&values[one], &values[other]));
    swaps.into_iter().for_each(|(one, other)| values.swap(one, other));
    if left < values.len() {
        values.truncate(left);
        // A peer may have said the same a million times.
        values.shrink_to_fit();
    }
    values
}

/// Puts values in order; equal ones stay in theirs.
pub(crate) fn sort<T>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let (swaps, _) = swaps(values.len(), false, &|one, other| compare(&values[one], &values[other]));
    swaps.into_iter().for_each(|(one, other)| values.swap(one, other));
}

/// What has to change places, one after the other, so that the values with the numbers below `count` come to be in the order that
/// `compare` says, and how many are left, if equal ones are taken for one, of which the last counts: the others stand at the end then.
/// One sort for all types.
fn swaps(count: usize, is_once: bool, compare: &dyn Fn(usize, usize) -> Ordering) -> (Vec<(usize, usize)>, usize) {
    let is_before = |one, other| match compare(one, other) {
        Ordering::Less => true,
        Ordering::Equal => !is_once,
        Ordering::Greater => false,
    };
    if (1..count).all(|number| is_before(number - 1, number)) {
        return (Vec::new(), count);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|one, other| compare(*one, *other));
    let mut left = count;
    if is_once {
        let (mut kept, mut dropped) = (Vec::with_capacity(count), Vec::new());
        for (at, number) in order.iter().enumerate() {
            let is_last = order.get(at + 1).is_none_or(|next| compare(*number, *next).is_ne());
            if is_last { kept.push(*number) } else { dropped.push(*number) }
        }
        left = kept.len();
        kept.append(&mut dropped);
        order = kept;
    }
    // What has stood at a place already filled has gone to where the value stood that came there, and so on: each swap moves one value on,
    // and each is looked for once, so all the looks together are no more than the swaps.
    let mut swaps = Vec::with_capacity(count);
    for at in 0..count {
        let mut from = order[at];
        while from < at {
            from = order[from];
        }
        order[at] = from;
        if from != at {
            swaps.push((at, from));
        }
    }
    (swaps, left)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_a_hundred_thousand_times_is_kept_once_and_in_no_more_room() {
        let set: SortedSet<u64> = std::iter::repeat_n(7, 100_000).collect();
        assert_eq!((set.len(), set.0.capacity() <= 64), (1, true), "{}", set.0.capacity());
        let mut many: SortedSet<u64> = (0..100_000).collect();
        many.clear();
        assert!(many.is_empty() && many.0.capacity() <= 64, "{}", many.0.capacity());
    }

    #[test]
    fn to_sort_takes_no_longer_for_any_order() {
        let rotated = |by: usize| (0..100_000).map(|number| (number + by) % 100_000).collect::<Vec<usize>>();
        for by in [1, 50_000, 99_999] {
            let mut values = rotated(by);
            sort(&mut values, usize::cmp);
            assert!(values.is_sorted());
        }
    }

    proptest! {
        #[test]
        fn sorting_keeps_equal_values_in_their_order(values: Vec<(u8, u16)>) {
            let (mut ours, mut theirs) = (values.clone(), values);
            sort(&mut ours, |one, other| one.0.cmp(&other.0));
            theirs.sort_by_key(|value| value.0);
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn a_map_does_what_a_tree_does(entries: Vec<(u8, u16)>, more: Vec<(bool, u8, u16)>) {
            let mut map: SortedMap<u8, u16> = entries.iter().copied().collect();
            let mut tree: BTreeMap<u8, u16> = entries.iter().copied().collect();
            for (inserts, key, value) in more {
                if inserts {
                    prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!((map.get(&value.to_be_bytes()[0]), map.len()), (tree.get(&value.to_be_bytes()[0]), tree.len()));
                let count = map.get_or_default(key / 2);
                *count = count.wrapping_add(1);
                let count = tree.entry(key / 2).or_default();
                *count = count.wrapping_add(1);
            }
            map.extend(entries.iter().map(|(key, value)| (key / 3, *value)));
            tree.extend(entries.iter().map(|(key, value)| (key / 3, *value)));
            prop_assert!(map.iter().eq(&tree));
            for (from, to) in [(3, 200), (7, 7), (90, 91)] {
                prop_assert!(map.iter_within(&from, &to).rev().eq(tree.range(from..=to).rev()));
                prop_assert!(map.iter_from(&from).eq(tree.range(from..)));
            }
            prop_assert_eq!(format!("{map:?}"), format!("{tree:?}"));
            prop_assert_eq!(serde_json::to_string(&map).unwrap(), serde_json::to_string(&tree).unwrap());
        }

        #[test]
        fn a_set_does_what_a_tree_does(values: Vec<u8>, more: Vec<(bool, u8)>) {
            let mut set: SortedSet<u8> = values.iter().copied().collect();
            let mut tree: BTreeSet<u8> = values.iter().copied().collect();
            for (inserts, value) in more {
                if inserts {
                    prop_assert_eq!(set.insert(value), tree.insert(value));
                } else {
                    prop_assert_eq!(set.remove(&value), tree.remove(&value));
                }
                prop_assert_eq!(set.contains(&value), tree.contains(&value));
            }
            set.extend(values.iter().map(|value| value / 3));
            tree.extend(values.iter().map(|value| value / 3));
            prop_assert!(set.iter().eq(&tree));
            for (from, to) in [(3, 200), (7, 7), (90, 91)] {
                prop_assert!(set.iter_within(&from, &to).rev().eq(tree.range(from..=to).rev()));
                prop_assert!(set.iter_from(&from).eq(tree.range(from..)));
            }
            prop_assert_eq!(serde_json::to_string(&set).unwrap(), serde_json::to_string(&tree).unwrap());
        }
    }
}
