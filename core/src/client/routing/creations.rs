//! Topics that are created for their first message: how far each broker is.

use std::sync::Arc;

use crate::client::base::ids::PeerId;
use crate::error::{Error, ErrorKind};
use crate::routes::route::TopicRoute;
use crate::wire::body::{self, TopicStatsTable};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// A topic that is being created.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) name: Arc<str>,
    /// The default topic's, cut to what the topic is to have.
    pub(crate) route: TopicRoute,
    /// How many queues it gets at each broker.
    pub(crate) queues: u32,
    pub(crate) steps: Vec<Step>,
}

/// How far a broker is.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) broker_name: Arc<str>,
    pub(crate) peer: PeerId,
    pub(crate) state: State,
}

#[derive(Debug)]
pub(crate) enum State {
    /// It is being asked whether it has the topic.
    Asked,
    Creating,
    /// It has so many queues of it, from now on or already.
    Has {
        queues: u32,
        is_new: bool,
    },
    Failed(Error),
}

impl Step {
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Has { .. } | State::Failed(_))
    }
}

impl State {
    /// Where a broker is after this answer, if the topic gets so many queues.
    pub(crate) fn after(&self, answer: &Command, queues: u32) -> Self {
        match (self, ResponseCode(answer.code)) {
            (Self::Asked, ResponseCode::TOPIC_NOT_EXIST) => Self::Creating,
            (Self::Asked, ResponseCode::SUCCESS) => match body::from_slice::<TopicStatsTable>(&answer.body) {
                Ok(table) => Self::Has { queues: table.offset_table.len() as u32, is_new: false },
                Err(error) => Self::Failed(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
            },
            (_, ResponseCode::SUCCESS) => Self::Has { queues, is_new: true },
            (_, code) => Self::Failed(Error::refused(code, answer.remark.as_deref())),
        }
    }
}
