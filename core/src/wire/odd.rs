//! What is passed over while something is read, since it is not what it should be.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

use super::fields::{FieldError, FieldText};

/// How many values have been passed over, and the first of them.
#[derive(Debug, Default)]
pub struct Odd(OnceLock<Box<Found>>);

#[derive(Debug)]
struct Found {
    first: FieldError,
    count: AtomicU32,
    /// The first of those for which Java would have refused the whole.
    refused: OnceLock<FieldError>,
}

/// What is read again is odd again.
impl Clone for Odd {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Odd {
    /// How many values have been passed over.
    pub fn count(&self) -> u32 {
        self.0.get().map_or(0, |found| found.count.load(Ordering::Relaxed))
    }

    /// The first value that has been passed over.
    pub fn first(&self) -> Option<&FieldError> {
        self.0.get().map(|found| &found.first)
    }

    /// The first value for which Java would have refused the whole.
    pub fn refused(&self) -> Option<&FieldError> {
        self.0.get().and_then(|found| found.refused.get())
    }

    /// A field of a header that Java takes for null.
    #[cold]
    pub fn note(&self, error: FieldError) {
        let new = || Box::new(Found { first: error, count: AtomicU32::new(0), refused: OnceLock::new() });
        self.0.get_or_init(new).count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where what is passed over is noted, and in which field.
#[derive(Clone, Copy, Debug)]
pub struct OddIn<'a> {
    odd: &'a Odd,
    name: &'static str,
}

impl<'a> OddIn<'a> {
    /// In a field of this name, or in a body as a whole.
    pub const fn new(odd: &'a Odd, name: &'static str) -> Self {
        Self { odd, name }
    }

    /// In this field of what has been read so far.
    pub const fn field(self, name: &'static str) -> Self {
        Self::new(self.odd, name)
    }

    /// A value that Java takes for null.
    #[cold]
    pub fn take_as_null(self, expected: &'static str, value: FieldText<'_>) {
        self.odd.note(FieldError::invalid(self.name, expected, value));
    }

    /// A value for which Java refuses the whole.
    #[cold]
    pub fn pass_over(self, expected: &'static str, value: FieldText<'_>) {
        let error = FieldError::invalid(self.name, expected, value);
        self.odd.note(error.clone());
        if let Some(found) = self.odd.0.get() {
            found.refused.get_or_init(|| error);
        }
    }
}
