//! Heartbeats: what a client tells every broker about its groups (`HeartbeatData`), the body of HEART_BEAT.

use serde::{Deserialize, Serialize};

use super::{SubscriptionData, null_as_default};
use crate::wire::dialect::Dialect;
use crate::wire::java;

mod smartgo;

/// A client and its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// The client: `ip@instance`.
    #[serde(rename = "clientID", deserialize_with = "null_as_default")]
    pub client_id: String,
    /// Its consumer groups.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_data_set: Vec<ConsumerData>,
    /// The hash of the groups by which a broker knows that nothing has changed; 0: not used.
    pub heartbeat_fingerprint: i32,
    /// Its producer groups.
    #[serde(deserialize_with = "null_as_default")]
    pub producer_data_set: Vec<ProducerData>,
    /// Whether the groups are left out because the fingerprint says enough.
    pub without_sub: bool,
}

impl HeartbeatData {
    /// As the body of HEART_BEAT.
    pub fn encode(&self, dialect: Dialect) -> Vec<u8> {
        match dialect {
            Dialect::Apache => super::to_vec(self),
            Dialect::Smartgo => super::to_vec(&smartgo::Heartbeat::from(self)),
        }
    }

    /// The hash of the groups, by which a broker knows that nothing has changed
    /// (`HeartbeatData.computeHeartbeatFingerprint`): of the text without the client and without what may differ from one
    /// heartbeat to the next.
    pub fn fingerprint(&self) -> i32 {
        let mut data = Self { client_id: String::new(), heartbeat_fingerprint: 0, without_sub: false, ..self.clone() };
        for subscription in data.consumer_data_set.iter_mut().flat_map(|group| &mut group.subscription_data_set) {
            subscription.sub_version = 0;
        }
        java::string_hash(&String::from_utf8_lossy(&super::to_vec(&data)))
    }
}

/// A producer group of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// The group's name.
    #[serde(deserialize_with = "null_as_default")]
    pub group_name: String,
}

/// A consumer group of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where the group starts when it has no offset.
    #[serde(deserialize_with = "null_as_default")]
    pub consume_from_where: ConsumeFromWhere,
    /// How it fetches.
    #[serde(deserialize_with = "null_as_default")]
    pub consume_type: ConsumeType,
    /// The group's name.
    #[serde(deserialize_with = "null_as_default")]
    pub group_name: String,
    /// How its members share the messages.
    #[serde(deserialize_with = "null_as_default")]
    pub message_model: MessageModel,
    /// What it subscribes to.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Whether it belongs to a unit.
    pub unit_mode: bool,
}

/// How a group fetches its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Choice")]
#[non_exhaustive]
pub enum ConsumeType {
    /// When its program asks for them: a pull consumer.
    #[serde(rename = "CONSUME_ACTIVELY")]
    Actively,
    /// As soon as they are there: a push consumer.
    #[default]
    #[serde(rename = "CONSUME_PASSIVELY")]
    Passively,
    /// By POP.
    #[serde(rename = "CONSUME_POP")]
    Pop,
}

/// How the members of a group share the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", try_from = "Choice")]
#[non_exhaustive]
pub enum MessageModel {
    /// Every member gets all.
    Broadcasting,
    /// Every message goes to one member.
    #[default]
    Clustering,
}

/// Where a group starts on a queue of which it has no offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Choice")]
#[non_exhaustive]
pub enum ConsumeFromWhere {
    /// After the last message. The three that Java has deprecated mean the same.
    #[default]
    #[serde(rename = "CONSUME_FROM_LAST_OFFSET")]
    LastOffset,
    /// With the first message.
    #[serde(rename = "CONSUME_FROM_FIRST_OFFSET")]
    FirstOffset,
    /// With the first message stored at a time or after.
    #[serde(rename = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
}

/// One of several, by the name that Java writes or by the number that Go does: its place in Java's declaration.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Choice {
    Number(u64),
    Name(String),
}

impl Choice {
    /// Which of `names`, in the order of their declaration, is meant.
    fn among(&self, names: &[&str]) -> Result<usize, String> {
        let place = match self {
            Self::Number(number) => usize::try_from(*number).ok().filter(|number| *number < names.len()),
            Self::Name(name) => names.iter().position(|known| known == name),
        };
        place.ok_or_else(|| format!("{self:?} is none of {names:?}"))
    }
}

impl TryFrom<Choice> for ConsumeType {
    type Error = String;

    fn try_from(choice: Choice) -> Result<Self, String> {
        let place = choice.among(&["CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"])?;
        Ok([Self::Actively, Self::Passively, Self::Pop][place])
    }
}

impl TryFrom<Choice> for MessageModel {
    type Error = String;

    fn try_from(choice: Choice) -> Result<Self, String> {
        Ok([Self::Broadcasting, Self::Clustering][choice.among(&["BROADCASTING", "CLUSTERING"])?])
    }
}

impl TryFrom<Choice> for ConsumeFromWhere {
    type Error = String;

    fn try_from(choice: Choice) -> Result<Self, String> {
        let place = choice.among(&[
            "CONSUME_FROM_LAST_OFFSET",
            "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
            "CONSUME_FROM_MIN_OFFSET",
            "CONSUME_FROM_MAX_OFFSET",
            "CONSUME_FROM_FIRST_OFFSET",
            "CONSUME_FROM_TIMESTAMP",
        ])?;
        Ok(match place {
            4 => Self::FirstOffset,
            5 => Self::Timestamp,
            _ => Self::LastOffset,
        })
    }
}
