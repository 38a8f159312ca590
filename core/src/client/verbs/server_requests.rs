//! What brokers ask of a client (`ClientRemotingProcessor`): who is there, how it fares, that members have changed, that
//! offsets are to be set, and that a message is to be consumed at once.

use crate::address::Address;
use crate::client::base::event::Event;
use crate::client::base::ids::BrokerQuestion;
use crate::client::base::ids::{ConnectionId, PushConsumerId};
use crate::client::driver::Client;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::body::{self, ConsumerStatus, DirectConsumption, ResetOffsets};
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::Command;
use crate::wire::message::StoredMessage;
use crate::wire::request::{
    ConsumeDirectly, GetConsumerRunningInfo, GetConsumerStatus, NotifyConsumerIdsChanged, ResetConsumerOffset,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What a broker is told.
struct Reply {
    code: ResponseCode,
    remark: Option<String>,
    body: Bytes,
}

impl Reply {
    fn body(body: &impl serde::Serialize) -> Self {
        Self { code: ResponseCode::SUCCESS, remark: None, body: Bytes::from(body::to_vec(body)) }
    }

    fn refused(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self { code, remark: Some(remark.into()), body: Bytes::new() }
    }

    fn no_group(group: &str) -> Self {
        Self::refused(ResponseCode::SYSTEM_ERROR, format!("The Consumer Group <{group}> not exist in this consumer"))
    }
}

impl Client {
    /// A broker asks something.
    pub(crate) fn answer_request(&mut self, now: Now, connection: ConnectionId, request: &Command) {
        let question = BrokerQuestion::new(connection, request);
        let reply = match RequestCode(request.code) {
            RequestCode::NOTIFY_CONSUMER_IDS_CHANGED => {
                self.members_changed(now, request);
                return;
            }
            RequestCode::RESET_CONSUMER_CLIENT_OFFSET => {
                self.reset_offsets(now, connection, request);
                return;
            }
            RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT => self.tell_offsets(request),
            RequestCode::GET_CONSUMER_RUNNING_INFO => self.tell_running_info(now, request),
            RequestCode::CONSUME_MESSAGE_DIRECTLY => self.consume_directly(question, request),
            _ => {
                let notice = Notice::debug("a server's request that is not known here");
                self.session.notices.push(self.session.at(connection.peer, notice).about("code", request.code));
                self.session.network.with(connection.peer, |peer| peer.refuse_unknown(now.mono, request));
                return;
            }
        };
        if let Some(reply) = reply
            && !request.is_oneway()
        {
            self.reply(now, question, &reply);
        }
    }

    fn reply(&mut self, now: Now, question: BrokerQuestion, reply: &Reply) {
        let BrokerQuestion { connection, opaque, codec } = question;
        if self.session.is_current(connection) {
            self.session.network.with(connection.peer, |peer| {
                peer.respond(now.mono, (opaque, codec), reply.code, reply.remark.as_deref(), &reply.body);
            });
        }
    }

    fn consumer_of(&self, group: &str) -> Option<PushConsumerId> {
        self.session.groups.push_consumer_of(group)
    }

    fn members_changed(&mut self, now: Now, request: &Command) {
        let Ok(header) = request.header::<NotifyConsumerIdsChanged<'_>>() else {
            return;
        };
        if let Some(id) = self.consumer_of(&header.consumer_group) {
            self.with_consumer(now, id, |consumer| consumer.rebalance_soon(now.mono));
        }
    }

    fn reset_offsets(&mut self, now: Now, connection: ConnectionId, request: &Command) {
        let Ok(header) = request.header::<ResetConsumerOffset<'_>>() else {
            return;
        };
        let Ok(reset) = request.read_body::<ResetOffsets>() else {
            let notice = Notice::warn("a broker's offsets to reset to cannot be read");
            let notice = self.session.at(connection.peer, notice.about("group", &header.group));
            return self.session.notices.push(notice.about("topic", &header.topic));
        };
        let offsets = reset.offset_table.into_iter();
        let offsets: BTreeMap<MessageQueue, u64> = offsets
            .filter_map(|(key, offset)| Some((MessageQueue::of_key(key)?, u64::try_from(offset).ok()?)))
            .collect();
        if let Some(id) = self.consumer_of(&header.group) {
            self.with_consumer(now, id, |consumer| consumer.reset_offsets(now, &header.topic, &offsets));
        }
    }

    fn tell_offsets(&self, request: &Command) -> Option<Reply> {
        let header: GetConsumerStatus<'_> = request.header().ok()?;
        let offsets = self.consumer_of(&header.group).and_then(|id| self.session.groups.push_consumers.get(id));
        let offsets = offsets.map(|entry| entry.consumer.offsets_of(&header.topic)).unwrap_or_default();
        let message_queue_table = offsets.into_iter().map(|(queue, offset)| (queue.key(), offset as i64)).collect();
        Some(Reply::body(&ConsumerStatus { message_queue_table, ..ConsumerStatus::default() }))
    }

    fn tell_running_info(&self, now: Now, request: &Command) -> Option<Reply> {
        let header: GetConsumerRunningInfo<'_> = request.header().ok()?;
        let entry = self.consumer_of(&header.consumer_group).and_then(|id| self.session.groups.push_consumers.get(id));
        Some(match entry {
            Some(entry) => Reply::body(&entry.consumer.running_info(now, &self.name_servers_in_words())),
            None => Reply::no_group(&header.consumer_group),
        })
    }

    fn name_servers_in_words(&self) -> String {
        let addresses: Vec<&str> = self.session.name_servers.addresses().map(Address::as_str).collect();
        addresses.join(";")
    }

    fn consume_directly(&mut self, question: BrokerQuestion, request: &Command) -> Option<Reply> {
        let header: ConsumeDirectly<'_> = request.header().ok()?;
        let Some(consumer) = self.consumer_of(&header.consumer_group) else {
            return Some(Reply::no_group(&header.consumer_group));
        };
        let message = match StoredMessage::decode(request.body.clone(), self.session.config.dialect()) {
            Ok(message) => message,
            Err(error) => return Some(Reply::refused(ResponseCode::SYSTEM_ERROR, error.to_string())),
        };
        let entry = self.session.groups.push_consumers.get_mut(consumer);
        if !entry.is_some_and(|entry| entry.consumer.begin_directly()) {
            let why = "the consumer closes, or has too many messages to consume at once";
            return Some(Reply::refused(ResponseCode::SYSTEM_ERROR, why));
        }
        let broker_name = header.broker_name.as_deref().unwrap_or_default();
        let queue_id = u32::try_from(message.fields.queue_id).unwrap_or(0);
        let queue = MessageQueue::new(message.topic(), broker_name, queue_id);
        let message = Box::new(message);
        self.session.events.push_back(Event::ConsumeDirectly { consumer, question, queue, message });
        None
    }

    /// What became of a message that a broker wanted a consumer to consume at once ([`Event::ConsumeDirectly`]). Each has to
    /// end once: the consumer's close waits for it as for any other in work.
    pub fn consumed_directly(
        &mut self,
        now: Now,
        consumer: PushConsumerId,
        question: BrokerQuestion,
        result: &DirectConsumption,
    ) {
        self.reply(now, question, &Reply::body(result));
        self.with_consumer(now, consumer, |consumer| consumer.end_directly(now));
        self.run(now);
    }
}
