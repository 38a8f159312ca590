//! Tag expressions: `*`, or tags joined by `||` (`FilterAPI.buildSubscriptionData`).

use core::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::wire::body::SubscriptionData;

/// Which tags a consumer wants. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagExpression(Arc<SubscriptionData>);

impl TagExpression {
    /// Every message, those without a tag too.
    pub fn all() -> Self {
        Self(Arc::new(SubscriptionData { sub_string: "*".to_owned(), ..SubscriptionData::default() }))
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.0.sub_string
    }

    /// Whether a message with this tag is wanted, by its exact text: brokers compare hashes only, and two tags may
    /// share one.
    pub fn matches(&self, tag: Option<&str>) -> bool {
        self.0.selects(tag)
    }
}

impl Default for TagExpression {
    fn default() -> Self {
        Self::all()
    }
}

impl FromStr for TagExpression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = SubscriptionData::by_tags("", text);
        parsed
            .map(|parsed| Self(Arc::new(parsed)))
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("{error}; `*` means every message")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::java;

    #[test]
    fn two_tags_of_one_hash_are_told_apart() {
        let wanted: TagExpression = "AaAa".parse().unwrap();
        assert_eq!(java::string_hash("AaAa"), java::string_hash("BBBB"));
        assert!(wanted.matches(Some("AaAa")));
        assert!(!wanted.matches(Some("BBBB")));
        assert!(!wanted.matches(None));
    }

    #[test]
    fn a_star_or_nothing_wants_every_message() {
        for text in ["*", ""] {
            let all: TagExpression = text.parse().unwrap();
            assert!(all.matches(None) && all.matches(Some("a")));
            assert_eq!(all.as_str(), "*");
        }
        assert!("||".parse::<TagExpression>().is_err());
    }
}
