//! What is remembered of a question, and where its answer goes.
//!
//! Each question carries a ticket. Its answer counts only where the ticket is still waited for; an answer to an earlier
//! question settles its own books and changes nothing else.

use std::sync::Arc;

use super::PushConsumer;
use super::queue::QueueId;
use crate::consumer::Pulled;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::sorted::SortedSet;
use crate::time::{Instant, Now};
use crate::wire::body::ConsumerList;

/// Which question: no two of a consumer have the same.
pub(crate) type Ticket = u64;

/// What is remembered of a question.
pub(crate) trait Asked {
    /// What is to be answered.
    type Answer;

    /// Takes the answer, or why there is none.
    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>);
}

/// The queues of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Queues(pub(crate) Arc<str>, pub(crate) Ticket);

impl Asked for Queues {
    type Answer = Vec<MessageQueue>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_queues(now, &self.0, self.1, answer);
    }
}

/// The members of the group, for a topic; of that broker's queues alone, if one is named.
#[derive(Clone, Debug)]
pub(crate) struct Members(pub(crate) Arc<str>, pub(crate) Ticket, pub(crate) Option<Arc<str>>);

impl Asked for Members {
    type Answer = ConsumerList;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_members(now, (&self.0, self.1, self.2), answer.map(|list| list.consumer_id_list));
    }
}

/// Whether what a topic is selected by is taken.
#[derive(Clone, Debug)]
pub(crate) struct Check(pub(crate) Arc<str>, pub(crate) Ticket);

impl Asked for Check {
    type Answer = ();

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<(), Error>) {
        consumer.take_checked(now, &self.0, self.1, answer);
    }
}

/// Where a queue ended when its topic was subscribed to.
#[derive(Clone, Debug)]
pub(crate) struct End(pub(crate) MessageQueue, pub(crate) Ticket);

impl Asked for End {
    type Answer = Option<u64>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_end(now, &self.0, self.1, answer);
    }
}

/// The group's offset of a queue, which may be somebody else's.
#[derive(Clone, Debug)]
pub(crate) struct EndOffset(pub(crate) MessageQueue, pub(crate) Ticket);

impl Asked for EndOffset {
    type Answer = Option<u64>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_end_offset(now, &self.0, self.1, &answer);
    }
}

/// That a new group begins where a queue ended.
#[derive(Clone, Debug)]
pub(crate) struct EndCommitted(pub(crate) MessageQueue, pub(crate) Ticket);

impl Asked for EndCommitted {
    type Answer = ();

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<(), Error>) {
        consumer.take_end_committed(now, &self.0, self.1, answer);
    }
}

/// The group's offset of a queue.
#[derive(Clone, Debug)]
pub(crate) struct GroupOffset(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for GroupOffset {
    type Answer = Option<u64>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_group_offset(now, self.0, self.1, answer);
    }
}

/// The group's offset of a queue that is to be claimed.
#[derive(Clone, Debug)]
pub(crate) struct FormerOffset(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for FormerOffset {
    type Answer = Option<u64>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_former_offset(now, self.0, self.1, answer);
    }
}

/// Where a group without an offset begins.
#[derive(Clone, Debug)]
pub(crate) struct FirstOffset(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for FirstOffset {
    type Answer = Option<u64>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_first_offset(now, self.0, self.1, answer);
    }
}

/// Messages of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pull(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for Pull {
    type Answer = Pulled;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_pulled(now, self.0, self.1, answer);
    }
}

/// Whether the offsets of a queue are reset that began with this ticket: other pulls are under way for its messages.
#[derive(Clone, Debug)]
pub(crate) struct OvertakenPull(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for OvertakenPull {
    type Answer = Pulled;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_overtaken(now, self.0, self.1, answer);
    }
}

/// That a queue's offset is committed.
#[derive(Clone, Debug)]
pub(crate) struct Commit(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for Commit {
    type Answer = ();

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<(), Error>) {
        consumer.take_committed(now, self.0, self.1, answer);
    }
}

/// Locks on queues of one broker.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) ticket: Ticket,
    pub(crate) queues: Vec<(QueueId, MessageQueue)>,
    pub(crate) at: Instant,
}

impl Asked for Lock {
    type Answer = SortedSet<MessageQueue>;

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<Self::Answer, Error>) {
        consumer.take_locked(now, self.ticket, (&self.queues, self.at), answer);
    }
}

/// That the lock of a queue that leaves goes back.
#[derive(Clone, Debug)]
pub(crate) struct Unlock(pub(crate) QueueId, pub(crate) Ticket);

impl Asked for Unlock {
    type Answer = ();

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<(), Error>) {
        consumer.take_unlocked(now, self.0, self.1, answer);
    }
}

/// That the message at this offset, fetched since the queue began with this ticket, is brought again later.
#[derive(Clone, Debug)]
pub(crate) struct SendBack(pub(crate) QueueId, pub(crate) Ticket, pub(crate) u64);

impl Asked for SendBack {
    type Answer = ();

    fn take(self, consumer: &mut PushConsumer, now: Now, answer: Result<(), Error>) {
        consumer.take_sent_back(now, self.0, self.1, self.2, answer);
    }
}
