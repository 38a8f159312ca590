//! Visitors with rules who try to have what they may not, and visitors who try to be kept, on sockets.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect, Message as Sent};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Command, FLAG_ONEWAY, Head, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::FrameReader;
use stgclient_core::wire::message::StoredFields;
use stgclient_gateway::{Config, Gateway};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use crate::scene::{PATIENCE, Scene, Wanted, bearer, bytes_of, close_of, eventually, folder, say};
use crate::servers::{clusters, server};

const BOUND: &str = "the-token-of-who-may-have-orders-alone";

/// The lines for a visitor who may have the topic `orders` and the group `shop` alone.
fn bound() -> String {
    let file = folder().join("bound");
    fs::write(&file, BOUND).unwrap();
    format!(
        "[[tokens]]\nname = \"bound\"\ntoken_file = {:?}\ntopics = [\"orders\"]\ngroups = [\"shop\"]",
        file.display().to_string()
    )
}

struct Texts<'a>(&'a [(&'a str, &'a str)]);

impl WriteHeader for Texts<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in self.0 {
            writer.foreign(name, value);
        }
    }
}

fn request(code: RequestCode, flag: i32, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let head = Head { flag, ..Head::request(Dialect::Apache, code, 1) };
    command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &Texts(fields), body);
    out.to_vec()
}

/// The next whole answer.
async fn answer_of(socket: &mut WebSocketStream<TcpStream>) -> Command {
    let mut reader = FrameReader::new(1 << 24);
    loop {
        reader.extend(&bytes_of(socket).await);
        if let Some(command) = reader.next_command().unwrap() {
            return command;
        }
    }
}

fn stored(topic: &str, place: usize, properties: &str, body: &[u8]) -> Vec<u8> {
    let host: SocketAddr = "127.0.0.1:10911".parse().unwrap();
    let fields = StoredFields {
        body_crc: 0,
        queue_id: 0,
        flag: 0,
        queue_offset: 0,
        physical_offset: place as i64,
        sys_flag: 0,
        born_timestamp: 1,
        born_host: host,
        store_timestamp: 1,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let mut out = BytesMut::new();
    fields.encode(&mut out, Dialect::Apache, topic, properties, body).unwrap();
    out.to_vec()
}

#[tokio::test]
async fn with_rules_a_visitor_of_a_smartgo_cluster_pulls_no_topic_that_he_may_not_have() {
    let cluster = EmbeddedCluster::builder().dialect(Dialect::Smartgo).start().await.unwrap();
    let inside = Client::builder(cluster.name_server_address()).dialect(Dialect::Smartgo).connect().await.unwrap();
    inside.admin().create_topic("secrets").queues(1).await.unwrap();
    inside
        .producer("bank")
        .start()
        .await
        .unwrap()
        .send(Sent::new("secrets", "psst, nobody may hear this"))
        .await
        .unwrap();
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[cluster]\nname_servers = [{:?}]\nnetworks = [\"loopback\"]\ndialect = \"smartgo\"\n{}",
        cluster.name_server_address(),
        bound()
    );
    let gateway = Gateway::open(&Config::from_text(&text).unwrap()).await.unwrap();
    let address = gateway.address().unwrap();
    tokio::spawn(gateway.run());
    let uri = format!("ws://{address}/tunnel?target={}", cluster.broker_addresses()[0]).parse().unwrap();
    let asked = ClientRequestBuilder::new(uri).with_header("Sec-WebSocket-Protocol", bearer(BOUND));
    let (mut socket, _) = client_async(asked, TcpStream::connect(address).await.unwrap()).await.unwrap();
    let fields = r#""ConsumerGroup":"GROUP","TOPIC":"secrets","QueueId":"0","QueueOffset":"0","MaxMsgNums":"9","SysFlag":"4","CommitOffset":"0","SuspendTimeoutMillis":"0","Subscription":"*","SubVersion":"0""#;
    for (group, topic) in [("shop", "Topic"), ("shop", r"\u0054opic")] {
        let header = format!(
            r#"{{"code":11,"language":"GOLANG","version":79,"opaque":1,"flag":0,"remark":"","extFields":{{{}}}}}"#,
            fields.replace("GROUP", group).replace("TOPIC", topic)
        );
        let length = (header.len() as u32).to_be_bytes();
        let frame = [&(header.len() as u32 + 4).to_be_bytes()[..], &length, header.as_bytes()].concat();
        say(&mut socket, &frame).await;
        let answer = answer_of(&mut socket).await;
        let heard = String::from_utf8_lossy(&answer.body).contains("nobody may hear this");
        assert!(!heard && answer.code == 16, "{topic}: code {}, and he hears: {heard}", answer.code);
    }
}

/// Java's `String.hashCode`.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

/// A key of seven characters that together with this topic has the hash of another topic and key.
fn colliding_key(topic: &str, wanted: u32) -> String {
    let front = hash(&format!("{topic}#!!!!!!!"));
    let mut rest = u64::from(wanted.wrapping_sub(front));
    let mut digits = [b'!'; 7];
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 31) as u8;
        rest /= 31;
    }
    String::from_utf8(digits.to_vec()).unwrap()
}

#[tokio::test]
async fn with_rules_a_question_by_key_brings_no_message_of_another_topic() {
    // As Java's brokers do it: what has the hash of topic and key is the answer, whatever it is (`IndexFile.selectPhyOffset`,
    // `DefaultMessageStore.queryMessage`), and clients are to look at the topic.
    let broker = server(|own, asked| {
        let field = |name: &str| asked.fields.get(name).unwrap_or_default().into_owned();
        match RequestCode(asked.code) {
            RequestCode::GET_BROKER_CLUSTER_INFO => Some((0, clusters(own))),
            RequestCode::QUERY_MESSAGE => {
                let asked = hash(&format!("{}#{}", field("topic"), field("key")));
                let is_found = asked == hash("secrets#card-of-alice");
                let message = stored("secrets", 0, "KEYS\u{1}card-of-alice\u{2}", b"4929 1111 2222 3333");
                Some(if is_found { (0, message) } else { (22, Vec::new()) })
            }
            _ => Some((17, Vec::new())),
        }
    })
    .await;
    let scene = Scene::with(Wanted { more: &bound(), instead: Some(broker.clone()), ..Wanted::default() }).await;
    let mut socket =
        scene.websocket(&format!("?target={broker}"), &[("Sec-WebSocket-Protocol", &bearer(BOUND))]).await.unwrap();
    let key = colliding_key("orders", hash("secrets#card-of-alice"));
    let fields = [
        ("topic", "orders"),
        ("key", &*key),
        ("maxNum", "9"),
        ("beginTimestamp", "0"),
        ("endTimestamp", "9999999999999"),
    ];
    say(&mut socket, &request(RequestCode::QUERY_MESSAGE, 0, &fields, b"")).await;
    let answer = answer_of(&mut socket).await;
    let heard = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!heard.contains("4929"), "asked for topic orders, key {key}; got {heard:?}");
}

#[tokio::test]
async fn with_rules_a_place_inside_of_a_message_is_no_message() {
    // As Java's brokers do it: from a place come as many bytes as the four bytes there say (`selectOneMessageByOffset`).
    // The visitor has sent two messages of `orders`, A and B. In A's body is the front of a message that says that it
    // is as long as to somewhere in B's body, where its topic stands; what others have sent meanwhile is its body.
    const BODY_AT: usize = 88;
    let place = BODY_AT;
    let front = &stored("orders", place, "", b"")[..BODY_AT];
    let first = stored("orders", 0, "", front);
    let secret = stored("secrets", first.len(), "", b"psst, nobody may hear this");
    let end = b"\x06orders\x00\x00";
    let last = stored("orders", first.len() + secret.len(), "", end);
    let end_at = first.len() + secret.len() + BODY_AT + end.len();
    let mut log = [&first[..], &secret, &last].concat();
    log[place..place + 4].copy_from_slice(&((end_at - place) as u32).to_be_bytes());
    let body_length = end_at - end.len() - (place + BODY_AT);
    log[place + BODY_AT - 4..place + BODY_AT].copy_from_slice(&(body_length as u32).to_be_bytes());
    let broker = server(move |own, asked| match RequestCode(asked.code) {
        RequestCode::GET_BROKER_CLUSTER_INFO => Some((0, clusters(own))),
        RequestCode::VIEW_MESSAGE_BY_ID => {
            let at: usize = asked.fields.get("offset").unwrap().parse().unwrap();
            let length = u32::from_be_bytes(*log[at..].first_chunk().unwrap()) as usize;
            Some((0, log[at..at + length].to_vec()))
        }
        RequestCode::PULL_MESSAGE if asked.fields.get("topic").is_some_and(|topic| topic == "orders") => {
            let length = u32::from_be_bytes(*log.first_chunk().unwrap()) as usize;
            Some((0, log[..length].to_vec()))
        }
        _ => Some((17, Vec::new())),
    })
    .await;
    let scene = Scene::with(Wanted { more: &bound(), instead: Some(broker.clone()), ..Wanted::default() }).await;
    let mut socket =
        scene.websocket(&format!("?target={broker}"), &[("Sec-WebSocket-Protocol", &bearer(BOUND))]).await.unwrap();
    for (at, code) in [(0, 0), (first.len(), 16), (place, 16)] {
        say(&mut socket, &request(RequestCode::VIEW_MESSAGE_BY_ID, 0, &[("offset", &at.to_string())], b"")).await;
        let answer = answer_of(&mut socket).await;
        let heard = String::from_utf8_lossy(&answer.body).contains("nobody may hear this");
        assert_eq!((answer.code, heard), (code, false), "at {at}");
    }
}

#[tokio::test]
async fn with_rules_ones_own_messages_are_found_by_place_also_behind_the_table_of_reachable_addresses() {
    let scene = Scene::new("").await;
    let client = scene.client().await;
    client.admin().create_topic("orders").queues(1).await.unwrap();
    let receipt = client.producer("shop").start().await.unwrap().send(Sent::new("orders", "mine")).await.unwrap();
    let place = receipt.offset_message_id.unwrap().physical_offset().to_string();
    let broker = scene.broker();
    // Where the broker is reached, as in front of containers.
    let outside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reachable = outside.local_addr().unwrap();
    let inside = broker.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = outside.accept().await {
            let mut on = TcpStream::connect(&inside).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut on).await });
        }
    });
    let more = format!("{}\n[cluster.reachable]\n{broker:?} = \"{reachable}\"", bound());
    let second = Scene::with(Wanted { more: &more, instead: Some(scene.name_server()), ..Wanted::default() }).await;
    let mut socket =
        second.websocket(&format!("?target={broker}"), &[("Sec-WebSocket-Protocol", &bearer(BOUND))]).await.unwrap();
    say(&mut socket, &request(RequestCode::VIEW_MESSAGE_BY_ID, 0, &[("offset", &place)], b"")).await;
    let answer = answer_of(&mut socket).await;
    assert_eq!((answer.code, answer.remark.as_deref()), (0, None));
}

#[tokio::test]
async fn a_request_is_counted_once() {
    let scene = Scene::new("").await;
    let mut socket = scene.tunnel_to(&scene.broker()).await;
    say(
        &mut socket,
        &request(RequestCode::HEART_BEAT, 0, &[], br#"{"clientID":"a","consumerDataSet":[],"producerDataSet":[]}"#),
    )
    .await;
    answer_of(&mut socket).await;
    assert_eq!(scene.count("stgclient_gateway_requests_total{outcome=\"passed\"}"), 1.0);
}

#[tokio::test]
async fn a_request_that_is_refused_is_counted_also_if_nobody_waits_for_an_answer() {
    let scene = Scene::new("").await;
    let mut socket = scene.tunnel_to(&scene.name_server()).await;
    for _ in 0..5 {
        say(&mut socket, &request(RequestCode::REGISTER_BROKER, FLAG_ONEWAY, &[], b"{}")).await;
    }
    say(&mut socket, &request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 0, &[], b"")).await;
    answer_of(&mut socket).await;
    assert_eq!(scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}"), 5.0);
}

#[tokio::test]
async fn a_visitor_whose_server_does_not_read_is_told_so_and_is_not_called_idle() {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    let scene = Scene::with(Wanted {
        name_servers: vec![address.clone()],
        bounds: "idle_seconds = 2\nping_seconds = 0.3",
        ..Wanted::default()
    })
    .await;
    let socket = scene.tunnel_to(&address).await;
    let (mut sink, mut stream) = socket.split();
    let frame = request(RequestCode::SEND_MESSAGE_V2, 0, &[("b", "orders")], &vec![0; 200_000]);
    tokio::spawn(async move {
        for _ in 0..100 {
            if sink.send(Message::Binary(frame.clone().into())).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    });
    let reading = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => break format!("{frame:?}"),
                Some(Ok(_)) => {}
                other => break format!("{other:?}"),
            }
        }
    };
    let end = tokio::time::timeout(PATIENCE, reading).await.expect("the tunnel is ended");
    assert!(end.contains("4502") && end.contains("the server takes nothing"), "{end}");
}

/// What this process has in memory now, in MiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// Run it alone: it looks at what the process has.
#[tokio::test]
async fn what_is_kept_of_all_bodies_that_never_end_is_bounded() {
    use futures::SinkExt;
    use tokio_tungstenite::tungstenite::Message;
    let scene = Scene::with(Wanted { more: &bound(), ..Wanted::default() }).await;
    // Of a batch the body is judged, and may be as long as messages are.
    let whole = request(
        RequestCode::SEND_BATCH_MESSAGE,
        0,
        &[("a", "shop"), ("b", "orders"), ("m", "true")],
        &vec![0; (5 << 20) - 1],
    );
    let whole = bytes::Bytes::from(whole).slice(..(5 << 20) - 1);
    let before = resident();
    let mut open = Vec::new();
    for _ in 0..60 {
        let query = format!("?target={}", scene.broker());
        let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(BOUND))]).await.unwrap();
        let mut rest = whole.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(200_000));
            socket.send(Message::Binary(piece)).await.unwrap();
        }
        open.push(socket);
    }
    let all = (60 * whole.len()) as f64;
    eventually("all of it is read", || scene.count("stgclient_gateway_bytes_total{towards=\"cluster\"}") >= all).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 100, "60 tunnels of one address, which may have 200, hold {grown} MiB for as long as they like");
}

#[tokio::test]
async fn a_body_that_is_kept_has_to_come_in_time_however_many_came_before() {
    let scene = Scene::with(Wanted { more: &bound(), bounds: "body_seconds = 1", ..Wanted::default() }).await;
    let query = format!("?target={}", scene.broker());
    let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(BOUND))]).await.unwrap();
    let beat =
        request(RequestCode::HEART_BEAT, 0, &[], br#"{"clientID":"a","consumerDataSet":[],"producerDataSet":[]}"#);
    let (front, end) = beat.split_at(beat.len() - 9);
    say(&mut socket, front).await;
    // Together longer than one of them may take.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        say(&mut socket, &[end, front].concat()).await;
        assert_eq!(answer_of(&mut socket).await.code, 0);
    }
    assert_eq!(close_of(socket).await, (4408, "a request took too long to come".to_owned()));
}
