//! Why a connection ended, in its host's words.

use crate::error::{Cause, ErrorKind};

/// Why a connection ended or could not be opened, as its host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReason<'a> {
    pub(super) words: &'a str,
    /// What it is, where no other try overcomes it.
    pub(super) lasting: Option<ErrorKind>,
    pub(super) guess: &'a str,
    pub(super) cause: Option<&'a Cause>,
}

impl<'a> CloseReason<'a> {
    /// The two sides do not trust each other or do not both speak TLS, which no other try overcomes; in words.
    pub const fn tls(words: &'a str) -> Self {
        Self { words, lasting: Some(ErrorKind::TlsFailed), guess: "", cause: None }
    }

    /// Whoever stands before the server does not let us in, by what we have said of ourselves; in words.
    pub const fn denied(words: &'a str) -> Self {
        Self { words, lasting: Some(ErrorKind::AccessDenied), guess: "", cause: None }
    }

    /// The same, with what it may mean, in words that follow the reason, if the peer hung up as soon as it was connected and
    /// has never said anything.
    #[must_use]
    pub const fn or_perhaps(self, guess: &'a str) -> Self {
        Self { guess, ..self }
    }

    /// The same, with what it comes from, if the host knows.
    #[must_use]
    pub const fn because_of(self, cause: Option<&'a Cause>) -> Self {
        Self { cause, ..self }
    }

    /// The reason in words.
    pub const fn words(&self) -> &'a str {
        self.words
    }
}

impl<'a> From<&'a str> for CloseReason<'a> {
    fn from(words: &'a str) -> Self {
        Self { words, lasting: None, guess: "", cause: None }
    }
}
