//! Attacks of whoever is let in: what he may not have, in whichever way it is packed.

use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use serde_json::json;
use stgclient::Dialect;
use stgclient_core::wire::body::{
    self, ConsumerData, HeartbeatData, ProducerData, QueueKey, QueueLockRequest, SubscriptionData,
};
use stgclient_core::wire::code::RequestCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::attackers::{Attackers, Lanes, ask, forbids, is_closed, is_forbidden};
use crate::book::{Counted, Kind, Outcome};
use crate::login::claims;
use crate::scene::{TOKEN, bearer, request};
use crate::strangers::each;
use crate::{MESSAGE_BYTES, broken};

const FRAME: Kind = Kind { name: "a WebSocket that breaks its rules", address: 30, counted: Counted::End("websocket") };
const LONG: Kind =
    Kind { name: "a message of a huge announced length", address: 31, counted: Counted::End("long_message") };
const NO_ROCKETMQ: Kind =
    Kind { name: "no RocketMQ, or a huge frame of it", address: 32, counted: Counted::End("violation") };
const REGISTER: Kind = Kind { name: "a broker that a visitor registers", address: 33, counted: Counted::Request };
/// Where it would be.
const REGISTERED: Kind =
    Kind { name: "the address of such a broker", address: 33, counted: Counted::End("unknown_target") };
const FORBIDDEN: Kind = Kind { name: "a forbidden code, cut and gathered", address: 34, counted: Counted::Request };
const SECOND: Kind = Kind { name: "a forbidden code behind a good one", address: 35, counted: Counted::Request };
const BODY: Kind = Kind { name: "another's topic or group in a body", address: 36, counted: Counted::Request };
const FIELD: Kind = Kind { name: "another's topic or group in a header", address: 37, counted: Counted::Request };

pub(crate) fn come(lanes: &mut Lanes) {
    lanes.attack(
        FRAME,
        1,
        each(200),
        |attackers, kind, number| async move { broken(&attackers, kind, number, 1002).await },
    );
    lanes.attack(
        LONG,
        1,
        each(200),
        |attackers, kind, number| async move { broken(&attackers, kind, number, 1009).await },
    );
    lanes.attack(NO_ROCKETMQ, 1, each(200), |attackers, kind, number| async move {
        let nonsense = broken::no_rocketmq();
        let mut socket = match tunnel(&attackers, kind, &attackers.scene.broker(), TOKEN).await {
            Ok(socket) => socket,
            Err(outcome) => return outcome,
        };
        let _ = socket.send(Message::Binary(Bytes::from_static(nonsense[number % nonsense.len()].0))).await;
        is_closed(socket, 4410).await
    });
    lanes.attack(REGISTER, 1, each(300), register);
    lanes.attack(FORBIDDEN, 1, each(200), forbidden);
    lanes.attack(SECOND, 1, each(200), second);
    lanes.attack(BODY, 1, each(200), |attackers, kind, number| async move {
        bound(&attackers, kind, &bodies()[number % 5]).await
    });
    lanes.attack(FIELD, 1, each(200), |attackers, kind, number| async move {
        let ends = [("topic", "steady"), ("queueId", "0")];
        let members = [("consumerGroup", "steady")];
        let request = match number % 2 {
            0 => request(RequestCode::GET_MAX_OFFSET, 1, &ends, b""),
            _ => request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, 1, &members, b""),
        };
        bound(&attackers, kind, &request).await
    });
}

/// A tunnel to a server for who has this token.
pub(crate) async fn tunnel(
    attackers: &Attackers,
    kind: Kind,
    target: &str,
    token: &str,
) -> Result<WebSocketStream<TcpStream>, Outcome> {
    attackers.websocket(kind, &format!("?target={target}"), &[("Sec-WebSocket-Protocol", &bearer(token))]).await
}

/// A frame that breaks the rules of WebSockets and is closed with this code.
async fn broken(attackers: &Attackers, kind: Kind, number: usize, code: u16) -> Outcome {
    let frames = broken::frames(MESSAGE_BYTES);
    let mut frames: Vec<_> = frames.into_iter().filter(|(.., wanted)| *wanted == code).collect();
    let (what, frame, _) = frames.swap_remove(number % frames.len());
    let mut raw = match tunnel(attackers, kind, &attackers.scene.name_server(), TOKEN).await {
        Ok(socket) => socket.into_inner(),
        Err(outcome) => return outcome,
    };
    let _ = raw.write_all(&frame).await;
    let mut said = Vec::new();
    let _ = raw.read_to_end(&mut said).await;
    match said[..] {
        [0x88, _, high, low, ..] if u16::from_be_bytes([high, low]) == code => Outcome::Refused,
        [] => Outcome::Dropped,
        _ => Outcome::Breach(format!("a frame {what}: {said:?}")),
    }
}

/// Somebody tells the name server that a broker is where he wants to get to, and wants to get there.
async fn register(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let mut socket = match tunnel(&attackers, kind, &attackers.scene.name_server(), TOKEN).await {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let address = attackers.inside().to_string();
    let fields = [
        ("brokerName", "evil"),
        ("brokerAddr", &*address),
        ("clusterName", "DefaultCluster"),
        ("haServerAddr", &*address),
        ("brokerId", "0"),
        ("compressed", "false"),
        ("bodyCrc32", "0"),
    ];
    let text = br#"{"topicConfigSerializeWrapper":{"topicConfigTable":{}},"filterServerList":[]}"#;
    let register = request(RequestCode::REGISTER_BROKER, 5, &fields, text);
    let outcome = cut(&mut socket, &register, 1 + number % 40).await;
    attackers.book.made(REGISTERED);
    let query = format!("?target={address}");
    let there = attackers.closed(REGISTERED, &query, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))], 4404).await;
    attackers.book.note(REGISTERED, there);
    outcome
}

/// Sends a request that is forbidden in pieces of this length, and hears that it is. The pieces are messages, or frames of one message.
async fn cut(socket: &mut WebSocketStream<TcpStream>, request: &[u8], length: usize) -> Outcome {
    let (last, pieces) = request.split_last().unwrap();
    for (number, piece) in pieces.chunks(length).enumerate() {
        let piece = Bytes::copy_from_slice(piece);
        let kind = OpCode::Data(if number == 0 { Data::Binary } else { Data::Continue });
        let is_last = (number + 1) * length >= pieces.len();
        let piece = match length % 2 {
            0 => Message::Binary(piece),
            _ => Message::Frame(Frame::message(piece, kind, is_last)),
        };
        if socket.feed(piece).await.is_err() {
            return Outcome::Dropped;
        }
    }
    is_forbidden(socket, &[*last]).await
}

const FORBIDDEN_CODES: [RequestCode; 8] = [
    RequestCode::UPDATE_NAMESRV_CONFIG,
    RequestCode::UPDATE_BROKER_CONFIG,
    RequestCode::REGISTER_BROKER,
    RequestCode::UNREGISTER_BROKER,
    RequestCode::CLEAN_UNUSED_TOPIC,
    RequestCode::PUT_KV_CONFIG,
    RequestCode::GET_ALL_TOPIC_CONFIG,
    RequestCode(-1),
];

async fn forbidden(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let mut socket = match tunnel(&attackers, kind, &attackers.scene.broker(), TOKEN).await {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let code = FORBIDDEN_CODES[number % FORBIDDEN_CODES.len()];
    // A body that looks like a request which passes.
    let body = request(RequestCode::GET_MAX_OFFSET, 9, &[("topic", "steady"), ("queueId", "0")], b"");
    cut(&mut socket, &request(code, 5, &[("namespace", "x")], &body), 1 + number % 60).await
}

/// Two requests in one piece: the first is answered by the broker, the second by the gateway.
async fn second(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let mut socket = match tunnel(&attackers, kind, &attackers.scene.broker(), TOKEN).await {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let good = request(RequestCode::GET_MAX_OFFSET, 1, &[("topic", "steady"), ("queueId", "0")], b"");
    let code = FORBIDDEN_CODES[number % FORBIDDEN_CODES.len()];
    let answers = match ask(&mut socket, &[good, request(code, 2, &[], b"")].concat(), 2).await {
        Ok(answers) => answers,
        Err(outcome) => return outcome,
    };
    let of = |opaque| answers.iter().find(|answer| answer.opaque == opaque);
    match (of(1).map(|first| first.code), of(2)) {
        (Some(0), Some(second)) => forbids(second),
        (first, _) => Outcome::Breach(format!("the first is answered {first:?}")),
    }
}

/// A request of somebody who may have a topic and a group of his own.
async fn bound(attackers: &Attackers, kind: Kind, request: &[u8]) -> Outcome {
    let token = attackers.login.token(&claims(json!({ "topics": ["mine"], "groups": ["mine"] })));
    match tunnel(attackers, kind, &attackers.scene.broker(), &token).await {
        Ok(mut socket) => is_forbidden(&mut socket, request).await,
        Err(outcome) => outcome,
    }
}

/// Heartbeats and locks that are about the steady client's topic and group, each in another place of the body.
fn bodies() -> [Vec<u8>; 5] {
    let beat = |producer: &str, group: &str, topic: &str| {
        let subscription_data_set = vec![SubscriptionData { topic: topic.to_owned(), ..SubscriptionData::default() }];
        let data = HeartbeatData {
            producer_data_set: vec![ProducerData { group_name: producer.to_owned() }],
            consumer_data_set: vec![ConsumerData {
                group_name: group.to_owned(),
                subscription_data_set,
                ..ConsumerData::default()
            }],
            ..HeartbeatData::default()
        };
        request(RequestCode::HEART_BEAT, 1, &[], &data.encode(Dialect::Apache))
    };
    let lock = |group: &str, topic: &str| {
        let mut locks = QueueLockRequest { consumer_group: group.to_owned(), ..QueueLockRequest::default() };
        locks.mq_set.insert(QueueKey { topic: topic.to_owned(), broker_name: "broker-a".to_owned(), queue_id: 0 });
        request(RequestCode::LOCK_BATCH_MQ, 1, &[], &body::to_vec(&locks))
    };
    [
        beat("steady", "mine", "mine"),
        beat("mine", "steady", "mine"),
        beat("mine", "mine", "steady"),
        lock("steady", "mine"),
        lock("mine", "steady"),
    ]
}
