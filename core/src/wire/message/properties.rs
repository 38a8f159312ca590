//! The properties of a message, kept as they travel: `name \u{1} value \u{2}` for each, in one text
//! (`MessageDecoder.messageProperties2String`, `string2messageProperties`).

use core::fmt;

use thiserror::Error;

use crate::wire::eight;

/// The longest encoded properties, in bytes: their length travels as an i16.
pub const MAX_LENGTH: usize = i16::MAX as usize;

/// Stands between a name and its value.
const NAME_END: char = '\u{1}';
/// Stands after a value.
const VALUE_END: char = '\u{2}';

/// Why a property cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// The name is empty: every reader would pass over the pair.
    #[error("a property without a name")]
    EmptyName,
    /// The value is empty: every reader would pass over the pair.
    #[error("the property {name} has no value")]
    EmptyValue {
        /// The name.
        name: String,
    },
    /// The name or the value holds U+0001 or U+0002, which end names and values.
    #[error("the property {name:?} holds a separator")]
    Separator {
        /// The name.
        name: String,
    },
    /// The properties would become longer than [`MAX_LENGTH`].
    #[error("with the property {name} the properties are {length} bytes long, more than {MAX_LENGTH}")]
    TooLong {
        /// The name.
        name: String,
        /// The length they would have, in bytes.
        length: usize,
    },
}

/// The properties of a message to be sent. Equal when they are encoded alike, order included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    encoded: String,
}

impl Properties {
    /// No properties.
    pub const fn new() -> Self {
        Self { encoded: String::new() }
    }

    /// Properties that are encoded already. A missing last end is added; what is no property stays, unread.
    pub fn from_encoded(encoded: impl Into<String>) -> Self {
        let mut encoded = encoded.into();
        if !encoded.is_empty() && !encoded.ends_with(VALUE_END) {
            encoded.push(VALUE_END);
        }
        Self { encoded }
    }

    /// As they travel. At most [`MAX_LENGTH`] bytes, unless [`Properties::from_encoded`] was given more.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The same, to be read.
    pub fn view(&self) -> PropertiesRef<'_> {
        PropertiesRef::new(&self.encoded)
    }

    /// The value of the property `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.view().get(name)
    }

    /// Names and values, as [`PropertiesRef::iter`] gives them.
    pub fn iter(&self) -> PropertyIter<'_> {
        self.view().iter()
    }

    /// Whether there is not a single byte.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Sets a property, at the end. A former value is removed.
    ///
    /// # Errors
    /// Name or value cannot travel, or there is no room left for them. Nothing is changed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        if name.is_empty() {
            return Err(PropertyError::EmptyName);
        }
        if name.contains([NAME_END, VALUE_END]) || value.contains([NAME_END, VALUE_END]) {
            return Err(PropertyError::Separator { name: name.to_owned() });
        }
        if value.is_empty() {
            return Err(PropertyError::EmptyValue { name: name.to_owned() });
        }
        let replaced: usize = self.entries_of(name).map(str::len).sum();
        let length = self.encoded.len() - replaced + name.len() + value.len() + 2;
        if length > MAX_LENGTH {
            return Err(PropertyError::TooLong { name: name.to_owned(), length });
        }
        if replaced > 0 {
            self.remove(name);
        }
        self.encoded.reserve(name.len() + value.len() + 2);
        self.encoded.push_str(name);
        self.encoded.push(NAME_END);
        self.encoded.push_str(value);
        self.encoded.push(VALUE_END);
        Ok(())
    }

    /// Removes a property, and says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        if self.entries_of(name).next().is_none() {
            return false;
        }
        self.encoded = self.entries().filter(|&entry| name_of(entry) != Some(name)).collect();
        true
    }

    /// Each entry with its end.
    fn entries(&self) -> impl Iterator<Item = &str> {
        self.encoded.split_inclusive(VALUE_END)
    }

    fn entries_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries().filter(move |&entry| name_of(entry) == Some(name))
    }
}

fn name_of(entry: &str) -> Option<&str> {
    entry.split_once(NAME_END).map(|(name, _)| name)
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = (&'a str, &'a str);
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

/// Encoded properties of a received message, parsed when asked.
///
/// Read as Java reads them: a value may hold U+0001, the last end may be missing, and what has no name or no value is
/// passed over.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PropertiesRef<'a> {
    encoded: &'a str,
}

impl<'a> PropertiesRef<'a> {
    /// Properties as they travel.
    pub const fn new(encoded: &'a str) -> Self {
        Self { encoded }
    }

    /// As they travel.
    pub const fn encoded(self) -> &'a str {
        self.encoded
    }

    /// The value of the property `name`; the last one, should there be several.
    pub fn get(self, name: &str) -> Option<&'a str> {
        if name.is_empty() || name.contains(NAME_END) {
            return None;
        }
        // By bytes: a tag is looked up in every message that comes.
        let (bytes, name) = (self.encoded.as_bytes(), name.as_bytes());
        let (mut start, mut found) = (0, None);
        while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
            let end = start + eight::position(rest, VALUE_END as u8).unwrap_or(rest.len());
            let value_start = start + name.len() + 1;
            if value_start < end && rest[name.len()] == NAME_END as u8 && rest.starts_with(name) {
                found = Some(value_start..end);
            }
            start = end + 1;
        }
        found.and_then(|value| self.encoded.get(value))
    }

    /// Names and values in the order they travel. Of several with one name, the last one counts.
    pub fn iter(self) -> PropertyIter<'a> {
        PropertyIter { rest: self.encoded }
    }

    /// A copy that can be changed.
    pub fn to_properties(self) -> Properties {
        Properties::from_encoded(self.encoded)
    }
}

impl fmt::Debug for PropertiesRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for PropertiesRef<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

/// What stands before the first `end`, and behind it. The standard library's way costs several times as much.
fn split_once(text: &str, end: char) -> Option<(&str, &str)> {
    let at = eight::position(text.as_bytes(), end as u8)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// An entry without its end, as name and value.
fn pair(entry: &str) -> Option<(&str, &str)> {
    split_once(entry, NAME_END).filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// Iterator over names and values.
#[derive(Clone, Debug)]
pub struct PropertyIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (entry, rest) = split_once(self.rest, VALUE_END).unwrap_or((self.rest, ""));
            self.rest = rest;
            if let Some(found) = pair(entry) {
                return Some(found);
            }
        }
        None
    }
}
