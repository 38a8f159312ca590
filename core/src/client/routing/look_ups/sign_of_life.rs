//! Anything that costs little: whatever the answer is, it is a sign of life.

use std::borrow::Cow;

use crate::client::routing::look_ups::LookUp;
use crate::error::{Error, ErrorKind};
use crate::notice::Notices;
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::request::{GetRouteInfo, Request};

#[derive(Clone, Debug)]
pub(crate) struct SignOfLife {
    /// One that servers mostly have.
    pub(crate) topic: &'static str,
}

impl LookUp for SignOfLife {
    const CODE: RequestCode = GetRouteInfo::CODE;

    type Gives = ();

    fn words(&self) -> String {
        "connect".to_owned()
    }

    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
        write(&GetRouteInfo { topic: Cow::Borrowed(self.topic), accept_standard_json_only: Some(true) });
    }

    fn read(&self, _notices: &mut Notices, answer: Result<&Command, Error>) -> Result<(), Error> {
        alive(answer).map(drop)
    }
}

/// Any answer is a sign of life, that there is no such topic or project too.
pub(super) fn alive(answer: Result<&Command, Error>) -> Result<Option<&Command>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(None),
        Err(error) => Err(error),
    }
}
