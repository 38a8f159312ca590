//! Attacks by much: visitors who do not read, and a server that does not stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::frame::FrameReader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::attackers::{Attackers, Lanes, ONCE};
use crate::book::{Counted, Kind, Outcome};
use crate::scene::{TOKEN, request};
use crate::smugglers::tunnel;

const DEAF: Kind = Kind { name: "who never reads what a server floods", address: 40, counted: Counted::End("idle") };
const ASKING: Kind = Kind { name: "who never reads why he is refused", address: 41, counted: Counted::End("idle") };
/// What he asks for, as far as he is read.
const ASKED: Kind = Kind { name: "what he is refused", address: 41, counted: Counted::Request };
const SLOW: Kind = Kind { name: "who reads a flood slowly", address: 42, counted: Counted::Nowhere };

/// How many requests of his are read at the most: those whose refusals wait, and those that have come together with them.
const READ: usize = 200;

/// What the system keeps of a stream on its way, both ways of the gateway together, and some: more than that is kept by the gateway.
const ON_ITS_WAY: u64 = 32 << 20;

pub(crate) fn come(lanes: &mut Lanes) {
    lanes.attack(DEAF, 2, ONCE, |attackers, kind, _| async move {
        let mut socket = match tunnel(&attackers, kind, &attackers.flood.address, TOKEN).await {
            Ok(socket) => socket,
            Err(outcome) => return outcome,
        };
        let _ = socket.send(Message::Binary(asking_for("deaf").into())).await;
        ended(socket).await
    });
    lanes.attack(ASKING, 1, ONCE, asking);
    lanes.attack(SLOW, 1, Duration::from_secs(3), slow);
}

/// Waits until the gateway has closed a connection on which nothing is read: then nobody takes a ping any more.
async fn ended(mut socket: WebSocketStream<TcpStream>) -> Outcome {
    while socket.send(Message::Ping(Bytes::new())).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Outcome::Refused
}

/// Asks for what is forbidden while a flood waits for him, and never reads anything: then he is not read either.
async fn asking(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let mut socket = match tunnel(&attackers, kind, &attackers.flood.address, TOKEN).await {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let forbidden = request(RequestCode::UPDATE_NAMESRV_CONFIG, 1, &[], b"").repeat(50);
    let topic = format!("asking-{number}");
    let _ = socket.send(Message::Binary(asking_for(&topic).into())).await;
    attackers.flood.is_held_up(&topic).await;
    (0..READ).for_each(|_| attackers.book.made(ASKED));
    loop {
        if socket.send(Message::Binary(forbidden.clone().into())).await.is_err() {
            attackers.book.note(ASKED, Outcome::Refused);
            return Outcome::Refused;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads a flood at a megabyte a second. The server has to be held up as much.
async fn slow(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let mut socket = match tunnel(&attackers, kind, &attackers.flood.address, TOKEN).await {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let topic = format!("slow-{number}");
    let _ = socket.send(Message::Binary(asking_for(&topic).into())).await;
    let (began, mut read) = (tokio::time::Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(2) {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => read += bytes.len() as u64,
            Some(Ok(_)) => continue,
            // On a busy machine, before it has answered a ping.
            Some(Err(_)) | None => return Outcome::Dropped,
        }
        tokio::time::sleep(Duration::from_millis(64)).await;
    }
    match attackers.flood.written(&topic) {
        written if written < read => Outcome::Breach(format!("{read} bytes of {written}")),
        written if written - read > ON_ITS_WAY => Outcome::Breach(format!("{written} bytes, and {read} are read")),
        _ => Outcome::Refused,
    }
}

/// A question to the server that floods.
fn asking_for(topic: &str) -> Vec<u8> {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, 1, &[("topic", topic)], b"")
}

/// A name server that answers a question about a topic with more than anybody asked for, as long as somebody takes it.
pub(crate) struct Flood {
    pub(crate) address: String,
    /// How much for each topic.
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Flood {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let written = Arc::default();
        let writing = Arc::clone(&written);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(flood(stream, Arc::clone(&writing)));
            }
        });
        Self { address, written }
    }

    fn written(&self, topic: &str) -> u64 {
        self.written.lock().unwrap().get(topic).copied().unwrap_or_default()
    }

    /// Waits until nobody takes any more of what is said about a topic.
    async fn is_held_up(&self, topic: &str) {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            match self.written(topic) {
                now if now > 0 && now == before => return,
                now => before = now,
            }
        }
    }
}

async fn flood(mut stream: TcpStream, written: Arc<Mutex<BTreeMap<String, u64>>>) {
    let mut reader = FrameReader::new(1 << 20);
    let mut piece = [0; 1024];
    // The gateway's own client asks for brokers; there are none, and it goes on to another.
    let topic = loop {
        let Ok(count @ 1..) = stream.read(&mut piece).await else { return };
        reader.extend(&piece[..count]);
        if let Ok(Some(asked)) = reader.next_command() {
            match asked.fields.get("topic") {
                Some(topic) => break topic.into_owned(),
                None => return,
            }
        }
    };
    let frame = [&1020_u32.to_be_bytes()[..], &[0; 1020]].concat().repeat(16);
    while stream.write_all(&frame).await.is_ok() {
        *written.lock().unwrap().entry(topic.clone()).or_default() += frame.len() as u64;
    }
}
