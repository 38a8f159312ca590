//! A table of slots: values at small dense ids that say so when what they meant is gone.

use core::fmt;
use core::marker::PhantomData;

/// The id of a value in a table: a slot, and which of its tenants is meant.
pub struct Id<T> {
    slot: u32,
    generation: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// None comes before it.
    pub(crate) const FIRST: Self = Self { slot: 0, generation: 0, kind: PhantomData };

    /// The slot: small and dense, for a host that keeps things of its own beside the value.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    pub(crate) const fn key(self) -> u32 {
        self.slot
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.slot, self.generation).cmp(&(other.slot, other.generation))
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot, self.generation)
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Values by [`Id`], whose kind may be another than the value: who names a thing need not know it. Freed slots are used again, the last freed first, so that ids stay dense.
#[derive(Debug)]
pub(crate) struct Table<T, K = T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    kind: PhantomData<fn() -> K>,
}

impl<T, K> Default for Table<T, K> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T, K> Table<T, K> {
    pub(crate) const EMPTY: Self = Self { slots: Vec::new(), free: Vec::new(), kind: PhantomData };

    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Id<K> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let entry = &mut self.slots[slot as usize];
        entry.value = Some(value);
        Id { slot, generation: entry.generation, kind: PhantomData }
    }

    pub(crate) fn remove(&mut self, id: Id<K>) -> Option<T> {
        let value = self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation)?.value.take()?;
        self.release(id);
        Some(value)
    }

    /// As [`Table::remove`], where the value lies: large ones are costly to move.
    pub(crate) fn discard(&mut self, id: Id<K>) {
        if self.get(id).is_some() {
            self.slots[id.slot()].value = None;
            self.release(id);
        }
    }

    fn release(&mut self, id: Id<K>) {
        let entry = &mut self.slots[id.slot()];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(id.slot);
    }

    pub(crate) fn get(&self, id: Id<K>) -> Option<&T> {
        self.slots.get(id.slot()).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: Id<K>) -> Option<&mut T> {
        self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// The id of the value that now stands in `slot`.
    pub(crate) fn id_of(&self, slot: u32) -> Option<Id<K>> {
        let entry = self.slots.get(slot as usize)?;
        entry.value.as_ref()?;
        Some(Id { slot, generation: entry.generation, kind: PhantomData })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<K>, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let id = Id { slot: slot as u32, generation: entry.generation, kind: PhantomData };
            Some((id, entry.value.as_ref()?))
        })
    }

    /// The ids in use, for a loop that changes the table.
    pub(crate) fn ids(&self) -> Vec<Id<K>> {
        self.iter().map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn an_id_means_one_tenant_of_its_slot() {
        let mut table: Table<&str> = Table::default();
        let first = table.insert("first");
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert("second");
        assert_eq!(second.slot(), first.slot());
        assert_eq!((table.get(first), table.get(second)), (None, Some(&"second")));
        assert_eq!(table.remove(first), None);
        assert_eq!(table.len(), 1);
    }
}
