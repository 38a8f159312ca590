//! Servers as tests script them: what they are asked and what they say.

use std::collections::BTreeMap;

use bytes::BytesMut;

use crate::address::Address;
use crate::client::ConnectionId;
use crate::time::{Duration, Instant};
use crate::wire::body::{self, BrokerData, ClusterInfo, Permission, QueueData, TopicRouteData};
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::{self, Command, Head};
use crate::wire::dialect::Dialect;
use crate::wire::fields::{FieldWriter, WriteHeader};
use crate::wire::message::StoredFields;

/// A request that a server read.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) connection: ConnectionId,
    pub(super) address: Address,
    pub(super) command: Command,
}

impl Asked {
    pub(super) const fn code(&self) -> RequestCode {
        RequestCode(self.command.code)
    }

    pub(super) fn field(&self, name: &str) -> String {
        self.command.fields.get(name).unwrap_or_default().into_owned()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.command.body).into_owned()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    code: ResponseCode,
    dialect: Dialect,
    remark: Option<&'static str>,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    pub(super) after: Duration,
}

impl Reply {
    pub(super) const fn code(code: ResponseCode) -> Self {
        Self {
            code,
            dialect: Dialect::Apache,
            remark: None,
            fields: Vec::new(),
            body: Vec::new(),
            after: Duration::ZERO,
        }
    }

    pub(super) const fn ok() -> Self {
        Self::code(ResponseCode::SUCCESS)
    }

    /// A server of smartgo's says so.
    pub(super) const fn of_smartgo(mut self) -> Self {
        self.dialect = Dialect::Smartgo;
        self
    }

    pub(super) const fn remark(mut self, remark: &'static str) -> Self {
        self.remark = Some(remark);
        self
    }

    pub(super) fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) const fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Appends the answer to a request.
    pub(super) fn encode(&self, out: &mut BytesMut, request: &Command) {
        let head = Head::response(self.dialect, self.code, request.opaque, self.remark);
        command::encode(out, request.codec, self.dialect, &head, self, &self.body);
    }
}

impl WriteHeader for Reply {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in &self.fields {
            writer.text(name, value);
        }
    }
}

/// What becomes of a try to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Accepts,
    Refuses,
    /// TLS fails.
    Distrusts,
    /// Nothing ever comes back.
    Vanishes,
}

pub(super) type Script = Box<dyn FnMut(&Asked) -> Option<Reply>>;

/// A server: unless its scripts say otherwise, a name server and a broker at once that says yes to everything.
pub(super) struct Server {
    pub(super) reach: Reach,
    /// How long a connection to it takes.
    pub(super) opens_after: Duration,
    /// Whether it takes bytes.
    pub(super) reads: bool,
    /// Whether it says nothing, whatever it is asked.
    pub(super) is_mute: bool,
    pub(super) scripts: BTreeMap<RequestCode, Script>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            reach: Reach::Accepts,
            opens_after: Duration::ZERO,
            reads: true,
            is_mute: false,
            scripts: BTreeMap::new(),
        }
    }
}

impl Server {
    pub(super) fn reply(&mut self, book: &Book, asked: &Asked) -> Option<Reply> {
        if self.is_mute {
            return None;
        }
        match self.scripts.get_mut(&asked.code()) {
            Some(script) => script(asked),
            None => Some(book.reply(asked)),
        }
    }
}

/// What name servers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// The bodies of routes by topic.
    pub(super) routes: BTreeMap<String, Vec<u8>>,
    pub(super) clusters: ClusterInfo,
}

impl Book {
    /// Routes `topic` to brokers with so many queues each. A broker's members are its name and a number: the master
    /// of `a` listens at `a:1`, its first slave at `a:2`.
    pub(super) fn route(&mut self, topic: &str, brokers: &[&str], queues: i32) {
        self.routes.insert(topic.to_owned(), route(brokers, queues, Permission::READ_WRITE));
        for name in brokers {
            self.clusters.broker_addr_table.insert((*name).to_owned(), broker_data(name, &[0]));
            let members = self.clusters.cluster_addr_table.get_or_default("cluster".to_owned());
            members.insert((*name).to_owned());
        }
    }

    fn reply(&self, asked: &Asked) -> Reply {
        match asked.code() {
            RequestCode::GET_ROUTEINFO_BY_TOPIC => match self.routes.get(&asked.field("topic")) {
                Some(route) => Reply::ok().body(route.clone()),
                None => Reply::code(ResponseCode::TOPIC_NOT_EXIST).remark("No topic route info in name server"),
            },
            RequestCode::GET_BROKER_CLUSTER_INFO => Reply::ok().body(body::to_vec(&self.clusters)),
            RequestCode::SEND_MESSAGE_V2 => stored(asked),
            RequestCode::PULL_MESSAGE => nothing_new(asked),
            _ => Reply::ok(),
        }
    }
}

/// The body of a route by masters.
pub(super) fn route(brokers: &[&str], queues: i32, permission: Permission) -> Vec<u8> {
    route_by(brokers.iter().map(|name| broker_data(name, &[0])).collect(), queues, permission)
}

/// The body of a route by these brokers.
pub(super) fn route_by(brokers: Vec<BrokerData>, queues: i32, permission: Permission) -> Vec<u8> {
    let queues = |broker: &BrokerData| QueueData {
        broker_name: broker.broker_name.clone(),
        perm: permission,
        read_queue_nums: queues,
        write_queue_nums: queues,
        ..QueueData::default()
    };
    body::to_vec(&TopicRouteData {
        queue_datas: brokers.iter().map(queues).collect(),
        broker_datas: brokers,
        ..TopicRouteData::default()
    })
}

/// A broker with these members.
pub(super) fn broker_data(name: &str, members: &[i64]) -> BrokerData {
    let addresses = members.iter().map(|id| (*id, format!("{name}:{}", id + 1)));
    BrokerData { broker_addrs: addresses.collect(), broker_name: name.to_owned(), ..BrokerData::default() }
}

/// The answer to a send: the message is stored at the offset 7.
pub(super) fn stored(asked: &Asked) -> Reply {
    let id = "7F0000010000271100000000000000FF";
    Reply::ok().field("msgId", id).field("queueId", asked.field("e")).field("queueOffset", 7)
}

/// The answer to a pull: nothing new.
pub(super) fn nothing_new(asked: &Asked) -> Reply {
    let offset = asked.field("queueOffset");
    let reply = Reply::code(ResponseCode::PULL_NOT_FOUND).field("nextBeginOffset", &offset);
    reply.field("minOffset", 0).field("maxOffset", &offset).field("suggestWhichBrokerId", 0)
}

/// The answer to a pull: from the offset 5 on three messages of ten bytes, and the suggestion to go on at a slave; then nothing new.
pub(super) fn three_from_five(asked: &Asked) -> Reply {
    if asked.field("queueOffset") != "5" {
        return nothing_new(asked).after(Duration::from_secs(15));
    }
    let mut body = BytesMut::new();
    let host = core::net::SocketAddr::from(([127, 0, 0, 1], 10_911));
    for offset in 5..8 {
        let fields = StoredFields {
            body_crc: 0,
            queue_id: asked.field("queueId").parse().expect("a number"),
            flag: 0,
            queue_offset: offset,
            physical_offset: offset * 1000,
            sys_flag: 0,
            born_timestamp: 0,
            born_host: host,
            store_timestamp: 0,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        fields.encode(&mut body, Dialect::Apache, "T", "", b"ten bytes.").expect("a message");
    }
    let reply = Reply::ok().field("nextBeginOffset", 8).field("minOffset", 0).field("maxOffset", 8);
    reply.field("suggestWhichBrokerId", 1).body(body.to_vec())
}
