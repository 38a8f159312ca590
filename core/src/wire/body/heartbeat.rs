//! Heartbeats: what a client tells every broker about its groups (`HeartbeatData`), the body of HEART_BEAT.

use serde::Serialize;

use super::{SubscriptionData, bodies};
use crate::wire::dialect::Dialect;
use crate::wire::java;
use crate::wire::json::{Json, Readable, place_of};
use crate::wire::odd::OddIn;

mod smartgo;

bodies! {
    /// A client and its groups.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    HeartbeatData {
        /// The client: `ip@instance`.
        client_id: "clientID" = String,
        /// Its consumer groups.
        consumer_data_set: "consumerDataSet" = Vec<ConsumerData>,
        /// The hash of the groups by which a broker knows that nothing has changed; 0: not used.
        heartbeat_fingerprint: "heartbeatFingerprint" = i32,
        /// Its producer groups.
        producer_data_set: "producerDataSet" = Vec<ProducerData>,
        /// Whether the groups are left out because the fingerprint says enough.
        without_sub: "withoutSub" = bool,
    }
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

bodies! {
    /// A producer group of a client.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ProducerData {
        /// The group's name.
        group_name: "groupName" = String,
    }

    /// A consumer group of a client.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerData {
        /// Where the group starts when it has no offset.
        #[serde(skip_serializing_if = "Option::is_none")]
        consume_from_where: "consumeFromWhere" = Option<ConsumeFromWhere>,
        /// How it fetches.
        #[serde(skip_serializing_if = "Option::is_none")]
        consume_type: "consumeType" = Option<ConsumeType>,
        /// The group's name.
        group_name: "groupName" = String,
        /// How its members share the messages.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_model: "messageModel" = Option<MessageModel>,
        /// What it subscribes to.
        subscription_data_set: "subscriptionDataSet" = Vec<SubscriptionData>,
        /// Whether it belongs to a unit.
        unit_mode: "unitMode" = bool,
    }
}

/// How a group fetches its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum MessageModel {
    /// Every member gets all.
    Broadcasting,
    /// Every message goes to one member.
    #[default]
    Clustering,
}

/// Where a group starts on a queue of which it has no offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

impl Readable for ConsumeType {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        let place = place_of(value, &["CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"], odd)?;
        Some([Self::Actively, Self::Passively, Self::Pop][place])
    }
}

impl Readable for MessageModel {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        Some([Self::Broadcasting, Self::Clustering][place_of(value, &["BROADCASTING", "CLUSTERING"], odd)?])
    }
}

impl Readable for ConsumeFromWhere {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        let names = [
            "CONSUME_FROM_LAST_OFFSET",
            "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
            "CONSUME_FROM_MIN_OFFSET",
            "CONSUME_FROM_MAX_OFFSET",
            "CONSUME_FROM_FIRST_OFFSET",
            "CONSUME_FROM_TIMESTAMP",
        ];
        place_of(value, &names, odd).map(|place| match place {
            4 => Self::FirstOffset,
            5 => Self::Timestamp,
            _ => Self::LastOffset,
        })
    }
}
