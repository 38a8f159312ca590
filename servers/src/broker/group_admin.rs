//! What administrators ask about groups: who is connected, who subscribes to what (`AdminBrokerProcessor`).

use serde_json::json;
use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::Now;
use stgclient_core::wire::body::{
    self, Connection, ConsumerConnections, ConsumerSubscription, GroupList, ProducerConnections, SubscriptionData,
    TopicList,
};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::FieldError;
use stgclient_core::wire::request::{
    GetConsumerConnections, GetProducerConnections, QuerySubscription, QueryTopicConsumers, QueryTopicsOfConsumer,
};

use super::super::peer::Peer;
use super::super::refusal::Refusal;
use super::Broker;
use super::groups::Member;

impl Broker {
    pub(super) fn consumer_connections(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetConsumerConnections<'_> = request.header()?;
        let group = self.groups.consumers(&header.consumer_group).ok_or_else(|| {
            let remark = format!("the consumer group[{}] not online", header.consumer_group);
            Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, remark)
        })?;
        let subscriptions = group.subscriptions().map(|data| (data.topic.clone(), data.clone()));
        let connections = ConsumerConnections {
            connection_set: connections(group.members()),
            consume_from_where: group.consume_from_where,
            consume_type: group.consume_type,
            message_model: group.message_model,
            subscription_table: subscriptions.collect(),
        };
        Ok(match self.dialect {
            Dialect::Apache => body::to_vec(&connections),
            Dialect::Smartgo => with_numbers(&connections),
        })
    }

    pub(super) fn producer_connections(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetProducerConnections<'_> = request.header()?;
        let members = self.groups.producers(&header.producer_group).ok_or_else(|| {
            let remark = format!("the producer group[{}] not exist", header.producer_group);
            Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
        })?;
        Ok(body::to_vec(&ProducerConnections { connection_set: connections(members) }))
    }

    /// The groups that subscribe to a topic, and those that have offsets of it.
    pub(super) fn topic_consumers(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: QueryTopicConsumers<'_> = request.header()?;
        let topic = &*header.topic;
        let subscribed = self.groups.subscribers(topic);
        let group_list = subscribed.chain(self.offsets.groups_of(topic)).map(str::to_owned).collect();
        Ok(body::to_vec(&GroupList { group_list }))
    }

    /// The topics that a group has offsets of.
    pub(super) fn topics_of_consumer(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: QueryTopicsOfConsumer<'_> = request.header()?;
        let topic_list = self.offsets.topics_of(&header.group).map(str::to_owned).collect();
        let broker_addr = (self.dialect == Dialect::Apache).then(|| self.config.address.clone());
        Ok(body::to_vec(&TopicList { broker_addr, topic_list }))
    }

    pub(super) fn subscription_of_consumer(&self, now: Now, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: QuerySubscription<'_> = request.header()?;
        if header.topic.is_none()
            && (self.groups.consumers(&header.group).is_some() || self.pulled.knows(&header.group))
        {
            return Err(FieldError::Missing { name: "topic" }.into());
        }
        let data = header.topic.as_deref().and_then(|topic| self.find_subscription(now, &header.group, topic)).cloned();
        Ok(body::to_vec(&ConsumerSubscription {
            group: header.group.into_owned(),
            subscription_data: data,
            topic: header.topic.map(std::borrow::Cow::into_owned),
        }))
    }
}

impl Broker {
    /// What a group subscribes to of a topic, or has pulled from it by (`ConsumerManager.findSubscriptionData`).
    pub(super) fn find_subscription(&self, now: Now, group: &str, topic: &str) -> Option<&SubscriptionData> {
        let subscribed = self.groups.consumers(group).and_then(|group| group.subscription(topic));
        subscribed.map(|known| &known.data).or_else(|| self.pulled.get(now.unix_ms, group, topic))
    }
}

fn connections(members: &SortedMap<Peer, Member>) -> SortedSet<Connection> {
    let connection = |member: &Member| Connection {
        client_addr: member.address.to_string(),
        client_id: member.client_id.to_string(),
        language: member.language.name().to_owned(),
        version: member.version,
    };
    members.values().map(connection).collect()
}

/// As smartgo's brokers write it: numbers in place of names, and no word of expressions.
fn with_numbers(connections: &ConsumerConnections) -> Vec<u8> {
    let subscriptions = connections.subscription_table.iter().map(|(topic, data)| {
        let data = json!({
            "classFilterMode": data.class_filter_mode,
            "topic": data.topic,
            "subString": data.sub_string,
            "tagsSet": data.tags_set,
            "codeSet": data.code_set,
            "subVersion": data.sub_version,
        });
        (topic.clone(), data)
    });
    let body = json!({
        "connectionSet": connections.connection_set,
        "subscriptionTable": subscriptions.collect::<SortedMap<_, _>>(),
        "consumeType": connections.consume_type.unwrap_or_default().number(),
        "messageModel": connections.message_model.unwrap_or_default().number(),
        "consumeFromWhere": connections.consume_from_where.unwrap_or_default().number(),
    });
    body.to_string().into_bytes()
}
