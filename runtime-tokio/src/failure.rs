//! Why a connection failed, in words for people.

use std::io;

use stgclient_core::connection::CloseReason;
use stgclient_core::error::Cause;

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) words: String,
    pub(crate) lasts: Lasts,
    pub(crate) cause: Option<Cause>,
}

/// Whether another try helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    No,
    /// The two sides cannot agree on TLS.
    #[cfg(feature = "tls")]
    Tls,
    /// A gateway does not let us in.
    #[cfg(feature = "websocket")]
    Denied,
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self { words, lasts: Lasts::No, cause: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some((words, is_tls)) = crate::tls::explain(&error) {
            let lasts = if is_tls { Lasts::Tls } else { Lasts::No };
            return Self { words, lasts, cause: Some(Cause::new(error)) };
        }
        #[cfg(feature = "websocket")]
        if crate::websocket::is_denial(&error) {
            return Self { words: error.to_string(), lasts: Lasts::Denied, cause: Some(Cause::new(error)) };
        }
        Self::because_of(reason(&error), error)
    }
}

impl Failure {
    pub(crate) fn because_of(words: String, error: io::Error) -> Self {
        Self { words, lasts: Lasts::No, cause: Some(Cause::new(error)) }
    }
}

impl<'a> From<&'a Failure> for CloseReason<'a> {
    fn from(failure: &'a Failure) -> Self {
        let words = failure.words.as_str();
        let reason: Self = match failure.lasts {
            Lasts::No => words.into(),
            #[cfg(feature = "tls")]
            Lasts::Tls => Self::tls(words),
            #[cfg(feature = "websocket")]
            Lasts::Denied => Self::denied(words),
        };
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
