//! A cluster in memory, a gateway before it, and a well-behaved client that goes on whatever is done beside it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect, Message as Sent, Tunnel};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::FrameReader;
use stgclient_gateway::{Config, Gateway, Handle, Resolver};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The secret of the scene's steady client.
pub(crate) const TOKEN: &str = "the-steady-client-s-token";
/// The page that may come in without one.
pub(crate) const PAGE: &str = "https://app.example.com";
/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Scene {
    pub(crate) cluster: EmbeddedCluster,
    pub(crate) gateway: Handle,
    /// Where the gateway is, `host:port`.
    pub(crate) address: String,
    pub(crate) operation: String,
    pub(crate) folder: PathBuf,
    pub(crate) running: JoinHandle<()>,
}

/// What a scene's file says beside the least.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) bounds: &'a str,
    pub(crate) more: &'a str,
    pub(crate) networks: Option<&'a str>,
    /// Name servers beside that of the cluster.
    pub(crate) name_servers: Vec<String>,
    /// Another cluster's name server instead.
    pub(crate) instead: Option<String>,
    /// Where the cluster's names lead, if the system does not say it.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
}

impl Scene {
    pub(crate) async fn new(bounds: &str) -> Self {
        Self::with(Wanted { bounds, ..Wanted::default() }).await
    }

    pub(crate) async fn with(wanted: Wanted<'_>) -> Self {
        let cluster = EmbeddedCluster::builder().start().await.unwrap();
        let folder = folder();
        fs::write(folder.join("token"), TOKEN).unwrap();
        let mut name_servers = wanted.name_servers;
        name_servers.push(wanted.instead.unwrap_or_else(|| cluster.name_server_address().to_owned()));
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            origins = ["{PAGE}"]
            [operation]
            listen = "127.0.0.1:0"
            [cluster]
            name_servers = {name_servers:?}
            networks = [{}]
            [[tokens]]
            name = "steady"
            token_file = "{}"
            administers = true
            [anonymous]
            [bounds]
            {}
            {}
            "#,
            wanted.networks.unwrap_or(r#""loopback""#),
            folder.join("token").display(),
            wanted.bounds,
            wanted.more.replace("FOLDER", &folder.display().to_string()),
        );
        let config = Config::from_text(&text).unwrap();
        let gateway = match wanted.resolver {
            Some(resolver) => Gateway::open_with(&config, resolver).await.unwrap(),
            None => Gateway::open(&config).await.unwrap(),
        };
        let address = gateway.address().unwrap().to_string();
        let operation = gateway.operation_address().unwrap().to_string();
        let handle = gateway.handle();
        let running = tokio::spawn(gateway.run());
        Self { cluster, gateway: handle, address, operation, folder, running }
    }

    pub(crate) fn name_server(&self) -> String {
        self.cluster.name_server_address().to_owned()
    }

    pub(crate) fn broker(&self) -> String {
        self.cluster.broker_addresses()[0].clone()
    }

    /// The way through the gateway, for whom it knows.
    pub(crate) fn tunnel(&self) -> Tunnel {
        Tunnel::builder(format!("ws://{}/tunnel", self.address)).token(TOKEN).build().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::builder(self.name_server()).tunnel(self.tunnel()).connect().await.unwrap()
    }

    /// A connection to the gateway, of which nothing has been said yet.
    pub(crate) async fn socket(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// A WebSocket with these headers, to what the query says.
    pub(crate) async fn websocket(
        &self,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocketStream<TcpStream>, Error> {
        self.websocket_on(self.socket().await, query, headers).await
    }

    /// The same on a connection that stands.
    pub(crate) async fn websocket_on<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocketStream<S>, Error> {
        let uri = format!("ws://{}/tunnel{query}", self.address).parse().unwrap();
        let mut request = ClientRequestBuilder::new(uri);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        client_async(request, socket).await.map(|(socket, _)| socket)
    }

    /// A tunnel to this target for who has the token.
    pub(crate) async fn tunnel_to(&self, target: &str) -> WebSocketStream<TcpStream> {
        let protocols = format!("binary, bearer.{TOKEN}");
        self.websocket(&format!("?target={target}"), &[("Sec-WebSocket-Protocol", &protocols)]).await.unwrap()
    }

    /// The same with lines that are written as they are, for who has the token `TOKEN`; what HTTP says instead, if there is none.
    pub(crate) async fn raw(&self, lines: &[u8]) -> Result<WebSocketStream<TcpStream>, String> {
        let mut socket = self.socket().await;
        let front = format!(
            "GET /tunnel?target={} HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: {}\r\n",
            self.name_server(),
            bearer(TOKEN)
        );
        socket.write_all(&[front.as_bytes(), lines, b"\r\n"].concat()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tokio::time::timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap());
        }
        match String::from_utf8(head).unwrap() {
            head if head.starts_with("HTTP/1.1 101") => {
                Ok(WebSocketStream::from_raw_socket(socket, Role::Client, None).await)
            }
            head => Err(head),
        }
    }

    /// How a WebSocket with these headers is closed, at once.
    pub(crate) async fn closed(&self, query: &str, headers: &[(&str, &str)]) -> (u16, String) {
        close_of(self.websocket(query, headers).await.unwrap()).await
    }

    /// A count, as Prometheus would read it; 0 if there is none yet.
    pub(crate) fn count(&self, name: &str) -> f64 {
        count_in(&self.gateway.metrics(), name)
    }

    /// A client that sends without pause, until it is told to stop. All its messages have to succeed.
    pub(crate) async fn steady(&self) -> Steady {
        let client = self.client().await;
        client.admin().create_topic("steady").await.unwrap();
        let producer = client.producer("steady").start().await.unwrap();
        producer.send(Sent::new("steady", "the first")).await.unwrap();
        let (stops, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (stopping, counting) = (Arc::clone(&stops), Arc::clone(&sent));
        let sending = tokio::spawn(async move {
            while !stopping.load(SeqCst) {
                producer.send(Sent::new("steady", "hello")).await.expect("whatever is done beside it");
                counting.fetch_add(1, SeqCst);
            }
            client.close().await;
        });
        Steady { stops, sent, sending }
    }

    /// What the gateway answers by HTTP.
    pub(crate) async fn http(&self, address: &str, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("it closes");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.gateway.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) struct Steady {
    stops: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    sending: JoinHandle<()>,
}

impl Steady {
    /// Asserts that nothing has disturbed it.
    pub(crate) async fn went_on(self) {
        let before = self.sent.load(SeqCst);
        eventually("it sends on", || self.sending.is_finished() || self.sent.load(SeqCst) >= before + 10).await;
        self.stops.store(true, SeqCst);
        tokio::time::timeout(PATIENCE, self.sending).await.expect("it goes on").unwrap();
    }
}

/// A count in what Prometheus reads; 0 if there is none yet.
pub(crate) fn count_in(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit_once(' ')).map_or(0.0, |(_, value)| value.parse().unwrap())
}

/// How the gateway closes a WebSocket.
pub(crate) async fn close_of<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) -> (u16, String) {
    let closing = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => break (frame.code.into(), frame.reason.to_string()),
                Some(Ok(Message::Close(None))) => break (1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(error)) => break (1006, error.to_string()),
                None => break (1006, "the end".to_owned()),
            }
        }
    };
    let said = tokio::time::timeout(PATIENCE, closing).await.expect("it is closed");
    let _ = socket.close(None).await;
    said
}

/// The next bytes that come.
pub(crate) async fn bytes_of<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Vec<u8> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("something comes") {
            Some(Ok(Message::Binary(bytes))) => return bytes.to_vec(),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn say<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, bytes: &[u8]) {
    socket.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
}

/// What creates the topic of orders.
pub(crate) const CREATE_ORDERS: [(&str, &str); 8] = [
    ("topic", "orders"),
    ("defaultTopic", "TBW102"),
    ("readQueueNums", "1"),
    ("writeQueueNums", "1"),
    ("perm", "6"),
    ("topicFilterType", "SINGLE_TAG"),
    ("topicSysFlag", "0"),
    ("order", "false"),
];

/// What who has this token offers.
pub(crate) fn bearer(token: &str) -> String {
    format!("binary, bearer.{token}")
}

/// A request, as a visitor writes it, right or wrong.
pub(crate) fn request(code: RequestCode, opaque: i32, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let head = Head::request(Dialect::Apache, code, opaque);
    command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &Pairs(fields), body);
    out.to_vec()
}

struct Pairs<'a>(&'a [(&'a str, &'a str)]);

impl WriteHeader for Pairs<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in self.0 {
            writer.foreign(name, value);
        }
    }
}

/// What a request is answered.
pub(crate) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    request: &[u8],
) -> Command {
    say(socket, request).await;
    let mut reader = FrameReader::new(1 << 20);
    loop {
        reader.extend(&bytes_of(socket).await);
        if let Some(answer) = reader.next_command().unwrap() {
            return answer;
        }
    }
}

/// Looks again until it is so.
pub(crate) async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !look() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A folder of the test's own.
pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("stgclient-gateway-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}
