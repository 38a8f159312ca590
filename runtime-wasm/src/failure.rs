//! Errors, as JavaScript has them.

use stgclient::{Error, ErrorKind};
use wasm_bindgen::JsValue;

use crate::js;

/// The error of a class of its own, with all that is known of it.
pub(crate) fn to_js(error: &Error) -> JsValue {
    let failure = js::failure(
        code(error.kind()),
        &error.to_string(),
        error.is_retryable(),
        error.code().map(|code| code.0),
        error.remark().map(str::to_owned),
        error.broker_name().map(str::to_owned),
        error.address().map(ToString::to_string),
    );
    for attempt in error.attempts() {
        let after_ms = attempt.after.as_micros() as f64 / 1000.0;
        js::add_attempt(&failure, attempt.address.as_ref().map(ToString::to_string), after_ms, &attempt.outcome);
    }
    failure
}

/// The error that an argument of JavaScript's is wrong.
pub(crate) fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, what)
}

/// A name that stays the same.
fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "INVALID_ARGUMENT",
        ErrorKind::Full => "FULL",
        ErrorKind::Closed => "CLOSED",
        ErrorKind::Timeout => "TIMEOUT",
        ErrorKind::ConnectFailed => "CONNECT_FAILED",
        ErrorKind::TlsFailed => "TLS_FAILED",
        ErrorKind::ConnectionClosed => "CONNECTION_CLOSED",
        ErrorKind::NameServersUnavailable => "NAME_SERVERS_UNAVAILABLE",
        ErrorKind::NotANameServer => "NOT_A_NAME_SERVER",
        ErrorKind::TopicNotFound => "TOPIC_NOT_FOUND",
        ErrorKind::GroupNotFound => "GROUP_NOT_FOUND",
        ErrorKind::NoQueueAvailable => "NO_QUEUE_AVAILABLE",
        ErrorKind::BrokerNotFound => "BROKER_NOT_FOUND",
        ErrorKind::Refused => "REFUSED",
        ErrorKind::AccessDenied => "ACCESS_DENIED",
        ErrorKind::WrongDialect => "WRONG_DIALECT",
        ErrorKind::MalformedAnswer => "MALFORMED_ANSWER",
        ErrorKind::Cancelled => "CANCELLED",
        ErrorKind::OffsetStore => "OFFSET_STORE",
        _ => "UNKNOWN",
    }
}
