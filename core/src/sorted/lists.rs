//! What sorted maps and sets stand in: short lists, one behind the other, so that what is put in or taken out moves few others.

use core::cmp::Ordering;
use core::ops::Range;
use core::slice;

/// Values in order. None of the lists is empty but the first, when it is alone, which most are; two beside each other have more than a
/// quarter of [`Lists::MOST`] values together.
#[derive(Clone)]
pub(super) struct Lists<T> {
    first: Vec<T>,
    rest: Vec<Vec<T>>,
    /// How many there are in all.
    len: usize,
}

/// Where a value is or would be: the list, 0 for the first one, and the index in it.
pub(super) type Place = (usize, usize);

impl<T> Lists<T> {
    /// How many values a list has at most: 2 KiB of them.
    const MOST: usize = match 2048 / size_of::<T>().saturating_add(1) {
        0..8 => 8,
        fit @ 8..64 => fit,
        _ => 64,
    };

    pub(super) const fn new() -> Self {
        Self { first: Vec::new(), rest: Vec::new(), len: 0 }
    }

    /// Of values that are in order.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn from_sorted(mut values: Vec<T>) -> Self {
        let len = values.len();
        let mut rest = Vec::new();
        while values.len() > Self::MOST {
            rest.push(values.split_off((values.len() - 1) / Self::MOST * Self::MOST));
        }
        if !rest.is_empty() {
            rest.reverse();
            values.shrink_to_fit();
        }
        Self { first: values, rest, len }
    }

    /// Behind the last value.
    pub(super) fn end(&self) -> Place {
        (self.rest.len(), self.list(self.rest.len()).len())
    }

    /// All values in one list.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn into_vec(self) -> Vec<T> {
        let mut all = self.first;
        if !self.rest.is_empty() {
            all.reserve_exact(self.len - all.len());
            self.rest.into_iter().for_each(|list| all.extend(list));
        }
        all
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.first.first()
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.rest.last().unwrap_or(&self.first).last()
    }

    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.rest = Vec::new();
        self.len = 0;
    }

    fn list(&self, number: usize) -> &[T] {
        match number.checked_sub(1) {
            None => &self.first,
            Some(behind) => self.rest.get(behind).map_or(&[], |list| list),
        }
    }

    fn list_mut(&mut self, number: usize) -> &mut Vec<T> {
        match number.checked_sub(1) {
            None => &mut self.first,
            Some(behind) => &mut self.rest[behind],
        }
    }

    pub(super) fn get_mut(&mut self, (list, at): Place) -> &mut T {
        &mut self.list_mut(list)[at]
    }

    /// The number of the list that has the value which `compare` finds equal, if any has.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn number(&self, compare: impl Fn(&T) -> Ordering) -> usize {
        match search(&self.rest, |list| list.first().map_or(Ordering::Less, &compare)) {
            Ok(behind) => behind + 1,
            Err(behind) => behind,
        }
    }

    /// Where the value is that `compare` finds equal, or where it would have to be put in.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn find(&self, compare: impl Fn(&T) -> Ordering) -> Result<Place, Place> {
        let number = if self.rest.is_empty() { 0 } else { self.number(&compare) };
        match search(self.list(number), compare) {
            Ok(at) => Ok((number, at)),
            Err(at) => Err((number, at)),
        }
    }

    /// The value that `compare` finds equal.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn look_up(&self, compare: impl Fn(&T) -> Ordering) -> Option<&T> {
        let list = if self.rest.is_empty() { &self.first } else { self.list(self.number(&compare)) };
        let at = search(list, compare).ok()?;
        list.get(at)
    }

    /// Puts a value in where [`Self::find`] has said, and returns where it is.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn insert(&mut self, (mut number, mut at): Place, value: T) -> Place {
        let is_last = number == self.rest.len();
        let list = self.list_mut(number);
        if list.len() >= Self::MOST {
            // What grows at its end leaves full lists behind.
            let is_end = is_last && at == list.len();
            let middle = if is_end { at } else { list.len() / 2 };
            let upper = list.split_off(middle);
            self.rest.insert(number, upper);
            if at > middle || is_end {
                (number, at) = (number + 1, at - middle);
            }
        }
        self.list_mut(number).insert(at, value);
        self.len += 1;
        (number, at)
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn remove(&mut self, (number, at): Place) -> T {
        let list = self.list_mut(number);
        let value = list.remove(at);
        let left = list.len();
        self.len -= 1;
        if left <= Self::MOST / 4 && !self.rest.is_empty() {
            self.join(number);
            if number > 0 {
                self.join(number - 1);
            }
        }
        value
    }

    /// Makes one list of this one and the next, if one is empty or both are small.
    fn join(&mut self, number: usize) {
        let Some(next) = self.rest.get(number).map(Vec::len) else {
            return;
        };
        let this = self.list(number).len();
        if this == 0 || next == 0 || this + next <= Self::MOST / 4 {
            let next = self.rest.remove(number);
            self.list_mut(number).extend(next);
        }
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn pop_first(&mut self) -> Option<T> {
        (!self.is_empty()).then(|| self.remove((0, 0)))
    }

    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.first.retain_mut(&mut keep);
        self.len = self.first.len();
        if !self.rest.is_empty() {
            self.rest.iter_mut().for_each(|list| list.retain_mut(&mut keep));
            // With how many are left.
            let mut left = core::mem::take(self);
            left.len = left.rest.iter().fold(left.len, |sum, list| sum + list.len());
            *self = Self::from_sorted(left.into_vec());
        }
    }

    pub(super) fn iter(&self) -> Iter<'_, T> {
        Iter { front: self.first.iter(), between: self.rest.iter(), back: [].iter() }
    }

    /// Those from a place on and before another.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn iter_between(&self, from: Place, to: Place) -> Iter<'_, T> {
        let part = |number, range| self.list(number).get::<Range<usize>>(range).unwrap_or_default().iter();
        let mut between = Iter { front: [].iter(), between: [].iter(), back: [].iter() };
        if from.0 == to.0 {
            between.front = part(from.0, from.1..to.1);
        } else if from.0 < to.0 {
            between.front = part(from.0, from.1..self.list(from.0).len());
            between.between = self.rest.get(from.0..to.0 - 1).unwrap_or_default().iter();
            between.back = part(to.0, 0..to.1);
        }
        between
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(self.rest.iter_mut().flatten())
    }
}

/// As `binary_search_by`, which a compiler reads three times as long for.
fn search<T>(list: &[T], compare: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match compare(&list[middle]) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Ok(middle),
        }
    }
    Err(low)
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands in lists, in order.
#[derive(Debug)]
pub struct Iter<'a, T> {
    front: slice::Iter<'a, T>,
    between: slice::Iter<'a, Vec<T>>,
    back: slice::Iter<'a, T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(value) = self.front.next() {
                return Some(value);
            }
            match self.between.next() {
                Some(list) => self.front = list.iter(),
                None => return self.back.next(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ends = self.front.len() + self.back.len();
        let all = self.between.clone().fold(ends, |sum, list| sum + list.len());
        (all, Some(all))
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.back.next_back() {
                return Some(value);
            }
            match self.between.next_back() {
                Some(list) => self.back = list.iter(),
                None => return self.front.next_back(),
            }
        }
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { front: self.front.clone(), between: self.between.clone(), back: self.back.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Lists;

    impl<T> Lists<T> {
        /// For how many values, or lists of them, there is room.
        pub(in crate::sorted) fn capacity(&self) -> usize {
            self.rest.iter().fold(self.first.capacity() + self.rest.capacity(), |sum, list| sum + list.capacity())
        }

        fn check(&self) {
            let lengths: Vec<usize> = [&self.first].into_iter().chain(&self.rest).map(Vec::len).collect();
            assert!(lengths.iter().all(|length| *length <= Self::MOST), "{lengths:?}");
            assert_eq!(lengths.iter().sum::<usize>(), self.len);
            assert!(lengths.len() == 1 || lengths.iter().all(|length| *length > 0), "{lengths:?}");
            assert!(lengths.windows(2).all(|two| two[0] + two[1] > Self::MOST / 4), "{lengths:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lists_stay_short_and_few_and_in_order(steps in prop::collection::vec((any::<u16>(), 0_u8..6, 1_u16..300), 1..40)) {
            let mut lists = Lists::new();
            let mut model = std::collections::BTreeSet::new();
            for (start, kind, many) in steps {
                for value in (0..many).map(|step| start.wrapping_add(step * 7)) {
                    let place = lists.find(|known: &u16| known.cmp(&value));
                    match (kind, place) {
                        (0..=2, Err(place)) => {
                            let at = lists.insert(place, value);
                            prop_assert_eq!(*lists.get_mut(at), value);
                            model.insert(value);
                        }
                        (3, Ok(place)) => {
                            prop_assert_eq!(lists.remove(place), value);
                            model.remove(&value);
                        }
                        (4, _) => prop_assert_eq!(lists.pop_first(), model.pop_first()),
                        _ => prop_assert_eq!(place.is_ok(), model.contains(&value)),
                    }
                    lists.check();
                }
                if kind == 5 {
                    lists.retain(|value| *value % 3 != start % 3);
                    model.retain(|value| *value % 3 != start % 3);
                    lists.check();
                }
                prop_assert!(lists.iter().eq(&model) && lists.iter().rev().eq(model.iter().rev()));
                let (mut ours, mut theirs) = (lists.iter(), model.iter());
                while let (Some(one), two) = (ours.next(), ours.next_back()) {
                    prop_assert_eq!((Some(one), two), (theirs.next(), theirs.next_back()));
                    prop_assert_eq!(ours.len(), theirs.len());
                }
                let place = lists.find(|known: &u16| known.cmp(&start)).unwrap_or_else(|place| place);
                prop_assert!(lists.iter_between(place, lists.end()).eq(model.range(start..)));
                let till = start.saturating_add(3000);
                let end = lists.find(|known: &u16| known.cmp(&till)).unwrap_or_else(|place| place);
                prop_assert!(lists.iter_between(place, end).eq(model.range(start..till)));
                prop_assert!(start == till || lists.iter_between(end, place).len() == 0);
                prop_assert_eq!((lists.len(), lists.first(), lists.last()), (model.len(), model.first(), model.last()));
                let again = Lists::from_sorted(lists.clone().into_vec());
                again.check();
                prop_assert!(again.iter().eq(&model) && lists.iter_mut().map(|value| *value).eq(model.iter().copied()));
            }
        }
    }
}
