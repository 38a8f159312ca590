//! What an adversary has found: rules that are broken today, each by a test named after it.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect, Message as Sent};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, FLAG_ONEWAY, Head, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, NoFields, WriteHeader};
use stgclient_core::wire::frame::FrameReader;
use stgclient_core::wire::message::StoredFields;
use stgclient_gateway::{Config, Gateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use crate::login::{Login, in_seconds};
use crate::scene::{PAGE, PATIENCE, Scene, TOKEN, Wanted, bearer, bytes_of, close_of, eventually, folder, say};

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

/// A server that is name server and broker in one, and answers by this, or not at all.
async fn server(answers: impl Fn(&str, &Command) -> Option<(i32, Vec<u8>)> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (answers, own) = (Arc::new(answers), address.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answers, own) = (Arc::clone(&answers), own.clone());
            tokio::spawn(async move {
                let mut reader = FrameReader::new(1 << 24);
                let mut piece = vec![0; 1 << 16];
                while let Ok(count @ 1..) = stream.read(&mut piece).await {
                    reader.extend(&piece[..count]);
                    while let Ok(Some(command)) = reader.next_command() {
                        if let Some((code, body)) = answers(&own, &command) {
                            let mut out = BytesMut::new();
                            let head = Head::response(Dialect::Apache, ResponseCode(code), command.opaque, None);
                            command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, &body);
                            let _ = stream.write_all(&out).await;
                        }
                    }
                }
            });
        }
    });
    address
}

/// What a name server says of one broker.
fn clusters(broker: &str) -> Vec<u8> {
    format!(
        r#"{{"brokerAddrTable":{{"b":{{"brokerAddrs":{{0:"{broker}"}},"brokerName":"b","cluster":"c"}}}},"clusterAddrTable":{{"c":["b"]}}}}"#
    )
    .into_bytes()
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
async fn an_address_has_no_more_than_its_connections_also_before_it_has_asked_for_a_websocket() {
    let scene = Scene::new("connections = 40\nconnections_per_address = 5\nhandshakes_per_second = 10000").await;
    let gateway: SocketAddr = scene.address.parse().unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        silent.push(socket.connect(gateway).await.unwrap());
    }
    eventually("all have come", || scene.count("stgclient_gateway_connections_total") == 40.0).await;
    // Somebody else comes from elsewhere.
    let other = scene.websocket(&format!("?target={}", scene.name_server()), &[("Origin", PAGE)]).await;
    assert!(other.is_ok(), "one address has 40 of 40 places, may have 5, and everybody else gets {:?}", other.err());
}

/// Asks for a tunnel with these lines beside the others, and gives the connection once there is an answer.
async fn raw(scene: &Scene, lines: &[u8]) -> TcpStream {
    let mut socket = scene.socket().await;
    let front = format!(
        "GET /tunnel?target={} HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: binary, bearer.{TOKEN}\r\n",
        scene.name_server()
    );
    socket.write_all(&[front.as_bytes(), lines, b"\r\n"].concat()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(PATIENCE, socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    socket
}

#[tokio::test]
async fn a_line_that_cannot_be_read_gives_a_visitor_no_other_address() {
    let scene = Scene::new("connections_per_address = 1\ntrusted_proxies = [\"127.0.0.1/32\"]").await;
    let mut open = Vec::new();
    for said in ["9.9.9.9", "8.8.8.8", "7.7.7.7"] {
        // The visitor has sent two lines; his proxy has written behind the last one where he is from.
        let lines = [b"X-Forwarded-For: ", said.as_bytes(), b"\r\nX-Forwarded-For: \xff, 6.6.6.6\r\n"].concat();
        open.push(raw(&scene, &lines).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stand = scene.count("stgclient_gateway_tunnels");
    assert!(stand <= 1.0, "6.6.6.6 has {stand} tunnels, and may have one");
}

#[tokio::test]
async fn visitors_of_a_proxy_that_says_their_ports_are_several() {
    let scene = Scene::new("connections_per_address = 1\ntrusted_proxies = [\"127.0.0.1/32\"]").await;
    let mut open = Vec::new();
    // As Azure's and Amazon's proxies write it, some of them by an option.
    for said in ["6.6.6.6:50001", "7.7.7.7:50002", "[2001:db8::1]:50003"] {
        open.push(raw(&scene, format!("X-Forwarded-For: {said}\r\n").as_bytes()).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.count("stgclient_gateway_tunnels"), 3.0, "three visitors, each from elsewhere");
}

#[tokio::test]
async fn who_names_what_is_not_known_is_told_in_time_also_if_name_servers_say_nothing() {
    let name_server = server(|_, asked| {
        (RequestCode(asked.code) != RequestCode::GET_BROKER_CLUSTER_INFO).then_some((17, Vec::new()))
    })
    .await;
    let scene =
        Scene::with(Wanted { bounds: "connect_seconds = 1", instead: Some(name_server), ..Wanted::default() }).await;
    let started = Instant::now();
    let mut waiting = Vec::new();
    for number in 0..8 {
        let socket =
            scene.websocket(&format!("?target=127.0.0.1:{}", 1000 + number), &[("Origin", PAGE)]).await.unwrap();
        waiting.push(tokio::spawn(async move {
            let end = tokio::time::timeout(2 * PATIENCE, close_after(socket)).await;
            (end, started.elapsed())
        }));
    }
    let mut longest = Duration::ZERO;
    for one in waiting {
        longest = longest.max(one.await.unwrap().1);
    }
    assert!(
        longest < Duration::from_secs(10),
        "the last of eight was told after {longest:?}; meanwhile nothing is read of him"
    );
}

async fn close_after(mut socket: WebSocketStream<TcpStream>) {
    use futures::StreamExt;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() {
            return;
        }
    }
}

#[tokio::test]
async fn a_token_that_says_until_when_it_is_not_valid_in_another_way_is_not_accepted() {
    let login = Login::new(Algorithm::EdDSA);
    let scene = login.scene().await;
    let query = format!("?target={}", scene.name_server());
    let mut accepted = Vec::new();
    for nbf in [json!(in_seconds(6000).to_string()), json!([in_seconds(6000)]), json!(-1), json!({})] {
        let claims = json!({ "aud": "gateway", "iss": "login", "exp": in_seconds(9000), "nbf": nbf });
        let socket =
            scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(&login.token(&claims)))]).await.unwrap();
        if tokio::time::timeout(Duration::from_millis(500), close_of(socket)).await.is_err() {
            accepted.push(nbf);
        }
    }
    assert_eq!(accepted, [] as [Value; 0]);
}

#[tokio::test]
async fn a_token_whose_lists_are_null_gives_no_more_than_one_whose_lists_are_empty() {
    let login = Login::new(Algorithm::EdDSA);
    let scene = login.scene().await;
    let query = format!("?target={}", scene.name_server());
    for nothing in [json!([]), Value::Null] {
        let claims =
            json!({ "aud": "gateway", "iss": "login", "exp": in_seconds(9000), "topics": nothing, "groups": nothing });
        let mut socket =
            scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(&login.token(&claims)))]).await.unwrap();
        say(&mut socket, &request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 0, &[], b"")).await;
        assert_eq!(answer_of(&mut socket).await.code, 16, "lists that are {nothing} give all topics");
    }
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

/// What is wrong with a file that says this; nothing, if it is taken.
fn wrong(cluster: &str, tokens: &str) -> Option<String> {
    let text = format!("listen = \"127.0.0.1:0\"\n[cluster]\n{cluster}\n{tokens}");
    let checked = Config::from_text(&text).and_then(|config| Gateway::check(&config));
    checked.err().map(|error| error.to_string())
}

#[tokio::test]
async fn a_file_that_means_something_else_than_it_says_is_not_taken() {
    let folder = folder();
    fs::write(folder.join("one"), "a-secret-that-two-have").unwrap();
    let token = |name: &str, more: &str| {
        format!("[[tokens]]\nname = {name:?}\ntoken_file = {:?}\n{more}\n", folder.join("one").display().to_string())
    };
    let good = "name_servers = [\"10.0.0.1:9876\"]\nnetworks = [\"10.0.0.0/8\"]";
    assert_eq!(wrong(good, &token("a", "")), None);
    let mut taken = Vec::new();
    for (what, cluster, tokens) in [
        // The last one counts, so that `billing` is an administrator.
        ("one secret for two", good, token("billing", "topics = [\"orders\"]") + &token("ops", "administers = true")),
        ("a star that is a letter", good, token("a", "topics = [\"orders-*-eu\"]")),
        (
            "a network that has nothing",
            "name_servers = [\"127.0.0.1:9876\"]\nnetworks = [\"127.0.0.0/8\"]",
            token("a", ""),
        ),
        (
            "name servers elsewhere",
            "name_servers = [\"10.0.0.1:9876\"]\nnetworks = [\"192.168.0.0/16\"]",
            token("a", ""),
        ),
        ("no network", "name_servers = [\"10.0.0.1:9876\"]\nnetworks = []", token("a", "")),
        (
            "reachable elsewhere",
            "name_servers = [\"10.0.0.1:9876\"]\nnetworks = [\"10.0.0.0/8\"]\nreachable = { \"172.17.0.2:1\" = \"192.168.0.1:1\" }",
            token("a", ""),
        ),
    ] {
        if wrong(cluster, &tokens).is_none() {
            taken.push(what);
        }
    }
    assert_eq!(taken, [] as [&str; 0]);
}

#[tokio::test]
async fn a_visitor_who_answers_pings_is_not_called_idle_while_a_server_does_not_read() {
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
    let end = tokio::time::timeout(Duration::from_secs(8), reading).await;
    assert!(end.is_err(), "{end:?}");
}

#[tokio::test]
async fn who_waits_for_his_target_is_told_that_the_gateway_stops() {
    let name_server = server(|_, asked| {
        (RequestCode(asked.code) != RequestCode::GET_BROKER_CLUSTER_INFO).then_some((17, Vec::new()))
    })
    .await;
    let mut scene =
        Scene::with(Wanted { bounds: "drain_seconds = 10", instead: Some(name_server), ..Wanted::default() }).await;
    let mut sockets = Vec::new();
    for number in 0..5 {
        sockets
            .push(scene.websocket(&format!("?target=127.0.0.1:{}", 1000 + number), &[("Origin", PAGE)]).await.unwrap());
    }
    let started = Instant::now();
    scene.gateway.stop();
    let said = close_of(sockets.pop().unwrap()).await;
    assert_eq!(
        (said.0, started.elapsed() < Duration::from_secs(4)),
        (1001, true),
        "{said:?} after {:?}",
        started.elapsed()
    );
    tokio::time::timeout(PATIENCE, &mut scene.running).await.unwrap().unwrap();
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
    let whole = request(RequestCode::HEART_BEAT, 0, &[], &vec![b' '; 5 << 20]);
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
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 100, "60 tunnels of one address, which may have 200, hold {grown} MiB for as long as they like");
}
