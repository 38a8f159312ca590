//! Values by small numbers, which JavaScript can know them by. A number that is free is used again.

pub(crate) struct Slots<T> {
    all: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T> Slots<T> {
    pub(crate) const NONE: Self = Self { all: Vec::new(), free: Vec::new() };

    pub(crate) fn insert_with(&mut self, make: impl FnOnce(u32) -> T) -> u32 {
        let number = self.free.pop().unwrap_or(self.all.len() as u32);
        let value = Some(make(number));
        match self.all.get_mut(number as usize) {
            Some(slot) => *slot = value,
            None => self.all.push(value),
        }
        number
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.all.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.all.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }
}
