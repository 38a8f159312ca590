//! The project that the operators of smartgo's servers have given this host to, which its clients ask for when they start.

use core::error::Error as _;
use core::net::IpAddr;
use std::borrow::Cow;

use crate::client::routing::look_ups::LookUp;
use crate::client::routing::look_ups::sign_of_life::alive;
use crate::error::{Error, ErrorKind};
use crate::notice::{Notice, Notices};
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::request::{GetKvConfig, KvConfigAnswer, Request};

/// Where name servers keep which project a host belongs to (`NamesrvUtil.NAMESPACE_PROJECT_CONFIG`).
const PROJECT_CONFIG: &str = "PROJECT_CONFIG";

/// What it may mean that a server is connected and says nothing.
const SILENCE: &str = "smartgo's brokers say nothing to what only name servers know: is this a name server's address";

/// Whether the last that was asked has not answered.
fn is_silence(error: &Error) -> bool {
    let last = error.source().and_then(|source| source.downcast_ref::<Error>());
    last.is_some_and(|last| last.kind() == ErrorKind::Timeout)
}

#[derive(Clone, Debug)]
pub(crate) struct ProjectGroup {
    pub(crate) host: IpAddr,
}

impl LookUp for ProjectGroup {
    const CODE: RequestCode = GetKvConfig::CODE;

    type Gives = ();

    fn words(&self) -> String {
        "connect".to_owned()
    }

    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
        let key = Cow::Owned(self.host.to_string());
        write(&GetKvConfig { namespace: Cow::Borrowed(PROJECT_CONFIG), key });
    }

    fn read(&self, notices: &mut Notices, answer: Result<&Command, Error>) -> Result<(), Error> {
        let answer = alive(answer).map_err(|error| if is_silence(&error) { error.context(SILENCE) } else { error })?;
        let header = answer.and_then(|answer| answer.header::<KvConfigAnswer<'_>>().ok());
        let project = header.and_then(|header| header.value);
        if let Some(project) = project.filter(|project| !project.is_empty()) {
            // Smartgo's own client makes nothing of it either.
            let what = "this host belongs to a project; names of topics and groups stay as they are";
            notices.push(Notice::info(what).about("project", project));
        }
        Ok(())
    }
}
