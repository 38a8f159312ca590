//! Why a connection failed, in words for people.

use std::io;

use stgclient_core::connection::CloseReason;
use stgclient_core::error::Cause;

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) words: String,
    /// Whether the two sides cannot agree on TLS, so that no other try helps.
    pub(crate) is_tls: bool,
    pub(crate) cause: Option<Cause>,
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self { words, is_tls: false, cause: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some((words, is_tls)) = crate::tls::explain(&error) {
            return Self { words, is_tls, cause: Some(Cause::new(error)) };
        }
        Self::because_of(reason(&error), error)
    }
}

impl Failure {
    pub(crate) fn because_of(words: String, error: io::Error) -> Self {
        Self { words, is_tls: false, cause: Some(Cause::new(error)) }
    }
}

impl<'a> From<&'a Failure> for CloseReason<'a> {
    fn from(failure: &'a Failure) -> Self {
        let reason = if failure.is_tls { Self::tls(&failure.words) } else { failure.words.as_str().into() };
        reason.because_of(failure.cause.as_ref())
    }
}

/// An error of a socket without the noise of its code.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by the server".to_owned(),
        _ => error.to_string(),
    }
}
