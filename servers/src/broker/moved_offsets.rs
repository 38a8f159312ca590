//! What smartgo's brokers store when a pull was refused for its offset (`PullMessageProcessor.generateOffsetMovedEvent`).
//! Nobody reads it; it takes its place in the log.

use stgclient_core::time::Now;
use stgclient_core::wire::message::property;
use stgclient_core::wire::request::PullMessage;

use super::store::NewMessage;
use super::topic_names::OFFSET_MOVED_EVENT;
use super::{Broker, properties};

impl Broker {
    pub(super) fn note_moved_offset(&mut self, now: Now, pull: &PullMessage<'_>, next_offset: i64) {
        let Some(topic) = self.topics.find(OFFSET_MOVED_EVENT) else {
            return;
        };
        let (group, broker) = (&*pull.consumer_group, &*self.config.name);
        let body = format!(
            r#"{{"consumerGroup":"{group}","messageQueue":{{"topic":"{}","brokerName":"{broker}","queueId":{}}},"offsetRequest":{},"offsetNew":{next_offset}}}"#,
            pull.topic, pull.queue_id, pull.queue_offset,
        );
        let mut stored = String::new();
        for (name, value) in [(property::TAGS, group), (property::DELAY, "0"), (property::KEYS, group)] {
            properties::push(&mut stored, name, value);
        }
        let event = NewMessage {
            topic,
            queue_id: 0,
            flag: 0,
            sys_flag: 0,
            born_timestamp: now.unix_ms as i64,
            born_host: self.store_host,
            reconsume_times: 0,
            delay_level: 0,
            properties: &stored,
            body: body.as_bytes(),
        };
        // The pull is answered whether there is room for it or not.
        let _ = self.store(now, &event);
    }
}
