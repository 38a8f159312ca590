//! Answers on demand: a test says that a server is to be busy, slow, silent or wrong.

use bytes::Bytes;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::QueueLockRequest;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;

/// How a server treats the requests that a [`Force`] is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forced {
    /// Carried out, and answered with FLUSH_DISK_TIMEOUT.
    FlushDiskTimeout,
    /// Carried out, and answered with FLUSH_SLAVE_TIMEOUT.
    FlushSlaveTimeout,
    /// Carried out, and answered with SLAVE_NOT_AVAILABLE.
    SlaveNotAvailable,
    /// Not carried out, and answered with this code and remark.
    Refuse(ResponseCode, String),
    /// Neither carried out nor answered.
    Lost,
    /// Carried out, but never answered.
    Unanswered,
    /// Carried out at once, answered after this time.
    Delay(Duration),
    /// Carried out, and these bytes sent in place of the answer.
    Bytes(Bytes),
    /// Pulls only: not carried out, and answered with PULL_OFFSET_MOVED to the very offset that was asked for.
    OffsetMoved,
    /// Carried out, and the answer sent twice.
    Twice,
    /// Carried out, and answered with what cannot be read.
    Malformed(Malformed),
}

/// What is wrong with an answer. A frame it is in any case: what is none ends the connection, see [`Forced::Bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The second half of the body is not there.
    TruncatedBody,
    /// The body is not what belongs there, and no JSON.
    WrongBody,
    /// Every field of the header has a text that it cannot have.
    WrongHeader,
}

impl Forced {
    /// Refused with SYSTEM_BUSY, in the words of `NettyRemotingAbstract`.
    pub fn busy() -> Self {
        let remark = "[REJECTREQUEST]system busy, start flow control for a while";
        Self::Refuse(ResponseCode::SYSTEM_BUSY, remark.into())
    }

    /// Refused with NO_PERMISSION.
    pub fn no_permission() -> Self {
        Self::Refuse(ResponseCode::NO_PERMISSION, "the broker sending message is forbidden".into())
    }

    /// Refused with SERVICE_NOT_AVAILABLE, in the words of `SendMessageProcessor`.
    pub fn service_not_available() -> Self {
        let remark = "service not available now. It may be caused by one of the following reasons: the broker's disk \
                      is full, messages are put to the slave, message store has been shut down, etc.";
        Self::Refuse(ResponseCode::SERVICE_NOT_AVAILABLE, remark.into())
    }
}

/// Which requests are treated how, and how many of them.
///
/// ```
/// # use stgclient_servers::{Force, Forced};
/// let busy_once = Force::sends(Forced::busy()).on_topic("orders").times(1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Force {
    pub(super) codes: Vec<RequestCode>,
    topic: Option<String>,
    group: Option<String>,
    pub(super) left: Option<u32>,
    pub(super) forced: Forced,
}

impl Force {
    /// Every send in any style, until it is taken back.
    pub fn sends(forced: Forced) -> Self {
        use RequestCode as C;
        Self::requests([C::SEND_MESSAGE, C::SEND_MESSAGE_V2, C::SEND_BATCH_MESSAGE], forced)
    }

    /// Every request with one of `codes`, until it is taken back.
    pub fn requests(codes: impl IntoIterator<Item = RequestCode>, forced: Forced) -> Self {
        Self { codes: codes.into_iter().collect(), topic: None, group: None, left: None, forced }
    }

    /// Only requests that name this topic.
    pub fn on_topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only requests that name this group, of producers or consumers, in their header or, when queues are locked, in their
    /// body.
    pub fn of_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Only the next `count` of them.
    pub const fn times(mut self, count: u32) -> Self {
        self.left = Some(count);
        self
    }

    pub(super) fn is_for(&self, request: &Command) -> bool {
        let names_topic = |topic: &str| {
            // The headers of SEND_MESSAGE_V2 call the topic "b".
            let named = request.fields.get("topic").or_else(|| request.fields.get("b"));
            named.is_some_and(|named| named == topic)
        };
        self.codes.contains(&RequestCode(request.code))
            && self.topic.as_deref().is_none_or(names_topic)
            && self.group.as_deref().is_none_or(|group| names_group(request, group))
    }
}

fn names_group(request: &Command, group: &str) -> bool {
    use RequestCode as C;
    if matches!(RequestCode(request.code), C::LOCK_BATCH_MQ | C::UNLOCK_BATCH_MQ) {
        let locks: Option<QueueLockRequest> = request.read_body().ok();
        return locks.is_some_and(|locks| *locks.consumer_group == *group);
    }
    // The headers of SEND_MESSAGE_V2 call the group "a".
    let names = ["consumerGroup", "producerGroup", "group", "a"];
    names.iter().any(|name| request.fields.get(name).is_some_and(|named| named == group))
}
