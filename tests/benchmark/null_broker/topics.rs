//! Topics are what their names say: `q8-n200000-orders` has 8 queues, and 200,000 messages that can be pulled.

use std::net::SocketAddr;

use bytes::{BufMut, BytesMut};
use stgclient_core::sorted::SortedMap;
use stgclient_core::wire::body::{BrokerData, Permission, QueueData, TopicRouteData};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::java::body_crc;
use stgclient_core::wire::message::StoredFields;

const BROKER: &str = "null-broker";
const DEFAULT_QUEUES: i32 = 8;

/// The longest batch: what clients ask for by default, and what a broker gives at the most.
pub(crate) const LONGEST_BATCH: usize = 32;
const BODY: [u8; 128] = [b'a'; 128];
/// Where these stand in a stored message.
const QUEUE_ID_AT: usize = 12;
const QUEUE_OFFSET_AT: usize = 20;
const PHYSICAL_OFFSET_AT: usize = 28;

/// How many queues a topic has. A group's retry topic has one, as brokers make it.
pub(crate) fn queues_of(topic: &str) -> i32 {
    if topic.starts_with("%RETRY%") {
        return 1;
    }
    said(topic, 'q').and_then(|number| i32::try_from(number).ok()).unwrap_or(DEFAULT_QUEUES)
}

/// How many messages a queue of the topic has: all queues share them evenly, the first have one more.
pub(crate) fn messages_of(topic: &str, queue_id: i32) -> i64 {
    let (messages, queues) = (said(topic, 'n').unwrap_or(0), i64::from(queues_of(topic)));
    let is_queue = (0..queues).contains(&i64::from(queue_id));
    if is_queue { messages / queues + i64::from(i64::from(queue_id) < messages % queues) } else { 0 }
}

/// The number behind a letter at the beginning of the name.
fn said(topic: &str, letter: char) -> Option<i64> {
    let mut parts = topic.split('-');
    parts.next_back();
    parts.find_map(|part| part.strip_prefix(letter)?.parse().ok()).filter(|number| *number > 0)
}

/// The route of a topic: one broker, which is at this address.
pub(crate) fn route(topic: &str, address: SocketAddr) -> TopicRouteData {
    let queues = queues_of(topic);
    let broker = BrokerData {
        broker_addrs: SortedMap::from([(0, address.to_string())]),
        broker_name: BROKER.to_owned(),
        cluster: "DefaultCluster".to_owned(),
        enable_acting_master: false,
    };
    let queue_data = QueueData {
        broker_name: BROKER.to_owned(),
        perm: Permission(Permission::READ_WRITE.0 | Permission::INHERIT.0),
        read_queue_nums: queues,
        write_queue_nums: queues,
        topic_sys_flag: 0,
    };
    TopicRouteData { broker_datas: vec![broker], queue_datas: vec![queue_data], ..TopicRouteData::default() }
}

/// Messages of a topic, made once: batches are their beginning, with the numbers in them written over.
#[derive(Debug)]
pub(crate) struct Messages {
    bytes: BytesMut,
    /// All have the same length.
    length: usize,
}

impl Messages {
    /// Messages as a real broker stores those of a Java producer (5.4.0, see `tests/corpus`), with bodies of 128 B.
    pub(crate) fn of(topic: &str, address: SocketAddr) -> Self {
        let mut bytes = BytesMut::new();
        for number in 0..LONGEST_BATCH {
            let fields = StoredFields {
                body_crc: body_crc(&BODY),
                queue_id: 0,
                flag: 0,
                queue_offset: 0,
                physical_offset: 0,
                sys_flag: 0,
                born_timestamp: 1_795_446_769_346,
                born_host: address,
                store_timestamp: 1_795_446_769_390,
                store_host: address,
                reconsume_times: 0,
                prepared_transaction_offset: 0,
            };
            let properties = format!(
                "MSG_REGION\u{1}DefaultRegion\u{2}UNIQ_KEY\u{1}7F0000010000023C2A30946E0974{number:04X}\u{2}\
                 CLUSTER\u{1}DefaultCluster\u{2}WAIT\u{1}true\u{2}TRACE_ON\u{1}true\u{2}"
            );
            fields.encode(&mut bytes, Dialect::Apache, topic, &properties, &BODY).expect("all of it is short");
        }
        let length = bytes.len() / LONGEST_BATCH;
        Self { bytes, length }
    }

    /// How many bytes so many messages take.
    pub(crate) fn length(&self, count: usize) -> usize {
        count * self.length
    }

    /// Appends `count` messages, at most [`LONGEST_BATCH`], which are those of the queue from `offset` on.
    pub(crate) fn put(&self, queue_id: i32, offset: i64, count: usize, out: &mut BytesMut) {
        let start = out.len();
        out.put_slice(&self.bytes[..self.length(count)]);
        for (message, offset) in out[start..].chunks_exact_mut(self.length).zip(offset..) {
            let physical = (offset << 16 | i64::from(queue_id)) * self.length as i64;
            message[QUEUE_ID_AT..][..4].copy_from_slice(&queue_id.to_be_bytes());
            message[QUEUE_OFFSET_AT..][..8].copy_from_slice(&offset.to_be_bytes());
            message[PHYSICAL_OFFSET_AT..][..8].copy_from_slice(&physical.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stgclient_core::wire::message::StoredMessages;

    #[test]
    fn a_topic_has_as_many_queues_as_its_name_says() {
        assert_eq!(queues_of("q1000-orders"), 1000);
        assert_eq!(queues_of("q4-n12-orders"), 4);
        assert_eq!(queues_of("queue-1"), DEFAULT_QUEUES);
        assert_eq!(queues_of("TBW102"), DEFAULT_QUEUES);
        assert_eq!(queues_of("%RETRY%q8-group"), 1);
    }

    #[test]
    fn queues_share_the_messages_that_the_name_says() {
        let of = |topic: &str| (-1..5).map(|queue| messages_of(topic, queue)).collect::<Vec<_>>();
        assert_eq!(of("q4-n14-orders"), [0, 4, 4, 3, 3, 0]);
        assert_eq!(of("q4-orders"), [0; 6]);
        assert_eq!(of("%RETRY%q4-n14"), [0; 6]);
    }

    #[test]
    fn messages_carry_the_numbers_of_their_queue() {
        let messages = Messages::of("q8-n100-orders", "127.0.0.1:1".parse().expect("an address"));
        let mut out = BytesMut::from("head");
        messages.put(3, 70, 5, &mut out);
        assert_eq!(out.len(), 4 + messages.length(5));
        let stored: Vec<_> =
            StoredMessages::new(out.freeze().slice(4..), Dialect::Apache).map(Result::unwrap).collect();
        let offsets: Vec<_> = stored.iter().map(|message| message.fields.queue_offset).collect();
        assert_eq!(offsets, [70, 71, 72, 73, 74]);
        for message in &stored {
            assert_eq!((message.fields.queue_id, message.topic(), message.body()), (3, "q8-n100-orders", &BODY[..]));
            assert_eq!(message.properties().get("WAIT"), Some("true"));
        }
        assert!(stored.windows(2).all(|two| two[0].fields.physical_offset < two[1].fields.physical_offset));
    }
}
