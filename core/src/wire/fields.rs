//! Extension fields: the named values of a header, read and written as typed structs.

mod received;
mod writer;

use std::borrow::Cow;

use thiserror::Error;

pub(super) use received::FieldSpans;
pub use received::{FieldText, FieldTexts, Fields};
pub use writer::{FieldWriter, Piece};

use crate::wire::dialect::Dialect;
use crate::wire::odd::Odd;

/// Why a header's extension fields are not what a typed header needs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A required field is not there.
    #[error("the field {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A field's value is not of its type.
    #[error("the field {name} is no {expected}: {value:?}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// Its type.
        expected: &'static str,
        /// What it says, cut to 64 characters.
        value: String,
    },
}

/// What is written as extension fields. Requests are written as `&dyn WriteHeader`, or a program would have all that writes
/// them once for each header; only sends, which are most of them, have it for themselves.
pub trait WriteHeader {
    /// Writes every field that has a value.
    fn write(&self, writer: &mut FieldWriter<'_>);
}

impl<H: WriteHeader + ?Sized> WriteHeader for &H {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        (**self).write(writer);
    }
}

/// A struct that travels as extension fields.
pub trait Header<'a>: WriteHeader + Sized {
    /// Reads the fields; unknown ones are passed over, and `odd` keeps those that may be absent and are not of their type.
    ///
    /// # Errors
    /// A required field is missing, or its value is not of its type.
    fn read(fields: &'a Fields, odd: &Odd) -> Result<Self, FieldError>;
}

/// No extension fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoFields;

impl WriteHeader for NoFields {
    fn write(&self, _: &mut FieldWriter<'_>) {}
}

impl Header<'_> for NoFields {
    fn read(_: &Fields, _: &Odd) -> Result<Self, FieldError> {
        Ok(Self)
    }
}

/// A value of an extension field.
pub trait FieldValue<'a>: Sized {
    /// Writes the value under `name`; an absent one writes nothing.
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>);

    /// Writes what stands for a value that is absent, in a dialect that knows no absent values.
    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>);

    /// Reads what stands under `name`, by the rules of Java's header decoder (`RemotingCommand.decodeCommandCustomHeader`): what
    /// is no number is null, and what is not `true` is false. `odd` keeps a value that may be absent and is passed over.
    ///
    /// # Errors
    /// The value is required and missing, or not of this type.
    fn read(name: &'static str, text: Option<FieldText<'a>>, odd: &Odd) -> Result<Self, FieldError>;
}

impl<'a> FieldValue<'a> for Cow<'a, str> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, self);
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, "");
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, _: &Odd) -> Result<Self, FieldError> {
        text.map(FieldText::text).ok_or(FieldError::Missing { name })
    }
}

impl<'a> FieldValue<'a> for FieldText<'a> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, &self.text());
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, "");
    }

    fn read(name: &'static str, text: Option<Self>, _: &Odd) -> Result<Self, FieldError> {
        text.ok_or(FieldError::Missing { name })
    }
}

impl FieldError {
    /// The field's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing { name } | Self::Invalid { name, .. } => name,
        }
    }

    /// A value that is not of its type, shown but not at any length.
    #[cold]
    pub(in crate::wire) fn invalid(name: &'static str, expected: &'static str, value: FieldText<'_>) -> Self {
        Self::Invalid { name, expected, value: value.text().chars().take(64).collect() }
    }
}

impl<'a> FieldValue<'a> for i32 {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, i64::from(*self));
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, 0);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, _: &Odd) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError::Missing { name })?;
        text.integer().ok_or_else(|| FieldError::invalid(name, "32-bit number", text))
    }
}

impl<'a> FieldValue<'a> for i64 {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, *self);
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, 0);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, _: &Odd) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError::Missing { name })?;
        text.integer().ok_or_else(|| FieldError::invalid(name, "64-bit number", text))
    }
}

impl<'a> FieldValue<'a> for bool {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.truth(name, *self);
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.truth(name, false);
    }

    /// What is not there is as Java's fields begin.
    fn read(_: &'static str, text: Option<FieldText<'a>>, _: &Odd) -> Result<Self, FieldError> {
        Ok(text.is_some_and(|text| text.is("true") || text.text().eq_ignore_ascii_case("true")))
    }
}

impl<'a, T: FieldValue<'a>> FieldValue<'a> for Option<T> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        match (self, writer.dialect()) {
            (Some(value), _) => value.write(name, writer),
            (None, Dialect::Apache) => {}
            (None, Dialect::Smartgo) => T::write_absent(name, writer),
        }
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        T::write_absent(name, writer);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, odd: &Odd) -> Result<Self, FieldError> {
        let Some(text) = text else {
            return Ok(None);
        };
        match T::read(name, Some(text), odd) {
            Ok(value) => return Ok(Some(value)),
            Err(_) if text.is("") => {}
            Err(error) => odd.note(error),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
