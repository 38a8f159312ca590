//! Values by name. All such tables share one map of names, whatever their values are: a map for each type is code for each.

use stgclient_core::sorted::{Iter as Names, SortedMap};

/// Values by name, in the order of the names.
#[derive(Debug)]
pub(crate) struct Named<V> {
    /// Where the value of a name is.
    places: SortedMap<Box<str>, usize>,
    values: Vec<Option<V>>,
    free: Vec<usize>,
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self { places: SortedMap::new(), values: Vec::new(), free: Vec::new() }
    }
}

impl<V> Named<V> {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.values.get(*self.places.get(name)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.values.get_mut(*self.places.get(name)?)?.as_mut()
    }

    /// Gives a name its value, in place of the one that it had.
    pub(crate) fn insert(&mut self, name: &str, value: V) {
        let at = self.place(name);
        self.values[at] = Some(value);
    }

    /// The value of a name, which has one then: what `make` gives, if it had none.
    pub(crate) fn get_or_insert_with(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        let at = self.place(name);
        self.values[at].get_or_insert_with(make)
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.places.get(name) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.values.push(None);
            self.values.len() - 1
        });
        self.places.insert(name.into(), at);
        at
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        let at = self.places.remove(name)?;
        let value = self.values.get_mut(at)?.take();
        if self.places.is_empty() {
            *self = Self::default();
        } else {
            self.free.push(at);
        }
        value
    }

    /// Keeps what `keep` says.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut V) -> bool) {
        let mut gone = Vec::new();
        for (name, at) in &self.places {
            if !self.values[*at].as_mut().is_some_and(|value| keep(name, value)) {
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.remove(&name);
        }
    }

    /// Every value with its name, in order.
    pub(crate) fn iter(&self) -> Iter<'_, V> {
        Iter { names: self.places.iter(), values: &self.values }
    }

    /// The names in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(|name| &**name)
    }

    /// The values in the order of their names.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

/// Every value with its name, in order.
pub(crate) struct Iter<'a, V> {
    names: Names<'a, Box<str>, usize>,
    values: &'a [Option<V>],
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a str, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, at) = self.names.next()?;
        Some((name, self.values.get(*at)?.as_ref()?))
    }
}

impl<'a, V> IntoIterator for &'a Named<V> {
    type Item = (&'a str, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    #[test]
    fn a_place_that_is_free_is_used_again_and_names_stay_in_order() {
        let mut named = Named::default();
        for (name, value) in [("c", 1), ("a", 2), ("b", 3)] {
            named.insert(name, value);
        }
        assert_eq!((named.remove("a"), named.remove("a"), named.get("a")), (Some(2), None, None));
        named.insert("d", 4);
        named.insert("c", 5);
        assert!(named.iter().eq([("b", &3), ("c", &5), ("d", &4)]));
        assert_eq!((named.values.len(), named.len()), (3, 3));
        named.retain(|name, value| name == "b" || *value == 4);
        assert!(named.names().eq(["b", "d"]));
        named.retain(|_, _| false);
        assert!(named.is_empty() && named.values.is_empty() && named.free.is_empty());
    }
}
