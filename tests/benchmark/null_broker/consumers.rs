//! Consumers: each group has the one member that sent the last heartbeat for it, and the offsets that it stored.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use stgclient_core::wire::body::{ConsumerList, HeartbeatData, LockedQueues, QueueLockRequest};
use stgclient_core::wire::request::{PullMessage, QueryConsumerOffset, UpdateConsumerOffset};

use crate::topics::{LONGEST_BATCH, Messages, messages_of};

/// What is known of all groups.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    /// Client ids by group.
    members: Mutex<BTreeMap<String, String>>,
    /// By group, topic and queue.
    offsets: Mutex<BTreeMap<(String, String, i32), i64>>,
    /// By topic.
    messages: Mutex<BTreeMap<String, Arc<Messages>>>,
}

/// What a pull finds.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// So many messages from the offset on, out of a queue that ends at `max_offset`.
    Messages {
        /// The topic's.
        messages: Arc<Messages>,
        count: usize,
        max_offset: i64,
    },
    /// Nothing, at the end of the queue.
    Nothing,
    /// The offset lies outside of the queue, which ends here.
    Outside(i64),
}

impl Consumers {
    /// The client becomes the one member of its groups. Returns those in which it was not.
    pub(crate) fn heartbeat(&self, heartbeat: HeartbeatData) -> Vec<String> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let mut joined = Vec::new();
        for group in heartbeat.consumer_data_set {
            let before = members.insert(group.group_name.clone(), heartbeat.client_id.clone());
            if before.as_ref() != Some(&heartbeat.client_id) {
                joined.push(group.group_name);
            }
        }
        joined
    }

    /// The members of a group; `None` when it has none.
    pub(crate) fn members(&self, group: &str) -> Option<ConsumerList> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        Some(ConsumerList { consumer_id_list: vec![members.get(group)?.clone()] })
    }

    /// The offset that a group stored; else 0, as real brokers say of queues that still have their first message.
    pub(crate) fn offset(&self, asked: &QueryConsumerOffset<'_>) -> i64 {
        let offsets = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (asked.consumer_group.to_string(), asked.topic.to_string(), asked.queue_id);
        offsets.get(&key).copied().unwrap_or(0)
    }

    /// Stores an offset of a group.
    pub(crate) fn store(&self, given: &UpdateConsumerOffset<'_>) {
        let mut offsets = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (given.consumer_group.to_string(), given.topic.to_string(), given.queue_id);
        offsets.insert(key, given.commit_offset);
    }

    /// All queues are granted: the group has one member.
    pub(crate) fn lock(asked: QueueLockRequest) -> LockedQueues {
        LockedQueues { lock_ok_mq_set: asked.mq_set }
    }

    /// What a queue has from an offset on. `address` is where its messages are said to be stored.
    pub(crate) fn pull(&self, pull: &PullMessage<'_>, address: SocketAddr) -> Found {
        let max_offset = messages_of(&pull.topic, pull.queue_id);
        if !(0..=max_offset).contains(&pull.queue_offset) {
            return Found::Outside(max_offset);
        }
        let wanted = usize::try_from(pull.max_msg_nums).unwrap_or(0).min(LONGEST_BATCH);
        let count = usize::try_from(max_offset - pull.queue_offset).unwrap_or(0).min(wanted);
        if count == 0 {
            return Found::Nothing;
        }
        let mut all = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = match all.get(&*pull.topic) {
            Some(known) => Arc::clone(known),
            None => {
                let made = Arc::new(Messages::of(&pull.topic, address));
                all.insert(pull.topic.to_string(), Arc::clone(&made));
                made
            }
        };
        Found::Messages { messages, count, max_offset }
    }
}
