//! The fields of a request as a handler of Java's sees them: what is not there or cannot be read is null, and an exception only once it
//! is needed (`RemotingCommand.decodeCommandCustomHeader`).

use std::borrow::Cow;
use std::str::FromStr;

use stgclient_core::wire::command::Command;
use stgclient_core::wire::fields::{FieldError, Header};

use super::refusal::Refusal;

/// The header of a request in which nothing is missing, empty or odd, as most are: all of it is read at once.
pub(super) fn plain_header<'a, H: Header<'a>>(request: &'a Command) -> Option<H> {
    let header = request.header().ok()?;
    let has_empty = request.fields.texts().any(|(_, value)| value.is(""));
    (!has_empty && request.odd.count() == 0).then_some(header)
}

/// The fields of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nullable<'a>(pub(super) &'a Command);

impl<'a> Nullable<'a> {
    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.0.fields.get(name)
    }

    /// As Java writes it in a remark.
    pub(super) fn shown(self, name: &str) -> Cow<'a, str> {
        self.text(name).unwrap_or(Cow::Borrowed("null"))
    }

    pub(super) fn number<N: FromStr>(self, name: &str) -> Option<N> {
        self.text(name)?.parse().ok()
    }

    /// Null is false.
    pub(super) fn truth(self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A text without which nothing can be done.
    pub(super) fn needed_text(self, name: &'static str) -> Result<Cow<'a, str>, Refusal> {
        self.text(name).ok_or_else(|| FieldError::Missing { name }.into())
    }

    /// A number without which nothing can be done.
    pub(super) fn needed<N: FromStr>(self, name: &'static str) -> Result<N, Refusal> {
        self.number(name).ok_or_else(|| FieldError::Missing { name }.into())
    }
}
