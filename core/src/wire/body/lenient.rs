//! Reads what can be read: an odd entry of a list or a map is passed over instead of refusing the whole, as Java's clients
//! fail at the one thing they look at and not at its neighbours.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::gather::Gather;

/// A list, a set or a map without its entries that are none; empty for null. For `#[serde(deserialize_with)]`.
pub(super) fn readable<'de, D: Deserializer<'de>, C: Readable<'de>>(from: D) -> Result<C, D::Error> {
    C::read(from)
}

pub(super) trait Readable<'de>: Sized {
    fn read<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>;
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Readable(T),
    Odd(IgnoredAny),
}

impl<T> Entry<T> {
    fn readable(self) -> Option<T> {
        match self {
            Self::Readable(value) => Some(value),
            Self::Odd(IgnoredAny) => None,
        }
    }
}

/// Visits a list or null.
struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element::<Entry<T>>()? {
            list.extend(entry.readable());
        }
        Ok(list)
    }
}

/// Visits a map or null.
struct Map<K, V>(PhantomData<(K, V)>);

impl<'de, K: FromStr + Ord, V: Deserialize<'de>> Visitor<'de> for Map<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, entry)) = entries.next_entry::<String, Entry<V>>()? {
            map.extend(key.parse().ok().zip(entry.readable()));
        }
        Ok(map)
    }
}

impl<'de, T: Deserialize<'de>> Readable<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(List(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Ord> Readable<'de> for BTreeSet<T> {
    fn read<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(from.deserialize_any(List(PhantomData))?.into_iter().gather())
    }
}

impl<'de, K: FromStr + Ord, V: Deserialize<'de>> Readable<'de> for BTreeMap<K, V> {
    fn read<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Map(PhantomData))
    }
}
