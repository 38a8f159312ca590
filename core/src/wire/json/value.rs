//! A value of a JSON text that has been checked, by its place.

use super::{Reader, Token, Value};
use crate::wire::fields::FieldText;

/// A value of a JSON text that has been checked.
#[derive(Clone, Copy, Debug)]
pub enum Json<'a> {
    /// Nothing.
    Null,
    /// A number or a truth value, as it is written.
    Literal(FieldText<'a>),
    /// A text.
    Text(FieldText<'a>),
    /// An object, as it is written.
    Object(FieldText<'a>),
    /// A list, as it is written.
    Array(FieldText<'a>),
}

impl<'a> Json<'a> {
    /// Checks a text, which has to be UTF-8.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub fn parse(text: &'a [u8]) -> Result<Self, (&'static str, usize)> {
        let mut reader = Reader::new(text);
        let value = reader.value();
        reader.finish()?;
        Ok(Self::of(&reader, value))
    }

    pub(in crate::wire) fn of(reader: &Reader<'a>, value: Value) -> Self {
        let text = |token| reader.text(&token);
        let nested = |place| reader.text(&Token { place, escaped: false });
        match value {
            Value::Null => Self::Null,
            Value::Literal(token) => Self::Literal(text(token)),
            Value::Text(token) => Self::Text(text(token)),
            Value::Object(place) => Self::Object(nested(place)),
            Value::Array(place) => Self::Array(nested(place)),
        }
    }

    /// The names and values of an object; of anything else there are none.
    pub fn members(self) -> Members<'a> {
        let mut reader = match self {
            Self::Object(text) => Reader::new(text.raw),
            _ => Reader::new(b"{}"),
        };
        reader.open_object();
        Members(reader)
    }

    /// The elements of a list; of anything else there are none.
    pub fn elements(self) -> Elements<'a> {
        let mut reader = match self {
            Self::Array(text) => Reader::new(text.raw),
            _ => Reader::new(b"[]"),
        };
        reader.open_array();
        Elements(reader)
    }

    /// What stands there, null as nothing.
    pub fn written(self) -> Option<FieldText<'a>> {
        match self {
            Self::Null => None,
            Self::Literal(text) | Self::Text(text) | Self::Object(text) | Self::Array(text) => Some(text),
        }
    }
}

/// The names and values of an object, each looked for when it is asked for.
#[derive(Debug)]
pub struct Members<'a>(Reader<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (FieldText<'a>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.name()?;
        let value = self.0.value();
        Some((self.0.text(&name), Json::of(&self.0, value)))
    }
}

/// The elements of a list, each looked for when it is asked for.
#[derive(Debug)]
pub struct Elements<'a>(Reader<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.finds_element().then(|| {
            let value = self.0.value();
            Json::of(&self.0, value)
        })
    }
}
