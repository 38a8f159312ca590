//! A heartbeat as smartgo's brokers read it: numbers in place of names, and nothing that came after RocketMQ 3.2.6.

use crate::sorted::SortedSet;

use serde::Serialize;

use super::{ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData};
use crate::wire::body::SubscriptionData;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heartbeat<'a> {
    #[serde(rename = "clientID")]
    client_id: &'a str,
    producer_data_set: &'a [ProducerData],
    consumer_data_set: Vec<Consumer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consumer<'a> {
    group_name: &'a str,
    consume_type: u8,
    message_model: u8,
    consume_from_where: u8,
    subscription_data_set: Vec<Subscription<'a>>,
    unit_mode: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription<'a> {
    class_filter_mode: bool,
    topic: &'a str,
    sub_string: &'a str,
    tags_set: &'a SortedSet<String>,
    code_set: &'a SortedSet<i32>,
    sub_version: i64,
}

impl ConsumeType {
    /// As Go writes it: its place in Java's declaration.
    pub const fn number(self) -> u8 {
        match self {
            Self::Actively => 0,
            Self::Passively => 1,
            Self::Pop => 2,
        }
    }
}

impl MessageModel {
    /// As Go writes it: its place in Java's declaration.
    pub const fn number(self) -> u8 {
        match self {
            Self::Broadcasting => 0,
            Self::Clustering => 1,
        }
    }
}

impl ConsumeFromWhere {
    /// As Go writes it: its place in Java's declaration.
    pub const fn number(self) -> u8 {
        match self {
            Self::LastOffset => 0,
            Self::FirstOffset => 4,
            Self::Timestamp => 5,
        }
    }
}

impl<'a> From<&'a HeartbeatData> for Heartbeat<'a> {
    fn from(data: &'a HeartbeatData) -> Self {
        Self {
            client_id: &data.client_id,
            producer_data_set: &data.producer_data_set,
            consumer_data_set: data.consumer_data_set.iter().map(Consumer::from).collect(),
        }
    }
}

impl<'a> From<&'a ConsumerData> for Consumer<'a> {
    fn from(group: &'a ConsumerData) -> Self {
        Self {
            group_name: &group.group_name,
            consume_type: group.consume_type.unwrap_or_default().number(),
            message_model: group.message_model.unwrap_or_default().number(),
            consume_from_where: group.consume_from_where.unwrap_or_default().number(),
            subscription_data_set: group.subscription_data_set.iter().map(Subscription::from).collect(),
            unit_mode: group.unit_mode,
        }
    }
}

impl<'a> From<&'a SubscriptionData> for Subscription<'a> {
    fn from(data: &'a SubscriptionData) -> Self {
        let SubscriptionData { class_filter_mode, topic, sub_string, tags_set, code_set, sub_version, .. } = data;
        Self { class_filter_mode: *class_filter_mode, topic, sub_string, tags_set, code_set, sub_version: *sub_version }
    }
}
