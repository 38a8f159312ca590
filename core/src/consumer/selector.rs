//! Which messages of a topic are wanted (`MessageSelector`, `FilterAPI`): by tags, or by SQL over the properties.

use core::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::wire::body::{ExpressionType, SubscriptionData, SubscriptionError};

/// Which messages a consumer wants. Cheap to clone.
///
/// ```
/// use stgclient_core::consumer::MessageSelector;
///
/// let paid: MessageSelector = "paid || refunded".parse()?;
/// assert!(paid.matches(Some("paid")) && !paid.matches(None));
/// let dear = MessageSelector::by_sql("amount > 100")?;
/// assert!(dear.matches(None)); // only the broker can tell
/// # Ok::<(), stgclient_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSelector(Arc<SubscriptionData>);

impl MessageSelector {
    /// Every message, those without a tag too.
    pub fn all() -> Self {
        Self(Arc::new(SubscriptionData { sub_string: "*".to_owned(), ..SubscriptionData::default() }))
    }

    /// Messages with one of these tags, `a || b`; `*` or nothing means every message.
    ///
    /// # Errors
    /// There is something in the expression, but no tag.
    pub fn by_tag(expression: &str) -> Result<Self, Error> {
        let described = |error: &SubscriptionError| format!("{error}; `*` means every message");
        Self::parsed(SubscriptionData::by_tags("", expression), described)
    }

    /// Messages that an SQL92 expression over their properties selects, such as `amount > 100 AND region = 'north'`. The
    /// broker has to be set up for it (`enablePropertyFilter`).
    ///
    /// # Errors
    /// The expression is empty. Whether it is SQL only brokers know.
    pub fn by_sql(expression: &str) -> Result<Self, Error> {
        Self::parsed(SubscriptionData::by_sql("", expression), ToString::to_string)
    }

    fn parsed(
        parsed: Result<SubscriptionData, SubscriptionError>,
        described: impl FnOnce(&SubscriptionError) -> String,
    ) -> Result<Self, Error> {
        let invalid = |error| Error::new(ErrorKind::InvalidArgument, described(&error));
        parsed.map(|parsed| Self(Arc::new(parsed))).map_err(invalid)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.0.sub_string
    }

    /// What kind of expression it is.
    pub fn expression_type(&self) -> &ExpressionType {
        &self.0.expression_type
    }

    /// Whether a message with this tag is wanted as far as a client can tell, by the tag's exact text: brokers compare
    /// hashes only, and two tags may share one. SQL selects at the broker alone.
    pub fn matches(&self, tag: Option<&str>) -> bool {
        self.0.selects(tag)
    }

    /// Whether no message is left out, so that its tag need not be looked for.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.tags_set.is_empty()
    }

    /// The subscription of `topic` by it, as heartbeats have it.
    pub(crate) fn subscription(&self, topic: &str, version: u64) -> SubscriptionData {
        SubscriptionData { topic: topic.to_owned(), sub_version: version as i64, ..SubscriptionData::clone(&self.0) }
    }
}

/// What says which messages are wanted: a [`MessageSelector`], or a text of tags, `a || b` or `*`.
pub trait Selects {
    /// The selector.
    ///
    /// # Errors
    /// The text has something in it, but no tag.
    fn selector(self) -> Result<MessageSelector, Error>;
}

impl Selects for MessageSelector {
    fn selector(self) -> Result<MessageSelector, Error> {
        Ok(self)
    }
}

impl Selects for &MessageSelector {
    fn selector(self) -> Result<MessageSelector, Error> {
        Ok(self.clone())
    }
}

impl Selects for &str {
    fn selector(self) -> Result<MessageSelector, Error> {
        MessageSelector::by_tag(self)
    }
}

impl Selects for &String {
    fn selector(self) -> Result<MessageSelector, Error> {
        MessageSelector::by_tag(self)
    }
}

impl Default for MessageSelector {
    fn default() -> Self {
        Self::all()
    }
}

impl FromStr for MessageSelector {
    type Err = Error;

    /// By tags.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::by_tag(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::java;

    #[test]
    fn two_tags_of_one_hash_are_told_apart() {
        let wanted: MessageSelector = "AaAa".parse().unwrap();
        assert_eq!(java::string_hash("AaAa"), java::string_hash("BBBB"));
        assert!(wanted.matches(Some("AaAa")));
        assert!(!wanted.matches(Some("BBBB")));
        assert!(!wanted.matches(None));
    }

    #[test]
    fn a_star_or_nothing_wants_every_message() {
        for text in ["*", ""] {
            let all: MessageSelector = text.parse().unwrap();
            assert!(all.matches(None) && all.matches(Some("a")));
            assert_eq!(all.as_str(), "*");
        }
        assert!("||".parse::<MessageSelector>().is_err());
    }

    #[test]
    fn sql_is_left_to_the_broker() {
        let dear = MessageSelector::by_sql("amount > 100").unwrap();
        assert!(dear.matches(None) && dear.matches(Some("a")));
        assert_eq!((dear.as_str(), dear.expression_type()), ("amount > 100", &ExpressionType::Sql92));
        assert!(MessageSelector::by_sql("").is_err());
    }
}
