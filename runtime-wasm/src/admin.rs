//! Topics, offsets and clusters.

use js_sys::{Array, Object};
use stgclient::{Admin, ConsumeFrom, MessageQueue, Permission, Placement, ReceivedMessage};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calls;
use crate::failure;
use crate::messages;
use crate::pull::OffsetKind;
use crate::values::{self, object, optional, set};

#[wasm_bindgen]
pub struct WasmAdmin(Admin);

impl WasmAdmin {
    pub(crate) const fn new(admin: Admin) -> Self {
        Self(admin)
    }
}

/// Where a topic is made or deleted: at a cluster or a broker, by its name or its address, if given.
fn placement(cluster: Option<String>, broker: Option<String>) -> Result<Placement, stgclient::Error> {
    Ok(match (cluster, broker) {
        (Some(cluster), None) => Placement::Cluster(cluster),
        (None, Some(broker)) if broker.contains(':') => {
            Placement::Address(broker.parse().map_err(|_| failure::invalid("the broker's address is none"))?)
        }
        (None, Some(broker)) => Placement::Broker(broker),
        (None, None) => Placement::Everywhere,
        (Some(_), Some(_)) => return Err(failure::invalid("a topic is made at a cluster or at a broker, not at both")),
    })
}

fn found(message: Option<ReceivedMessage>) -> JsValue {
    message.map_or(JsValue::UNDEFINED, |message| messages::received(&message))
}

#[wasm_bindgen]
impl WasmAdmin {
    #[wasm_bindgen(js_name = createTopic)]
    pub fn create_topic(
        &self,
        call: u32,
        topic: String,
        queues: Option<u32>,
        permission: Option<u32>,
        cluster: Option<String>,
        broker: Option<String>,
    ) {
        let mut creating = self.0.create_topic(&topic);
        if let Some(queues) = queues {
            creating = creating.queues(queues);
        }
        match permission {
            Some(2) => creating = creating.permission(Permission::WRITE),
            Some(4) => creating = creating.permission(Permission::READ),
            _ => {}
        }
        let placement = placement(cluster, broker);
        calls::begin(call, async move {
            creating.at(placement?).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    #[wasm_bindgen(js_name = deleteTopic)]
    pub fn delete_topic(&self, call: u32, topic: String, cluster: Option<String>, broker: Option<String>) {
        let deleting = self.0.delete_topic(&topic);
        let placement = placement(cluster, broker);
        calls::begin(call, async move {
            deleting.at(placement?).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    pub fn topics(&self, call: u32) {
        let admin = self.0.clone();
        calls::begin(call, async move { Ok(values::texts(admin.topic_list().await?)) });
    }

    pub fn groups(&self, call: u32) {
        let admin = self.0.clone();
        calls::begin(call, async move { Ok(values::texts(admin.groups().await?)) });
    }

    pub fn route(&self, call: u32, topic: String) {
        let admin = self.0.clone();
        calls::begin(call, async move {
            let route = admin.topic_route(&topic).await?;
            let brokers = route.brokers.iter().map(|broker| {
                let addresses = Object::new();
                for (id, address) in &broker.addresses {
                    set(&addresses, &id.to_string(), &address.to_string().into());
                }
                object([
                    ("name", (&*broker.name).into()),
                    ("cluster", (&*broker.cluster).into()),
                    ("addresses", addresses.into()),
                ])
            });
            let writable = route.writable().into_iter();
            let writable =
                writable.map(|(broker, id)| values::queue(&MessageQueue::new(topic.as_str(), &**broker, id)));
            let queues = route.queues.iter().map(|queues| {
                object([
                    ("brokerName", (&*queues.broker_name).into()),
                    ("readQueues", queues.read.into()),
                    ("writeQueues", queues.write.into()),
                    ("isReadable", queues.permission.is_readable().into()),
                    ("isWritable", queues.permission.is_writable().into()),
                ])
            });
            Ok(object([
                ("brokers", brokers.collect::<Array>().into()),
                ("queues", queues.collect::<Array>().into()),
                ("writableQueues", writable.collect::<Array>().into()),
            ]))
        });
    }

    pub fn statistics(&self, call: u32, topic: String) {
        let admin = self.0.clone();
        calls::begin(call, async move {
            let statistics = admin.topic_statistics(&topic).await?;
            let queues = statistics.queues.iter().map(|(queue, found)| {
                object([
                    ("queue", values::queue(queue)),
                    ("minOffset", found.min_offset.into()),
                    ("maxOffset", found.max_offset.into()),
                    ("lastUpdate", (found.last_update_timestamp as f64).into()),
                ])
            });
            Ok(queues.collect::<Array>().into())
        });
    }

    pub fn lag(&self, call: u32, group: String) {
        let admin = self.0.clone();
        calls::begin(call, async move {
            let lag = admin.lag(&group).await?;
            let queues = lag.queues.iter().map(|(queue, of_queue)| {
                object([
                    ("queue", values::queue(queue)),
                    ("brokerOffset", of_queue.broker_offset.into()),
                    ("consumerOffset", of_queue.consumer_offset.into()),
                    ("lag", of_queue.lag().into()),
                ])
            });
            Ok(object([("total", lag.total().into()), ("queues", queues.collect::<Array>().into())]))
        });
    }

    pub fn cluster(&self, call: u32) {
        let admin = self.0.clone();
        calls::begin(call, async move {
            let info = admin.cluster_info().await?;
            let (clusters, brokers) = (Object::new(), Object::new());
            for (name, members) in &info.cluster_addr_table {
                set(&clusters, name, &values::texts(members.iter().cloned()));
            }
            for (name, broker) in &info.broker_addr_table {
                let addresses = Object::new();
                for (id, address) in &broker.broker_addrs {
                    set(&addresses, &id.to_string(), &address.to_string().into());
                }
                set(&brokers, name, &addresses);
            }
            Ok(object([("clusters", clusters.into()), ("brokers", brokers.into())]))
        });
    }

    #[allow(clippy::too_many_arguments)]
    pub fn offset(
        &self,
        call: u32,
        kind: OffsetKind,
        group: String,
        topic: &str,
        broker: &str,
        queue_id: u32,
        unix_ms: f64,
    ) {
        let admin = self.0.clone();
        let queue = MessageQueue::new(topic, broker, queue_id);
        calls::begin(call, async move {
            Ok(match kind {
                OffsetKind::Min => admin.min_offset(&queue).await?.into(),
                OffsetKind::Max => admin.max_offset(&queue).await?.into(),
                OffsetKind::At => admin.offset_at(&queue, unix_ms as u64).await?.into(),
                OffsetKind::Committed => optional(admin.group_offset(&group, &queue).await?),
            })
        });
    }

    pub fn commit(&self, call: u32, group: String, topic: &str, broker: &str, queue_id: u32, offset: u64) {
        let admin = self.0.clone();
        let queue = MessageQueue::new(topic, broker, queue_id);
        calls::begin(call, async move {
            admin.commit_group_offset(&group, &queue, offset).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    /// To the end, or to the first message, if the moment is negative, or to the first stored at it, ms since 1970 UTC, or later.
    #[wasm_bindgen(js_name = resetOffsets)]
    pub fn reset_offsets(&self, call: u32, group: String, topic: String, unix_ms: Option<f64>) {
        let admin = self.0.clone();
        let to = match unix_ms {
            None => ConsumeFrom::LastOffset,
            Some(ms) if ms < 0.0 => ConsumeFrom::FirstOffset,
            Some(ms) => ConsumeFrom::Timestamp(ms as u64),
        };
        calls::begin(call, async move {
            let offsets = admin.reset_offsets(&group, &topic, to).await?;
            let offsets = offsets
                .iter()
                .map(|(queue, offset)| object([("queue", values::queue(queue)), ("offset", (*offset).into())]));
            Ok(offsets.collect::<Array>().into())
        });
    }

    #[wasm_bindgen(js_name = messageById)]
    pub fn message_by_id(&self, call: u32, id: String) {
        let admin = self.0.clone();
        calls::begin(call, async move { Ok(found(admin.message_by_id(id.as_str()).await?)) });
    }

    #[wasm_bindgen(js_name = messageByUniqueKey)]
    pub fn message_by_unique_key(&self, call: u32, topic: String, id: String) {
        let admin = self.0.clone();
        calls::begin(call, async move { Ok(found(admin.message_by_unique_key(&topic, &id).await?)) });
    }

    #[wasm_bindgen(js_name = messagesByKey)]
    pub fn messages_by_key(&self, call: u32, topic: String, key: String, max: Option<u32>) {
        let mut asking = self.0.messages_by_key(&topic, &key);
        if let Some(max) = max {
            asking = asking.max(max);
        }
        calls::begin(call, async move { Ok(messages::all_received(&asking.await?).into()) });
    }
}
