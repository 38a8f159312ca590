//! Which broker serves which topic (`RouteInfoManager`, `ClientRequestProcessor`).

use serde_json::{Value, json};
use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::wire::body::{self, BrokerData, ClusterInfo, QueueData, TopicList, TopicRouteData};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::GetRouteInfo;

use super::super::broker::TopicConfig;
use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::nullable::Nullable;
use super::super::refusal::Refusal;

/// From this version on clients understand standard JSON (`MQVersion.V4_9_4`).
const V4_9_4: i32 = 401;

/// What a broker tells a name server of one topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) broker: &'a str,
    pub(crate) address: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) config: &'a TopicConfig,
}

/// The queues of a topic, by broker.
type Queues = Named<(QueueData, Charge)>;

/// The topics and the brokers that a name server has heard of.
#[derive(Debug)]
pub(super) struct Routes {
    topics: Named<Queues>,
    brokers: Named<BrokerData>,
    /// The topics that some broker has deleted since.
    deleted: SortedSet<Box<str>>,
    budget: Budget,
}

impl Routes {
    pub(super) fn new(budget: &Budget) -> Self {
        let (topics, brokers, deleted) = (Named::default(), Named::default(), SortedSet::new());
        Self { topics, brokers, deleted, budget: budget.clone() }
    }

    /// # Errors
    /// There is no room for another topic.
    pub(super) fn register(&mut self, registration: Registration<'_>) -> Result<(), Refusal> {
        let Registration { cluster, broker, address, topic, config } = registration;
        let queues = QueueData {
            broker_name: broker.to_owned(),
            perm: config.permission,
            read_queue_nums: config.read_queue_nums as i32,
            topic_sys_flag: config.sys_flag,
            write_queue_nums: config.write_queue_nums as i32,
        };
        let known = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(broker));
        match known {
            Some((known, _)) => *known = queues,
            None => {
                let entry = size_of::<(Box<str>, (QueueData, Charge))>();
                let charge = self.budget.charge(3 * ENTRY + 2 * topic.len() + 2 * broker.len() + FIRST * entry)?;
                self.topics.get_or_insert_with(topic, Named::default).insert(broker, (queues, charge));
            }
        }
        self.brokers.get_or_insert_with(broker, || BrokerData {
            broker_addrs: SortedMap::from([(0, address.to_owned())]),
            broker_name: broker.to_owned(),
            cluster: cluster.to_owned(),
            enable_acting_master: false,
        });
        Ok(())
    }

    /// A broker has deleted a topic.
    pub(super) fn note_deleted(&mut self, topic: &str) {
        if self.topics.contains(topic) {
            self.deleted.insert(topic.into());
        }
    }

    /// Forgets the topics that their brokers do not have any more, which a name server would keep until it is told.
    pub(super) fn forget_deleted(&mut self, has: impl Fn(&str, &str) -> bool) {
        for topic in std::mem::take(&mut self.deleted) {
            if let Some(queues) = self.topics.get_mut(&topic) {
                queues.retain(|broker, _| has(broker, &topic));
                if queues.is_empty() {
                    self.topics.remove(&topic);
                }
            }
        }
    }

    pub(super) fn unregister(&mut self, broker: &str) {
        self.brokers.remove(broker);
        self.topics.retain(|_, queues| {
            queues.remove(broker);
            !queues.is_empty()
        });
    }

    pub(super) fn forget_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
        self.deleted.remove(topic);
    }

    pub(super) fn route(&self, topic: &str) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        let broker_datas: Vec<_> = queues.names().filter_map(|broker| self.brokers.get(broker)).cloned().collect();
        let queue_datas = queues.values().map(|(queues, _)| queues.clone()).collect();
        Some(TopicRouteData { broker_datas, queue_datas, ..TopicRouteData::default() })
    }

    pub(super) fn delete_topic(&mut self, request: &Command) -> Result<(), Refusal> {
        let fields = Nullable(request);
        let Some(topic) = fields.text("topic") else {
            return Ok(());
        };
        let Some(queues) = self.topics.get_mut(&topic) else {
            return Ok(());
        };
        match fields.text("clusterName").filter(|cluster| !cluster.is_empty()) {
            None => *queues = Queues::default(),
            Some(cluster) => {
                queues.retain(|broker, _| self.brokers.get(broker).is_some_and(|broker| broker.cluster != *cluster));
            }
        }
        if queues.is_empty() {
            self.forget_topic(&topic);
        }
        Ok(())
    }

    pub(super) fn topic_list(&self) -> Vec<u8> {
        let topic_list: SortedSet<String> = self.topics.names().map(|topic| topic.to_string()).collect();
        body::to_vec(&TopicList { topic_list, ..TopicList::default() })
    }

    /// Never standard JSON, whatever the client understands (`DefaultRequestProcessor.getBrokerClusterInfo`).
    pub(super) fn cluster_info(&self, dialect: Dialect) -> Vec<u8> {
        let mut info = ClusterInfo::default();
        for (name, broker) in &self.brokers {
            info.cluster_addr_table.get_or_default(broker.cluster.clone()).insert(name.to_string());
            info.broker_addr_table.insert(name.to_string(), broker.clone());
        }
        match dialect {
            Dialect::Apache => bare_broker_ids(body::to_vec(&info)),
            Dialect::Smartgo => {
                let brokers = info.broker_addr_table.iter();
                let brokers: serde_json::Map<_, _> =
                    brokers.map(|(name, broker)| (name.clone(), broker_as_smartgo(broker))).collect();
                let info = json!({ "brokerAddrTable": brokers, "clusterAddrTable": info.cluster_addr_table });
                info.to_string().into_bytes()
            }
        }
    }
}

pub(super) fn header(request: &Command) -> Result<GetRouteInfo<'_>, Refusal> {
    let fields = Nullable(request);
    let accepts = fields.text("acceptStandardJsonOnly").map(|_| fields.truth("acceptStandardJsonOnly"));
    Ok(GetRouteInfo { topic: fields.shown("topic"), accept_standard_json_only: accepts })
}

/// Adds a broker like the first one.
pub(super) fn add_broker(route: &mut TopicRouteData, name: &str, address: &str) {
    if let (Some(mut broker), Some(mut queues)) =
        (route.broker_datas.first().cloned(), route.queue_datas.first().cloned())
    {
        name.clone_into(&mut broker.broker_name);
        broker.broker_addrs.values_mut().for_each(|known| address.clone_into(known));
        name.clone_into(&mut queues.broker_name);
        route.broker_datas.push(broker);
        route.queue_datas.push(queues);
    }
}

pub(super) fn wants_standard_json(request: &Command, header: &GetRouteInfo<'_>) -> bool {
    request.version >= V4_9_4 || header.accept_standard_json_only == Some(true)
}

pub(super) fn encode(route: &TopicRouteData, is_standard: bool) -> Vec<u8> {
    let body = body::to_vec(route);
    if is_standard { body } else { bare_broker_ids(body) }
}

/// What is younger than RocketMQ 3.2.6 is not there, and one name is misspelt, as it was then.
pub(super) fn encode_as_smartgo(route: &TopicRouteData) -> Vec<u8> {
    let queues = route.queue_datas.iter().map(|queues| {
        json!({
            "brokerName": queues.broker_name,
            "readQueueNums": queues.read_queue_nums,
            "writeQueueNums": queues.write_queue_nums,
            "perm": queues.perm,
            "topicSynFlag": queues.topic_sys_flag,
        })
    });
    let brokers = route.broker_datas.iter().map(broker_as_smartgo);
    let route = json!({
        "orderTopicConf": route.order_topic_conf.as_deref().unwrap_or_default(),
        "queueDatas": queues.collect::<Vec<_>>(),
        "brokerDatas": brokers.collect::<Vec<_>>(),
        "filterServerTable": route.filter_server_table,
    });
    route.to_string().into_bytes()
}

fn broker_as_smartgo(broker: &BrokerData) -> Value {
    json!({ "brokerName": broker.broker_name, "brokerAddrs": broker.broker_addrs })
}

/// Takes the quotes off the ids of brokers, as fastjson leaves them off numeric keys.
fn bare_broker_ids(body: Vec<u8>) -> Vec<u8> {
    let master = json!({ "brokerAddrs": { "0": "" } }).to_string();
    let quoted = master.trim_start_matches('{').trim_end_matches("\"\"}}");
    let text = String::from_utf8(body).unwrap_or_default();
    text.replace(quoted, &quoted.replace("\"0\"", "0")).into_bytes()
}
