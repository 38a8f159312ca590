//! One request as it is played to both.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::{self, FLAG_RESPONSE, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};

use crate::apache::CLIENTS;
use crate::places::Places;

/// The versions of the clients: of today, one that does not know standard JSON, and one so old that brokers ask it little.
const VERSIONS: [i32; CLIENTS] = [493, 300, 40];

/// The head of a command that says nothing yet.
const NOBODY: Head<'_> = Head { code: 0, language: Language::JAVA, version: 493, opaque: 0, flag: 0, remark: None };

/// How the unique ids begin that a sequence gives.
pub(crate) const OWN_UNIQUE: &str = "0A0A0A0A";

/// Whether requests of this code send messages.
pub(crate) fn sends(code: i32) -> bool {
    matches!(Code(code), Code::SEND_MESSAGE | Code::SEND_MESSAGE_V2 | Code::SEND_BATCH_MESSAGE)
}

/// Which server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    NameServer,
    Broker,
}

/// A request, whoever is asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) server: Server,
    /// Which of the connections to this server it comes on.
    pub(crate) client: usize,
    pub(crate) code: i32,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) codec: HeaderCodec,
}

impl Request {
    /// The frame of the request, to a server whose messages lie at `places`.
    pub(crate) fn encoded(&self, opaque: i32, places: &Places) -> Bytes {
        let fields = self.fields.iter().map(|(name, value)| (name.clone(), places.fill(value)));
        let head = Head { code: self.code, language: Language::JAVA, version: VERSIONS[self.client], opaque, ..NOBODY };
        encoded(&head, self.codec, &fields.collect::<Vec<_>>(), &self.body)
    }

    /// The topic that it names.
    pub(crate) fn topic(&self) -> &str {
        let is_topic = |name: &str| name == "topic" || (self.code != Code::SEND_MESSAGE.0 && name == "b");
        self.fields.iter().find(|(name, _)| is_topic(name)).map_or("", |(_, value)| value)
    }

    /// Whether it changes something by what is in a queue: what a second one would be answered is something else.
    pub(crate) fn needs_queues(&self) -> bool {
        self.pulls() || self.code == Code::INVOKE_BROKER_TO_RESET_OFFSET.0
    }

    /// Which tells a group of an offset that was reset, and notes how far it has pulled and by what.
    fn pulls(&self) -> bool {
        matches!(Code(self.code), Code::PULL_MESSAGE | Code::LITE_PULL_MESSAGE)
    }

    /// Whether asking again changes nothing.
    pub(crate) fn only_reads(&self) -> bool {
        !sends(self.code)
            && !self.pulls()
            && !matches!(
                Code(self.code),
                // Which create a group that is not there.
                Code::GET_SUBSCRIPTIONGROUP_CONFIG
                    | Code::CONSUME_MESSAGE_DIRECTLY
                    | Code::CONSUMER_SEND_MSG_BACK
                    | Code::UPDATE_CONSUMER_OFFSET
                    | Code::HEART_BEAT
                    | Code::UNREGISTER_CLIENT
                    | Code::LOCK_BATCH_MQ
                    | Code::UNLOCK_BATCH_MQ
                    | Code::UPDATE_AND_CREATE_TOPIC
                    | Code::DELETE_TOPIC_IN_BROKER
                    | Code::DELETE_TOPIC_IN_NAMESRV
                    | Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
                    | Code::DELETE_SUBSCRIPTIONGROUP
                    | Code::INVOKE_BROKER_TO_RESET_OFFSET
                    | Code::PUT_KV_CONFIG
                    | Code::DELETE_KV_CONFIG
            )
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} by {} ({:?})", Code(self.code), self.client, self.codec)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value:?}"))?;
        if body.is_empty() { Ok(()) } else { write!(f, " body {body}") }
    }
}

/// What a client answers to a server's question of this code, always the same.
pub(crate) fn answer(code: i32, opaque: i32) -> Bytes {
    let body = match Code(code) {
        Code::GET_CONSUMER_STATUS_FROM_CLIENT => {
            r#"{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:5}}"#
        }
        Code::GET_CONSUMER_RUNNING_INFO => r#"{"properties":{"a":"b"},"jstack":"none"}"#,
        Code::CONSUME_MESSAGE_DIRECTLY => {
            r#"{"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":3}"#
        }
        _ => "",
    };
    encoded(&Head { opaque, flag: FLAG_RESPONSE, ..NOBODY }, HeaderCodec::Json, &[], body.as_bytes())
}

struct Named<'a>(&'a [(String, String)]);

impl WriteHeader for Named<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.foreign(name, value));
    }
}

fn encoded(head: &Head<'_>, codec: HeaderCodec, fields: &[(String, String)], body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    command::encode_head(&mut frame, codec, Dialect::Apache, head, &Named(fields), body.len());
    frame.put_slice(body);
    frame.freeze()
}
