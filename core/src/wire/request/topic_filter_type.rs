//! How many tags a topic's messages have.

use std::borrow::Cow;

use crate::wire::dialect::Dialect;
use crate::wire::fields::{FieldError, FieldText, FieldValue, FieldWriter};
use crate::wire::odd::Odd;

/// How many tags the messages of a topic have (`TopicFilterType`), which no server minds any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicFilterType<'a> {
    /// One.
    SingleTag,
    /// Several.
    MultiTag,
    /// What no server knows.
    Unknown(Cow<'a, str>),
}

impl TopicFilterType<'_> {
    /// As it travels: Java writes names, Go numbers.
    fn name(&self, dialect: Dialect) -> &str {
        match (self, dialect) {
            (Self::SingleTag, Dialect::Apache) => "SINGLE_TAG",
            (Self::MultiTag, Dialect::Apache) => "MULTI_TAG",
            (Self::SingleTag, Dialect::Smartgo) => "0",
            (Self::MultiTag, Dialect::Smartgo) => "1",
            (Self::Unknown(name), _) => name,
        }
    }
}

impl<'a> FieldValue<'a> for TopicFilterType<'a> {
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, self.name(writer.dialect()));
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        Self::SingleTag.write(name, writer);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, odd: &Odd) -> Result<Self, FieldError> {
        let text = Cow::read(name, text, odd)?;
        Ok(match &*text {
            "SINGLE_TAG" | "0" => Self::SingleTag,
            "MULTI_TAG" | "1" => Self::MultiTag,
            _ => Self::Unknown(text),
        })
    }
}
