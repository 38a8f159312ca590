//! Why an operation failed: what, at which server, with which code and remark, after how many tries.

use core::error::Error as StdError;
use core::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::time::Duration;
use crate::wire::code::ResponseCode;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked cannot be asked: a wrong name, an empty body, a body too large. Nothing was sent.
    InvalidArgument,
    /// A bound is reached: too many messages or bytes wait already, and nothing was sent; or more was found than is read at once.
    Full,
    /// The client or the producer is closed.
    Closed,
    /// The operation has used up its time.
    Timeout,
    /// No connection could be opened.
    ConnectFailed,
    /// The server and we do not trust each other, or do not both speak TLS.
    TlsFailed,
    /// The connection ended before the answer came.
    ConnectionClosed,
    /// No name server gave an answer.
    NameServersUnavailable,
    /// What was given as a name server is none: mostly a broker's address.
    NotANameServer,
    /// The name servers know no such topic.
    TopicNotFound,
    /// No broker that was asked knows such a consumer group.
    GroupNotFound,
    /// The topic has no queue that may be used in this way: none is writable, or none has a master.
    NoQueueAvailable,
    /// The name servers know no such broker, or it has no master.
    BrokerNotFound,
    /// The server answered with an error code; see [`Error::code`].
    Refused,
    /// The server's access control refused: the client's credentials are missing, wrong or not enough for what was
    /// asked; see [`Error::remark`]. Or a gateway in front of it does not let us in.
    AccessDenied,
    /// The server speaks another [`Dialect`](crate::wire::dialect::Dialect) than the client is set to.
    WrongDialect,
    /// The server's answer cannot be understood.
    MalformedAnswer,
    /// The operation was cancelled by its caller.
    Cancelled,
    /// A broadcasting consumer's offsets cannot be read or stored, or another consumer uses them.
    OffsetStore,
}

impl ErrorKind {
    const fn words(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid argument",
            Self::Full => "too much is waiting",
            Self::Closed => "closed",
            Self::Timeout => "no answer in time",
            Self::ConnectFailed => "no connection",
            Self::TlsFailed => "no secure connection",
            Self::ConnectionClosed => "connection closed",
            Self::NameServersUnavailable => "no name server answered",
            Self::NotANameServer => "not a name server",
            Self::TopicNotFound => "the name servers know no such topic",
            Self::GroupNotFound => "no broker knows such a consumer group",
            Self::NoQueueAvailable => "no queue is available",
            Self::BrokerNotFound => "the broker is not known",
            Self::Refused => "refused",
            Self::AccessDenied => "access denied",
            Self::WrongDialect => "another dialect",
            Self::MalformedAnswer => "malformed answer",
            Self::Cancelled => "cancelled",
            Self::OffsetStore => "the stored offsets",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// What to do about a refusal that is one of access control, which no other try overcomes. Only the server's words tell
/// it from other refusals: auth 2.0 answers NO_PERMISSION, which also says that a topic is read-only
/// (`DefaultAuthenticationHandler`, `UserAuthorizationHandler`, `AclAuthorizationHandler`, and the strategies around
/// them); ACL 1.0 throws an `AclException`, which becomes a SYSTEM_ERROR that names the class
/// (`PlainPermissionManager.validate`).
fn access_advice(code: ResponseCode, remark: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 9] = [
        ("username cannot be null", "give the client credentials"),
        ("check signature failed", "the secret key is not that of the access key"),
        ("Check signature failed", "the secret key is not that of the access key"),
        ("is not found", "the server knows no such access key"),
        ("is disabled", "the user may not do anything"),
        ("has no permission to access", "the user has to be granted this"),
        ("Authentication failed", "check the client's credentials"),
        ("Authorization failed", "check what the user is granted"),
        ("AclException", "check the client's credentials and what they are granted"),
    ];
    let advice = WORDS.iter().find(|(words, _)| remark.contains(words)).map(|(_, advice)| *advice)?;
    let is_access = match code {
        ResponseCode::NO_PERMISSION => true,
        ResponseCode::SYSTEM_ERROR => remark.contains("AclException"),
        _ => false,
    };
    is_access.then_some(advice)
}

/// Whether a server says by this that it is too busy, or about to go.
pub(crate) const fn says_busy(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::SYSTEM_BUSY | ResponseCode::SERVICE_NOT_AVAILABLE | ResponseCode::GO_AWAY)
}

/// Whether another try may overcome a refusal: `DefaultMQProducer.retryResponseCodes`, but never NO_PERMISSION.
const fn may_pass(code: ResponseCode) -> bool {
    matches!(
        code,
        ResponseCode::TOPIC_NOT_EXIST
            | ResponseCode::SERVICE_NOT_AVAILABLE
            | ResponseCode::SYSTEM_ERROR
            | ResponseCode::SYSTEM_BUSY
            | ResponseCode::NO_BUYER_ID
            | ResponseCode::NOT_IN_CURRENT_UNIT
            | ResponseCode::GO_AWAY
    )
}

/// One try of an operation that was tried several times.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Who was asked.
    pub address: Option<Address>,
    /// How long the operation had been under way when the try ended.
    pub after: Duration,
    /// How the try ended.
    pub outcome: String,
}

/// What an error comes from, as somebody else's type has it: an operating system, a TLS library, a store. Cheap to clone. Two are the
/// same when their words are.
#[derive(Clone, Debug)]
pub struct Cause(Arc<dyn StdError + Send + Sync>);

impl Cause {
    /// Of this error.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for Cause {}

/// Why an operation failed.
///
/// Its text is complete. [`source`](StdError::source) is for programs: the `io::Error` of a connection or a file, an error of an
/// offset store, or, when no name server answered, the [`Error`] of the last that was asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    kind: ErrorKind,
    what: String,
    broker_name: Option<Arc<str>>,
    address: Option<Address>,
    code: Option<ResponseCode>,
    /// The server's words, or the host's.
    remark: Option<Box<str>>,
    attempts: Vec<Attempt>,
    cause: Option<Cause>,
}

impl Error {
    /// A failure of `kind`; `what` says in words what could not be done and why.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            what: what.into(),
            broker_name: None,
            address: None,
            code: None,
            remark: None,
            attempts: Vec::new(),
            cause: None,
        }))
    }

    /// Says what it comes from, for [`source`](StdError::source); the text stays as it is.
    ///
    /// ```
    /// use stgclient_core::error::{Error, ErrorKind};
    ///
    /// fn load() -> Result<String, Error> {
    ///     let failed = |error| Error::new(ErrorKind::OffsetStore, format!("cannot load: {error}")).with_source(error);
    ///     std::fs::read_to_string("no such file").map_err(failed)
    /// }
    /// let source = std::error::Error::source(&load().unwrap_err()).map(|source| source.is::<std::io::Error>());
    /// assert_eq!(source, Some(true));
    /// ```
    #[must_use]
    pub fn with_source(self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.caused_by(Some(Cause::new(error)))
    }

    pub(crate) fn caused_by(mut self, cause: Option<Cause>) -> Self {
        self.0.cause = cause;
        self
    }

    /// A failure of `kind` whose reason somebody else gave: a host, a server.
    pub(crate) fn failed(kind: ErrorKind, reason: &str) -> Self {
        let mut error = Self::new(kind, "");
        error.0.remark = Some(reason.into());
        error
    }

    /// A failure of `kind`, which a server's answer shows.
    pub(crate) fn answered(kind: ErrorKind, what: &str, code: ResponseCode, remark: &str) -> Self {
        let mut error = Self::new(kind, what);
        error.0.code = Some(code);
        error.0.remark = Some(remark.into());
        error
    }

    pub(crate) fn refused(code: ResponseCode, remark: Option<&str>) -> Self {
        let is_access = access_advice(code, remark.unwrap_or_default()).is_some();
        let mut error = Self::new(if is_access { ErrorKind::AccessDenied } else { ErrorKind::Refused }, "");
        error.0.code = Some(code);
        error.0.remark = remark.map(Into::into);
        error
    }

    /// A server that was asked for a route, and does not know such requests.
    pub(crate) fn no_name_server(remark: Option<&str>) -> Self {
        let advice =
            "this is a broker's port, or another server's: give a name server's address, whose port is 9876 mostly";
        let code = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
        Self::answered(ErrorKind::NotANameServer, advice, code, remark.unwrap_or_default().trim())
    }

    pub(crate) fn at(mut self, address: &Address) -> Self {
        self.0.address = Some(address.clone());
        self
    }

    pub(crate) fn at_broker(mut self, name: &Arc<str>) -> Self {
        self.0.broker_name = Some(name.clone());
        self
    }

    /// Says what failed, in front of why.
    pub(crate) fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.what = if self.0.what.is_empty() { what.to_string() } else { format!("{what}: {}", self.0.what) };
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later. A message whose send timed out may have been stored all the same.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Full
            | ErrorKind::Timeout
            | ErrorKind::ConnectFailed
            | ErrorKind::ConnectionClosed
            | ErrorKind::NameServersUnavailable
            | ErrorKind::NoQueueAvailable
            | ErrorKind::BrokerNotFound => true,
            ErrorKind::Refused => self.0.code.is_some_and(may_pass),
            ErrorKind::InvalidArgument
            | ErrorKind::Closed
            | ErrorKind::NotANameServer
            | ErrorKind::TopicNotFound
            | ErrorKind::GroupNotFound
            | ErrorKind::TlsFailed
            | ErrorKind::AccessDenied
            | ErrorKind::WrongDialect
            | ErrorKind::MalformedAnswer
            | ErrorKind::Cancelled
            | ErrorKind::OffsetStore => false,
        }
    }

    /// Whether a server refused because it is too busy or about to go, and so has said nothing of what was asked.
    pub fn is_busy(&self) -> bool {
        self.0.kind == ErrorKind::Refused && self.0.code.is_some_and(says_busy)
    }

    /// The server's response code, when it answered with one.
    pub fn code(&self) -> Option<ResponseCode> {
        self.0.code
    }

    /// What the server said in words.
    pub fn remark(&self) -> Option<&str> {
        self.0.remark.as_deref().filter(|_| self.0.code.is_some())
    }

    /// The name of the broker that was asked last.
    pub fn broker_name(&self) -> Option<&str> {
        self.0.broker_name.as_deref()
    }

    /// The address that was asked last.
    pub fn address(&self) -> Option<&Address> {
        self.0.address.as_ref()
    }

    /// The tries that were made, when there was more than one.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// How this try ended, in a few words, for a list of attempts.
    pub(crate) fn outcome(&self) -> String {
        let mut words = String::new();
        self.write_reason(&mut words).map_or_else(|_| String::new(), |()| words)
    }

    fn write_reason(&self, f: &mut impl fmt::Write) -> fmt::Result {
        let details = &self.0;
        match details.code {
            Some(code) if matches!(details.kind, ErrorKind::AccessDenied | ErrorKind::NotANameServer) => {
                write!(f, "{}: {code}", details.kind.words())?;
            }
            Some(code) => write!(f, "{code}")?,
            None => f.write_str(details.kind.words())?,
        }
        if let Some(remark) = details.remark.as_deref().filter(|remark| !remark.is_empty()) {
            write!(f, ": {}", remark.lines().next().unwrap_or_default())?;
        }
        if let Some(advice) = details.code.and_then(|code| access_advice(code, self.remark().unwrap_or_default())) {
            write!(f, ": {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        if !details.what.is_empty() {
            write!(f, "{}: ", details.what)?;
        }
        self.write_reason(f)?;
        match (&details.broker_name, &details.address) {
            (Some(name), Some(address)) => write!(f, " (broker {name} at {address})")?,
            (Some(name), None) => write!(f, " (broker {name})")?,
            (None, Some(address)) => write!(f, " (at {address})")?,
            (None, None) => {}
        }
        if details.attempts.is_empty() {
            return Ok(());
        }
        write!(f, "; {} tries:", details.attempts.len())?;
        for attempt in &details.attempts {
            write!(f, " [")?;
            if let Some(address) = &attempt.address {
                write!(f, "{address} ")?;
            }
            write!(f, "after {} ms: {}]", attempt.after.as_millis(), attempt.outcome)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_ref().map(|cause| &*cause.0 as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_access_control_refuses_is_told_from_other_refusals_and_says_what_to_do() {
        let acl = "org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=x, ...";
        for (code, remark, advice) in [
            (ResponseCode::NO_PERMISSION, "username cannot be null.", "give the client credentials"),
            (ResponseCode::NO_PERMISSION, "check signature failed.", "secret key"),
            (ResponseCode::NO_PERMISSION, "User:nobody is not found.", "no such access key"),
            (ResponseCode::NO_PERMISSION, "User:x has no permission to access Topic:T from 127.0.0.1", "granted"),
            (ResponseCode::SYSTEM_ERROR, acl, "secret key"),
        ] {
            let error = Error::refused(code, Some(remark));
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::AccessDenied, false), "{remark}");
            assert_eq!((error.code(), error.remark()), (Some(code), Some(remark)));
            assert!(error.to_string().contains(remark) && error.to_string().contains(advice), "{error}");
        }
        for (code, remark) in [
            (ResponseCode::NO_PERMISSION, "the broker[127.0.0.1] sending message is forbidden"),
            (ResponseCode::SYSTEM_ERROR, "the file is not found"),
        ] {
            assert_eq!(Error::refused(code, Some(remark)).kind(), ErrorKind::Refused);
        }
    }

    #[test]
    fn these_codes_and_no_others_are_tried_again() {
        let codes = ResponseCode::ALL.iter().map(|(code, _)| *code).filter(|code| may_pass(*code));
        let mut numbers: Vec<i32> = codes.map(|code| code.0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 14, 17, 204, 205, 1500]);
    }
}
