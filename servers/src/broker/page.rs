//! A part of a broker's topics or groups, for who would not have all of them at once (`TopicConfigManager.subTopicConfigTable`,
//! `SubscriptionGroupManager.subGroupTable`).

use stgclient_core::wire::body::{self, DataVersion};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};

use super::super::refusal::Refusal;

/// How much one page has at the most (`splitMetadataSize`).
const MOST: usize = 2000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    All,
    /// So many from this one on, if they are still those of this version.
    Part {
        version: Option<DataVersion>,
        begin: usize,
        most: usize,
    },
}

/// The header of the answer: how many there are in all.
pub(super) struct Total {
    pub(super) name: &'static str,
    pub(super) total: usize,
}

impl Page {
    /// What a request asks for that says where the page begins, and how much it has at the most, in these fields.
    ///
    /// # Errors
    /// It says something and not where the page begins, with which Java does not reckon.
    pub(super) fn of(request: &Command, begin: &str, most: &str) -> Result<Self, Refusal> {
        let number = |name: &str| request.fields.get(name).and_then(|text| text.parse::<i32>().ok());
        let version = request.fields.get("dataVersion");
        let (begin, most) = (number(begin), number(most));
        if version.is_none() && begin.is_none() && most.is_none() {
            return Ok(Self::All);
        }
        let begin = begin.ok_or_else(|| Refusal::thrown("NullPointerException: no beginning of the page"))?;
        let version = match version.filter(|text| !text.trim().is_empty() && text != "null") {
            None => None,
            Some(text) => Some(body::from_slice(text.as_bytes()).map_err(Refusal::malformed_body)?),
        };
        let most = match most.map(usize::try_from) {
            None => MOST,
            Some(Ok(most @ 1..)) => most.min(MOST),
            // Of what would be its last one there is none.
            Some(_) => return Err(Refusal::thrown("IndexOutOfBoundsException: an empty page")),
        };
        Ok(Self::Part { version, begin: usize::try_from(begin).unwrap_or_default(), most })
    }

    /// Of all, which are of this version, those that are asked for.
    pub(super) fn of_all<T>(self, current: DataVersion, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let (begin, most) = match self {
            Self::All => (0, usize::MAX),
            Self::Part { version, begin, most } if version == Some(current) => (begin, most),
            Self::Part { most, .. } => (0, most),
        };
        all.skip(begin).take(most)
    }
}

impl WriteHeader for Total {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        writer.integer(self.name, self.total as i64);
    }
}
