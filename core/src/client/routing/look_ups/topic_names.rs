//! The names of all topics.

use crate::client::routing::look_ups::{LookUp, read_body};
use crate::error::Error;
use crate::notice::Notices;
use crate::wire::body::TopicList;
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::fields::WriteHeader;
use crate::wire::request::{GetTopicList, Request};

#[derive(Clone, Debug)]
pub(crate) struct TopicNames;

impl LookUp for TopicNames {
    const CODE: RequestCode = GetTopicList::CODE;

    type Gives = Vec<String>;

    fn words(&self) -> String {
        "topic list".to_owned()
    }

    fn write(&self, write: &mut dyn FnMut(&dyn WriteHeader)) {
        write(&GetTopicList {});
    }

    /// Sorted.
    fn read(&self, _notices: &mut Notices, answer: Result<&Command, Error>) -> Result<Vec<String>, Error> {
        let list: TopicList = read_body(answer)?;
        Ok(list.topic_list.into_iter().collect())
    }
}
