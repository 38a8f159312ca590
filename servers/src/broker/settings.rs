//! A broker's settings as administrators read them (`BrokerConfig`, `MessageStoreConfig`).

use stgclient_core::wire::body::{self, DataVersion};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};

use super::super::reply::Reply;
use super::super::settings;
use super::Broker;

/// The version of the settings (`GetBrokerConfigResponseHeader`), which nobody changes here: when the broker was started,
/// milliseconds since 1970 UTC.
struct Version(u64);

impl WriteHeader for Version {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        let version = body::to_vec(&DataVersion { timestamp: self.0 as i64, ..DataVersion::default() });
        writer.text("version", &String::from_utf8_lossy(&version));
    }
}

impl Broker {
    pub(super) fn tell_settings(&self, reply: Reply<'_>) {
        let config = &self.config;
        let text = settings::text(&[
            ("autoCreateSubscriptionGroup", config.auto_create_groups.to_string()),
            ("autoCreateTopicEnable", config.auto_create_topics.to_string()),
            ("brokerClusterName", self.cluster.clone()),
            ("brokerIP1", config.host().to_owned()),
            ("brokerId", "0".to_owned()),
            ("brokerName", config.name.clone()),
            ("brokerPermission", config.permission.0.to_string()),
            ("brokerRole", "ASYNC_MASTER".to_owned()),
            ("defaultTopicQueueNums", config.default_topic_queue_nums.to_string()),
            ("enablePropertyFilter", config.property_filter.to_string()),
            ("flushDiskType", "ASYNC_FLUSH".to_owned()),
            ("listenPort", settings::port(&config.address)),
            ("maxMessageSize", config.max_body_length.to_string()),
            ("maxTransferBytesOnMessageInMemory", config.max_pull_bytes.to_string()),
            ("maxTransferCountOnMessageInMemory", config.max_pull_messages.to_string()),
            ("regionId", config.region.clone()),
            ("traceOn", config.trace_on.to_string()),
            ("useServerSideResetOffset", config.server_side_reset_offset.to_string()),
        ]);
        reply.send(ResponseCode::SUCCESS, None, &Version(self.started.unix_ms), &text);
    }
}
