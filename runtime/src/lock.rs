//! The one lock of a client. With the feature `measure-lock` it is one of the same shape that looks at the clock.

#[cfg(feature = "measure-lock")]
mod measured;
#[cfg(not(feature = "measure-lock"))]
mod plain;

#[cfg(feature = "measure-lock")]
pub use measured::LockTimes;
#[cfg(feature = "measure-lock")]
pub(crate) use measured::{Guard, Lock};
#[cfg(not(feature = "measure-lock"))]
pub(crate) use plain::{Guard, Lock};
