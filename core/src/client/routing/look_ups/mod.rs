//! Look-ups at the name servers: what is asked, on whose behalf, and who has been tried. One file a kind, with its rule; a new
//! kind has a file here and a name in `kinds!`.

mod clusters;
mod project_group;
mod route_of;
mod sign_of_life;
mod topic_names;

pub(crate) use clusters::Clusters;
pub(crate) use project_group::ProjectGroup;
pub(crate) use route_of::{RouteOf, topic_not_found};
pub(crate) use sign_of_life::SignOfLife;
pub(crate) use topic_names::TopicNames;

use crate::address::Address;
use crate::client::base::ids::{CallKind, Owner};
use crate::client::base::value::{Given, Outcome};
use crate::error::{Attempt, Error, ErrorKind};
use crate::notice::Notices;
use crate::routes::topics::TopicId;
use crate::table::Table;
use crate::time::{Deadlines, Instant};
use crate::wire::body;
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::json::Readable;

/// The rule of a kind of look-up.
pub(crate) trait LookUp: Into<NameServerQuestion> {
    /// What it is asked by.
    const CODE: RequestCode;

    /// Whether another name server may know what one does not: they forget topics when they start.
    const MAY_BE_KNOWN_ELSEWHERE: bool = false;

    /// What the answer says.
    type Gives: Given;

    /// The question in words, for errors.
    fn words(&self) -> String;

    /// Has its header written.
    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader));

    /// Reads the answer, or why there is none.
    fn read(&self, notices: &mut Notices, answer: Result<&Command, Error>) -> Result<Self::Gives, Error>;
}

/// Makes a question of the kinds that there are.
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// What a name server is asked.
        #[derive(Clone, Debug)]
        pub(crate) enum NameServerQuestion {
            $($kind($kind),)*
        }

        $(impl From<$kind> for NameServerQuestion {
            fn from(question: $kind) -> Self {
                Self::$kind(question)
            }
        })*

        impl NameServerQuestion {
            pub(crate) const fn code(&self) -> RequestCode {
                match self {
                    $(Self::$kind(_) => $kind::CODE,)*
                }
            }

            pub(crate) const fn may_be_known_elsewhere(&self) -> bool {
                match self {
                    $(Self::$kind(_) => $kind::MAY_BE_KNOWN_ELSEWHERE,)*
                }
            }

            pub(crate) fn words(&self) -> String {
                match self {
                    $(Self::$kind(question) => question.words(),)*
                }
            }

            pub(crate) fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
                match self {
                    $(Self::$kind(question) => question.write(write),)*
                }
            }

            pub(crate) fn read(&self, notices: &mut Notices, answer: Result<Command, Error>) -> Outcome {
                let answer = answer.as_ref().map_err(Clone::clone);
                let outcome = match self {
                    $(Self::$kind(question) => question.read(notices, answer.clone()).map(Into::into),)*
                };
                if let Ok(command) = answer {
                    notices.note_odd("question", self.words(), &command.odd);
                }
                outcome
            }
        }
    };
}

kinds! { RouteOf SignOfLife Clusters TopicNames ProjectGroup }

/// Who wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seeker {
    Operation(Owner),
    /// The table of routes, about this topic.
    Topic(TopicId),
    /// The table of routes, about the default topic on behalf of this unknown one.
    DefaultTopic(TopicId),
}

/// A look-up under way.
#[derive(Debug)]
pub(crate) struct NameServerCall {
    pub(crate) question: NameServerQuestion,
    pub(crate) seeker: Seeker,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// Those asked already, the current one last.
    pub(crate) tried: Vec<Address>,
    pub(crate) attempts: Vec<Attempt>,
    /// How one refused who does not know the topic: another may. They forget topics when they start.
    pub(crate) absence: Option<Error>,
    /// Why those asked cannot be asked later either, TLS that failed or servers that are no name servers, as long as nothing else was wrong.
    pub(crate) lasting: Option<Error>,
    /// What the last one did that failed.
    pub(crate) last_failure: Option<Error>,
    /// When the current one has used up its share of the time.
    pub(crate) try_deadline: Instant,
}

/// The look-ups under way.
#[derive(Debug, Default)]
pub(crate) struct NameServerCalls {
    pub(crate) table: Table<NameServerCall, CallKind>,
    pub(crate) timers: Deadlines,
}

impl NameServerCalls {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }
}

fn read_body<T: Readable>(answer: Result<&Command, Error>) -> Result<T, Error> {
    let malformed = |error: body::BodyError| Error::new(ErrorKind::MalformedAnswer, error.to_string());
    answer.and_then(|command| command.read_body().map_err(malformed))
}
