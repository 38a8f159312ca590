//! What is asked about a queue, or of its broker: one file a kind, with its rule. A new kind has a file here and a name in
//! `kinds!`.

mod among_committed;
mod check_subscription;
mod commit;
mod group_offset;
mod lock;
mod max_offset;
mod members;
mod min_offset;
mod offset_at;
mod pull;
mod send_back;
mod unlock;

pub(crate) use among_committed::AmongCommitted;
pub(crate) use check_subscription::CheckSubscription;
pub(crate) use commit::Commit;
pub(crate) use group_offset::GroupOffset;
pub(crate) use lock::Lock;
pub(crate) use max_offset::MaxOffset;
pub(crate) use members::Members;
pub(crate) use min_offset::MinOffset;
pub(crate) use offset_at::OffsetAt;
pub(crate) use pull::Pull;
pub(crate) use send_back::SendBack;
pub(crate) use unlock::Unlock;

use crate::address::Address;
use crate::client::base::value::{Given, Outcome};
use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::presence::first_commits::OffsetTable;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::time::{Duration, Now};
use crate::wire::command::Command;

/// When something else is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    AtOnce,
    /// After a pause.
    Later,
}

/// The rule of a kind of question.
pub(crate) trait Rule: Into<Question> {
    /// What its answer says.
    type Gives: Given;

    /// The question in words, for errors; the queue follows.
    const WORDS: &'static str;

    /// How long it may take at the most, whatever the time-out of requests.
    const MOST: Duration = Duration::MAX;

    /// Writes the request. Returns whether its connection stands.
    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool;

    /// Writes the request to the broker of a queue, if there is a connection to it, and says that no answer is wanted.
    fn tell(&self, session: &mut Session, now: Now, queue: &MessageQueue) {
        if let Some(address) = self.address(session, queue).cloned() {
            let peer = session.network.peer(&address);
            self.write(session, now, queue, &Exchange { peer, awaited: None });
        }
    }

    /// What an answer means.
    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<Self::Gives, Error>;

    /// Where the member of the broker listens that is asked: the master, or whoever else may be read from.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        session.brokers.find(&queue.broker_name)?.readable(MASTER_ID)
    }

    /// What is asked instead, because the answer does not say it yet.
    fn again(&self, _session: &Session, _now: Now, _answer: &Command) -> Option<(Question, Pace)> {
        None
    }

    /// Nothing came of it.
    fn failed(&self, _session: &mut Session, _queue: &MessageQueue) {}

    /// It may wait at the broker for long, and may be given up at any time.
    fn is_pull(&self) -> bool {
        false
    }

    /// It counts on a lock, which the broker's master has granted on the connection of now, and which ends with that.
    fn needs_lock(&self) -> bool {
        false
    }

    /// It is asked again while the broker is too busy to answer it, also for a consumer, who asks once only.
    fn rides_out(&self) -> bool {
        false
    }

    /// It is not tried again when its connection ends.
    fn is_tried_once(&self) -> bool {
        false
    }

    /// Where what it commits is kept.
    fn commits_to(&self, _queue: &MessageQueue) -> Option<OffsetTable> {
        None
    }

    /// The group of ours that a broker has to have heard of before it is asked.
    fn greeted_group(&self) -> Option<&str> {
        None
    }

    /// The group that a broker may not know yet, though it is being told: it takes heartbeats and requests in side by side.
    fn young_group(&self) -> Option<&str> {
        None
    }
}

/// Makes a question of the kinds that there are.
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// What is asked about a queue, or of its broker.
        #[derive(Debug)]
        pub(crate) enum Question {
            $($kind($kind),)*
        }

        $(impl From<$kind> for Question {
            fn from(question: $kind) -> Self {
                Self::$kind(question)
            }
        })*

        impl Question {
            pub(crate) const fn words(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $kind::WORDS,)*
                }
            }

            pub(crate) fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
                match self {
                    $(Self::$kind(question) => question.address(session, queue),)*
                }
            }

            pub(crate) fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
                match self {
                    $(Self::$kind(question) => question.write(session, now, queue, exchange),)*
                }
            }

            pub(crate) fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Outcome {
                match self {
                    $(Self::$kind(question) => question.judge(session, answered).map(Into::into),)*
                }
            }

            pub(crate) fn again(&self, session: &Session, now: Now, answer: &Command) -> Option<(Self, Pace)> {
                match self {
                    $(Self::$kind(question) => question.again(session, now, answer),)*
                }
            }

            pub(crate) fn failed(&self, session: &mut Session, queue: &MessageQueue) {
                match self {
                    $(Self::$kind(question) => question.failed(session, queue),)*
                }
            }

            pub(crate) fn is_pull(&self) -> bool {
                match self {
                    $(Self::$kind(question) => question.is_pull(),)*
                }
            }

            pub(crate) fn needs_lock(&self) -> bool {
                match self {
                    $(Self::$kind(question) => question.needs_lock(),)*
                }
            }

            pub(crate) fn rides_out(&self) -> bool {
                match self {
                    $(Self::$kind(question) => question.rides_out(),)*
                }
            }

            pub(crate) fn is_tried_once(&self) -> bool {
                match self {
                    $(Self::$kind(question) => question.is_tried_once(),)*
                }
            }

            pub(crate) fn commits_to(&self, queue: &MessageQueue) -> Option<OffsetTable> {
                match self {
                    $(Self::$kind(question) => question.commits_to(queue),)*
                }
            }

            pub(crate) fn greeted_group(&self) -> Option<&str> {
                match self {
                    $(Self::$kind(question) => question.greeted_group(),)*
                }
            }

            pub(crate) fn young_group(&self) -> Option<&str> {
                match self {
                    $(Self::$kind(question) => question.young_group(),)*
                }
            }
        }
    };
}

kinds! {
    Pull MinOffset MaxOffset OffsetAt GroupOffset AmongCommitted Commit Members CheckSubscription Lock Unlock SendBack
}
