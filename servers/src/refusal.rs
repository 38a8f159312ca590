//! Why a request is not carried out.

use core::fmt::Display;

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, WriteHeader};
use stgclient_core::wire::json::Readable;

/// What remarks that a user may be helpless about end with (`FAQUrl.suggestTodo`).
pub(super) const FAQ: &str = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// Why a request is not carried out, as an answer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ResponseCode,
    pub(super) remark: String,
    /// Whether it is an exception where Java runs: its answer has no header.
    pub(super) is_thrown: bool,
    /// Of a pull: what forbids it.
    pub(super) forbidden: Option<Forbidden>,
}

/// What forbids a pull (`ForbiddenType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forbidden {
    Broker = 1,
    Group = 2,
    Topic = 3,
    Broadcasting = 4,
}

impl WriteHeader for Forbidden {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        if writer.dialect() == Dialect::Apache {
            writer.integer("forbiddenType", *self as i64);
        }
    }
}

impl Refusal {
    pub(super) fn new(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into(), is_thrown: false, forbidden: None }
    }

    /// A pull is not allowed.
    pub(super) fn forbidden(by: Forbidden, remark: impl Into<String>) -> Self {
        Self { forbidden: Some(by), ..Self::new(ResponseCode::NO_PERMISSION, remark) }
    }

    /// What is an exception where Java runs, which `NettyRemotingAbstract.processRequestCommand` answers with SYSTEM_ERROR.
    pub(super) fn thrown(remark: impl Into<String>) -> Self {
        Self { is_thrown: true, ..Self::new(ResponseCode::SYSTEM_ERROR, remark) }
    }

    /// There is no such topic, in the words of `AbstractSendMessageProcessor` and `PullMessageProcessor`.
    pub(super) fn topic_missing(topic: &str) -> Self {
        Self::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist, apply first please!{FAQ}"))
    }

    /// Of what the FAQ says more, which is Apache's.
    pub(super) fn with_faq(dialect: Dialect, code: ResponseCode, remark: &str) -> Self {
        match dialect {
            Dialect::Apache => Self::new(code, format!("{remark}{FAQ}")),
            Dialect::Smartgo => Self::new(code, remark),
        }
    }

    /// A body is not what its request carries.
    pub(super) fn malformed_body(error: impl Display) -> Self {
        Self::thrown(format!("JSONException: {error}"))
    }

    /// Something of the cluster is full, which is never so with Apache's.
    pub(super) fn full(what: &str, limit: usize) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, format!("this broker keeps at most {limit} {what}"))
    }
}

impl From<FieldError> for Refusal {
    /// What cannot be read is null where Java runs, and an exception where it is needed.
    fn from(error: FieldError) -> Self {
        Self::thrown(format!("RemotingCommandException: {error}"))
    }
}

/// Reads a request's body as Java does, which refuses the whole for one value that is not what it should be.
pub(super) fn read_body<T: Readable>(request: &Command) -> Result<T, Refusal> {
    let body = request.read_body().map_err(Refusal::malformed_body)?;
    request.odd.refused().map_or(Ok(body), |error| Err(Refusal::malformed_body(error)))
}
