//! Why a connection failed, in words for people.

use std::io;

use stgclient_core::connection::CloseReason;

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) words: String,
    /// Whether the two sides cannot agree on TLS, so that no other try helps.
    pub(crate) is_tls: bool,
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self { words, is_tls: false }
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(failure) = crate::tls::explain(error) {
            return failure;
        }
        reason(error).into()
    }
}

impl<'a> From<&'a Failure> for CloseReason<'a> {
    fn from(failure: &'a Failure) -> Self {
        if failure.is_tls { Self::tls(&failure.words) } else { failure.words.as_str().into() }
    }
}

/// An error of a socket without the noise of its code.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by the server".to_owned(),
        _ => error.to_string(),
    }
}
