//! A topic's route.

use std::borrow::Cow;
use std::sync::Arc;

use crate::client::routing::look_ups::LookUp;
use crate::client::routing::routes::read_route;
use crate::error::{Error, ErrorKind};
use crate::notice::Notices;
use crate::routes::route::TopicRoute;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::request::{GetRouteInfo, Request};

#[derive(Clone, Debug)]
pub(crate) struct RouteOf {
    pub(crate) topic: Arc<str>,
}

impl LookUp for RouteOf {
    const CODE: RequestCode = GetRouteInfo::CODE;
    const MAY_BE_KNOWN_ELSEWHERE: bool = true;

    type Gives = TopicRoute;

    fn words(&self) -> String {
        format!("route of topic {}", self.topic)
    }

    /// Servers from 4.9.4 on send strict JSON to our version anyway; the flag says so to the others.
    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
        write(&GetRouteInfo { topic: Cow::Borrowed(&self.topic), accept_standard_json_only: Some(true) });
    }

    fn read(&self, _notices: &mut Notices, answer: Result<&Command, Error>) -> Result<TopicRoute, Error> {
        answer.map_err(topic_not_found).and_then(read_route).map(|(route, _)| route)
    }
}

/// What a name server's answer about a route means when it is an error.
pub(crate) fn topic_not_found(error: Error) -> Error {
    match error.code() {
        Some(ResponseCode::TOPIC_NOT_EXIST) => Error::new(ErrorKind::TopicNotFound, ""),
        _ => error,
    }
}
