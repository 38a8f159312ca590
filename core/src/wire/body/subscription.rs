//! Subscriptions: a topic and the expression that selects its messages (`SubscriptionData`, `FilterAPI`).

use crate::sorted::SortedSet;

use serde::ser::{Serialize, Serializer};
use thiserror::Error;

use super::bodies;
use crate::wire::java;
use crate::wire::json::{Json, Readable};
use crate::wire::odd::OddIn;

bodies! {
    /// A topic and the expression that selects its messages.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    SubscriptionData {
        /// Whether a class filter selects, which no broker has any more.
        class_filter_mode: "classFilterMode" = bool,
        /// The Java hashes of the tags, which brokers compare first.
        code_set: "codeSet" = SortedSet<i32>,
        /// What kind of expression it is.
        expression_type: "expressionType" = ExpressionType,
        /// The expression as the user wrote it; `*` for everything; nothing where there is none.
        #[serde(skip_serializing_if = "String::is_empty")]
        sub_string: "subString" = String,
        /// When the subscription changed last, in milliseconds since 1970.
        sub_version: "subVersion" = i64,
        /// The tags, any of which selects a message; empty: all messages.
        tags_set: "tagsSet" = SortedSet<String>,
        /// The topic.
        topic: "topic" = String,
    }
}

/// The kinds of expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpressionType {
    /// Tags separated by `||`.
    #[default]
    Tag,
    /// SQL over the properties.
    Sql92,
    /// Something else that somebody has written.
    Other(Box<str>),
}

impl From<&str> for ExpressionType {
    fn from(name: &str) -> Self {
        match name {
            "TAG" => Self::Tag,
            "SQL92" => Self::Sql92,
            other => Self::Other(other.into()),
        }
    }
}

impl Readable for ExpressionType {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        String::read(value, odd).map(|name| Self::from(name.as_str()))
    }
}

impl Serialize for ExpressionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl ExpressionType {
    /// The name that requests carry.
    pub fn name(&self) -> &str {
        match self {
            Self::Tag => "TAG",
            Self::Sql92 => "SQL92",
            Self::Other(name) => name,
        }
    }

    /// Whether it is an expression of tags, which it is also where nothing is said (`ExpressionType.isTagType`).
    pub fn is_tag(&self) -> bool {
        matches!(self.name(), "TAG" | "")
    }
}

/// Why an expression cannot be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// A tag expression without a tag. (Java refuses `||` and takes `|| ` for everything.)
    #[error("no tag in the expression {expression:?}")]
    NoTag {
        /// The expression.
        expression: String,
    },
    /// An empty SQL expression.
    #[error("an empty SQL expression")]
    NoSql,
}

impl SubscriptionData {
    /// Subscribes to `topic` by tags: `a || b`, or `*` or nothing for all messages. The version is 0.
    ///
    /// # Errors
    /// There is something in the expression, but no tag.
    pub fn by_tags(topic: &str, expression: &str) -> Result<Self, SubscriptionError> {
        let mut subscription = Self { topic: topic.to_owned(), sub_string: "*".to_owned(), ..Self::default() };
        if expression.is_empty() || expression == "*" {
            return Ok(subscription);
        }
        let tags = || expression.split("||").map(trim).filter(|tag| !tag.is_empty());
        subscription.tags_set = tags().map(str::to_owned).collect();
        subscription.code_set = tags().map(java::string_hash).collect();
        if subscription.tags_set.is_empty() {
            return Err(SubscriptionError::NoTag { expression: expression.to_owned() });
        }
        expression.clone_into(&mut subscription.sub_string);
        Ok(subscription)
    }

    /// Subscribes to `topic` by SQL over the properties. The version is 0.
    ///
    /// # Errors
    /// The expression is empty. Whether it is SQL only brokers know.
    pub fn by_sql(topic: &str, expression: &str) -> Result<Self, SubscriptionError> {
        if expression.is_empty() {
            return Err(SubscriptionError::NoSql);
        }
        Ok(Self {
            topic: topic.to_owned(),
            sub_string: expression.to_owned(),
            expression_type: ExpressionType::Sql92,
            ..Self::default()
        })
    }

    /// Whether a message with this tag is selected. Brokers compare hashes only, so a client has to look again
    /// (`PullAPIWrapper.processPullResult`). SQL selects on the broker alone.
    pub fn selects(&self, tag: Option<&str>) -> bool {
        self.tags_set.is_empty() || tag.is_some_and(|tag| self.tags_set.contains(tag))
    }
}

/// `String.trim`: without the spaces and control characters around it.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}
