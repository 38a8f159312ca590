//! The two ways to a server: TCP, and WebSockets.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use stgclient::{Dialect, RequestCode};
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::{WebSocketStream, client_async};

/// What the server says to each frame: a header of JSON, and nothing more.
pub(crate) const REPLY: [u8; 30] = *b"\0\0\0\x1a\0\0\0\x16{\"code\":0,\"opaque\":1} ";

/// How a visitor reaches the server.
pub(crate) enum Way {
    Tcp { stream: TcpStream, buffer: Vec<u8>, pending: usize },
    WebSocket { socket: Box<WebSocketStream<TcpStream>>, pending: usize },
}

impl Way {
    pub(crate) async fn open(address: &str, url: Option<&str>, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is TCP");
        let Some(url) = url else { return Self::Tcp { stream, buffer: vec![0; 65_536], pending: 0 } };
        let request = ClientRequestBuilder::new(url.parse().expect("a URL")).with_sub_protocol("binary");
        let request =
            if url.contains("/tunnel") { request.with_sub_protocol(format!("bearer.{token}")) } else { request };
        let (socket, _) = client_async(request, stream).await.expect("it speaks WebSocket");
        Self::WebSocket { socket: Box::new(socket), pending: 0 }
    }

    pub(crate) async fn send(&mut self, frame: &Bytes) {
        match self {
            Self::Tcp { stream, .. } => stream.write_all(frame).await.expect("it takes bytes"),
            Self::WebSocket { socket, .. } => {
                socket.send(Message::Binary(frame.clone())).await.expect("it takes bytes")
            }
        }
    }

    /// How many replies have come, of which it waits for one piece.
    pub(crate) async fn replies(&mut self) -> usize {
        let (count, pending) = match self {
            Self::Tcp { stream, buffer, pending } => (stream.read(buffer).await.expect("it answers"), pending),
            Self::WebSocket { socket, pending } => loop {
                match socket.next().await.expect("it answers").expect("it answers") {
                    Message::Binary(bytes) => break (bytes.len(), pending),
                    Message::Close(frame) => panic!("closed: {frame:?}"),
                    _ => {}
                }
            },
        };
        assert!(count > 0, "the end");
        *pending += count;
        let replies = *pending / REPLY.len();
        *pending %= REPLY.len();
        replies
    }
}

struct Fields;

impl WriteHeader for Fields {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in [
            ("a", "measure"),
            ("b", "benchmark"),
            ("c", "TBW102"),
            ("d", "8"),
            ("e", "3"),
            ("f", "0"),
            ("g", "1764547200000"),
            ("h", "0"),
            ("i", ""),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
        ] {
            writer.text(name, value);
        }
    }
}

/// A message that is sent, so many bytes in all.
pub(crate) fn frame(length: usize) -> Bytes {
    let whole = |body: &[u8]| {
        let mut out = BytesMut::new();
        let head = Head::request(Dialect::Apache, RequestCode::SEND_MESSAGE_V2, 1);
        command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &Fields, body);
        out.freeze()
    };
    let header = whole(&[]).len();
    whole(&vec![b'a'; length.saturating_sub(header)])
}
