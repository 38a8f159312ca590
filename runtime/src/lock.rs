//! The one lock of a client. With the feature `measure-lock` it is one of the same shape that looks at the clock.

mod held;
#[cfg(feature = "measure-lock")]
mod measured;
#[cfg(not(feature = "measure-lock"))]
mod plain;

use std::ops::{Deref, DerefMut};

use held::Held;
pub use held::holds_lock;
#[cfg(feature = "measure-lock")]
use measured as kind;
#[cfg(feature = "measure-lock")]
pub use measured::LockTimes;
#[cfg(not(feature = "measure-lock"))]
use plain as kind;

/// The lock.
pub(crate) struct Lock<T>(kind::Lock<T>);

/// Whoever has the lock.
pub(crate) struct Guard<'a, T> {
    guard: kind::Guard<'a, T>,
    _held: Held,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(kind::Lock::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard { guard: self.0.lock(), _held: Held::new() }
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.0.try_lock().map(|guard| Guard { guard, _held: Held::new() })
    }

    #[cfg(feature = "measure-lock")]
    pub(crate) fn times(&self) -> LockTimes {
        self.0.times()
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
