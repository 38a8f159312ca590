//! What the null broker answers to everything but sends: what a consumer needs to know, messages, or just success.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use stgclient_core::wire::body;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{NoFields, WriteHeader};
use stgclient_core::wire::request::{
    GetConsumerList, GetMaxOffset, GetRouteInfo, NotifyConsumerIdsChanged, OffsetAnswer, PULL_FLAG_SUSPEND,
    PullMessage, PullMessageAnswer, Request as _,
};

use crate::consumers::{Consumers, Found};
use crate::frames::Request;
use crate::topics;

/// Answers requests.
#[derive(Debug)]
pub(crate) struct Requests {
    address: SocketAddr,
    consumers: Consumers,
}

/// A pull that found nothing and waits: nothing will come, so it is answered when its time is over.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) until: Instant,
    queue_id: i32,
    topic: String,
    group: String,
    codec: HeaderCodec,
    opaque: i32,
    offset: i64,
}

impl Requests {
    /// The requests of the server at this address, which is name server and broker.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, consumers: Consumers::default() }
    }

    /// Does what a request asks, and appends its answer if it wants one now.
    pub(crate) fn answer(&self, request: &Request<'_>, out: &mut BytesMut) -> Option<Held> {
        let start = out.len();
        let held = command::decode(Bytes::copy_from_slice(request.frame))
            .map_err(Into::into)
            .and_then(|command| self.try_answer(request, &command, out))
            .unwrap_or_else(|error| {
                eprintln!("null-broker: request {}: {error}", request.code);
                reply(request, ResponseCode::SYSTEM_ERROR, &NoFields, out);
                None
            });
        if request.is_oneway {
            out.truncate(start);
            return None;
        }
        held
    }

    fn try_answer(
        &self,
        request: &Request<'_>,
        command: &Command,
        out: &mut BytesMut,
    ) -> Result<Option<Held>, Box<dyn Error>> {
        let offset = |offset, out: &mut _| reply(request, ResponseCode::SUCCESS, &OffsetAnswer { offset }, out);
        match RequestCode(request.code) {
            RequestCode::PULL_MESSAGE => return Ok(self.pull(request, &command.header()?, out)),
            RequestCode::GET_ROUTEINFO_BY_TOPIC => {
                let GetRouteInfo { topic, .. } = command.header()?;
                reply_with_body(request, &topics::route(&topic, self.address), out);
            }
            RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
                let GetConsumerList { consumer_group } = command.header()?;
                match self.consumers.members(&consumer_group) {
                    Some(members) => reply_with_body(request, &members, out),
                    None => reply(request, ResponseCode::SYSTEM_ERROR, &NoFields, out),
                }
            }
            RequestCode::LOCK_BATCH_MQ => {
                reply_with_body(request, &Consumers::lock(body::from_slice(&command.body)?), out);
            }
            RequestCode::QUERY_CONSUMER_OFFSET => offset(self.consumers.offset(&command.header()?), out),
            RequestCode::GET_MIN_OFFSET | RequestCode::SEARCH_OFFSET_BY_TIMESTAMP => offset(0, out),
            RequestCode::GET_MAX_OFFSET => {
                let GetMaxOffset { topic, queue_id, .. } = command.header()?;
                offset(topics::messages_of(&topic, queue_id), out);
            }
            RequestCode::HEART_BEAT => {
                let joined = self.consumers.heartbeat(body::from_slice(&command.body)?);
                reply(request, ResponseCode::SUCCESS, &NoFields, out);
                // As a real broker does: clients share the queues anew at once (`ConsumerManager.registerConsumer`).
                for group in joined {
                    let mut head = Head::oneway(Dialect::Apache, NotifyConsumerIdsChanged::CODE, 0);
                    head.language = Language::JAVA;
                    let changed = NotifyConsumerIdsChanged { consumer_group: group.into() };
                    command::encode(out, request.codec, Dialect::Apache, &head, &changed, &[]);
                }
            }
            code => {
                if code == RequestCode::UPDATE_CONSUMER_OFFSET {
                    self.consumers.store(&command.header()?);
                }
                reply(request, ResponseCode::SUCCESS, &NoFields, out);
            }
        }
        Ok(None)
    }

    fn pull(&self, request: &Request<'_>, pull: &PullMessage<'_>, out: &mut BytesMut) -> Option<Held> {
        let offset = pull.queue_offset;
        match self.consumers.pull(pull, self.address) {
            Found::Messages { messages, count, max_offset } => {
                let head = head(ResponseCode::SUCCESS, request.opaque);
                let fields = pulled(offset + count as i64, max_offset);
                command::encode_head(out, request.codec, Dialect::Apache, &head, &fields, messages.length(count));
                messages.put(pull.queue_id, offset, count, out);
            }
            Found::Nothing => {
                let may_wait = pull.sys_flag & PULL_FLAG_SUSPEND != 0;
                let wait = if may_wait { u64::try_from(pull.suspend_timeout_millis).unwrap_or(0) } else { 0 };
                let until = Instant::now() + Duration::from_millis(wait);
                let (topic, group) = (pull.topic.to_string(), pull.consumer_group.to_string());
                let (queue_id, codec, opaque) = (pull.queue_id, request.codec, request.opaque);
                let held = Held { until, queue_id, topic, group, codec, opaque, offset };
                if wait > 0 {
                    return Some(held);
                }
                held.answer(out);
            }
            Found::Outside(end) => reply(request, ResponseCode::PULL_OFFSET_MOVED, &pulled(end, end), out),
        }
        None
    }
}

impl Held {
    /// Whether both wait for the same queue, for the same group.
    pub(crate) fn doubles(&self, other: &Self) -> bool {
        self.queue_id == other.queue_id && self.topic == other.topic && self.group == other.group
    }

    /// Appends that nothing came.
    pub(crate) fn answer(&self, out: &mut BytesMut) {
        let head = head(ResponseCode::PULL_NOT_FOUND, self.opaque);
        command::encode(out, self.codec, Dialect::Apache, &head, &pulled(self.offset, self.offset), &[]);
    }
}

fn pulled(next_begin_offset: i64, max_offset: i64) -> PullMessageAnswer {
    PullMessageAnswer {
        suggest_which_broker_id: Some(0),
        next_begin_offset,
        min_offset: 0,
        max_offset,
        offset_delta: None,
    }
}

fn head(code: ResponseCode, opaque: i32) -> Head<'static> {
    Head { language: Language::JAVA, ..Head::response(Dialect::Apache, code, opaque, None) }
}

fn reply(request: &Request<'_>, code: ResponseCode, fields: &impl WriteHeader, out: &mut BytesMut) {
    command::encode(out, request.codec, Dialect::Apache, &head(code, request.opaque), fields, &[]);
}

fn reply_with_body(request: &Request<'_>, value: &impl Serialize, out: &mut BytesMut) {
    let head = head(ResponseCode::SUCCESS, request.opaque);
    command::encode(out, request.codec, Dialect::Apache, &head, &NoFields, &body::to_vec(value));
}
