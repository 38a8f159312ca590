//! Attacks of whoever is not let in at all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::attackers::{Attackers, Lanes, ONCE};
use crate::book::{Counted, Kind, Outcome};
use crate::scene::{PAGE, TOKEN, bearer};
use crate::{HANDSHAKE, outside};

const HALF: Kind = Kind { name: "half a request", address: 10, counted: Counted::Dropped("handshake_deadline") };
const DRIPPING: Kind =
    Kind { name: "a request byte by byte", address: 11, counted: Counted::Dropped("handshake_deadline") };
const IDLE: Kind =
    Kind { name: "a connection without a word", address: 12, counted: Counted::Dropped("handshake_deadline") };
const FLOOD: Kind = Kind { name: "a flood of connections", address: 13, counted: Counted::Dropped("rate") };
const NO_WEBSOCKET: Kind = Kind { name: "no WebSocket", address: 14, counted: Counted::Dropped("no_websocket") };
const ORIGIN: Kind = Kind { name: "a page of another origin", address: 15, counted: Counted::End("origin") };
const NO_TOKEN: Kind = Kind { name: "no token", address: 16, counted: Counted::End("no_token") };
const WRONG: Kind = Kind { name: "a wrong token", address: 17, counted: Counted::End("token") };
const TARGET: Kind = Kind { name: "a target outside", address: 18, counted: Counted::End("unknown_target") };
const NAMED: Kind =
    Kind { name: "a name that leads elsewhere", address: 19, counted: Counted::End("target_elsewhere") };
const CROWD: Kind = Kind {
    name: "more tunnels than an address has",
    address: 20,
    counted: Counted::Dropped("connections_per_address"),
};

/// So often.
pub(crate) const fn each(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Rates are such that all attackers together, and what the gateway has to do for them, take a third of a processor: a handshake that is
/// refused costs both sides together a few milliseconds where nothing is optimized. More would measure how processors are shared.
pub(crate) fn come(lanes: &mut Lanes, most_idle: usize) {
    lanes.attack(HALF, 8, each(500), |attackers, kind, number| async move {
        let text =
            ["", "GET /tunnel HTTP/1.1\r\nHo", "GET", "GET /tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"];
        dripped(attackers.socket(kind).await, text[number % text.len()], Duration::ZERO).await
    });
    lanes.attack(DRIPPING, 8, each(500), |attackers, kind, _| async move {
        dripped(attackers.socket(kind).await, &"GET /tunnel HTTP/1.1\r\nHost: gateway\r\n".repeat(9), each(20)).await
    });
    // They come one after the other, and all of them stand before the first has had its time.
    let coming = HANDSHAKE * 4 / 5 / u32::try_from(most_idle).unwrap_or(1);
    lanes.attack(IDLE, most_idle, ONCE, move |attackers, kind, number| async move {
        tokio::time::sleep(coming * u32::try_from(number % most_idle).unwrap_or(0)).await;
        let _idle = Idle::new(&attackers);
        // Of each address as many as it may have.
        let which = u8::try_from(number % most_idle / crate::TUNNELS).unwrap_or(0);
        dripped(attackers.socket_from(kind, which).await, "", Duration::ZERO).await
    });
    lanes.attack(FLOOD, 1, ONCE, |attackers, kind, _| flood(attackers, kind));
    lanes.attack(NO_WEBSOCKET, 1, each(200), |attackers, kind, number| async move {
        let text =
            ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /tunnel HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"];
        answered(&attackers, kind, text[number % 2]).await
    });
    lanes.attack(ORIGIN, 1, each(200), |attackers, kind, number| async move {
        let origins =
            ["https://evil.example.com", "null", "http://app.example.com", "https://app.example.com.evil.org"];
        let headers = [("Origin", origins[number % origins.len()]), ("Sec-WebSocket-Protocol", &bearer(TOKEN))];
        let query = format!("?target={}", attackers.scene.name_server());
        attackers.closed(kind, &query, &headers[..1 + number % 2], 4403).await
    });
    lanes.attack(NO_TOKEN, 1, each(200), |attackers, kind, _| async move {
        let query = format!("?target={}", attackers.scene.name_server());
        attackers.closed(kind, &query, &[("Cookie", TOKEN)], 4401).await
    });
    lanes.attack(WRONG, 1, each(100), |attackers, kind, number| async move {
        let token = ["x", "the-steady-client-s-toke", "the-steady-client-s-token0", "a.b.c"][number % 4];
        refused(&attackers, kind, token, number).await
    });
    tokens(lanes);
    lanes.attack(TARGET, 1, each(100), |attackers, kind, number| async move {
        let outside = outside::targets(&attackers.scene.name_server(), attackers.inside().port());
        let query = format!("?target={}", outside[number % outside.len()]);
        attackers.closed(kind, &query, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))], 4404).await
    });
    lanes.attack(NAMED, 1, each(100), named);
    lanes.attack(CROWD, 1, each(4000), |attackers, kind, _| crowd(attackers, kind));
}

/// Counts who is there without a word.
struct Idle<'a>(&'a Attackers);

impl<'a> Idle<'a> {
    fn new(attackers: &'a Attackers) -> Self {
        let now = attackers.idle.fetch_add(1, Relaxed) + 1;
        attackers.most_idle.fetch_max(now, Relaxed);
        Self(attackers)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Relaxed);
    }
}

/// A lane for each way in which a token may be wrong, so that each of them is counted.
fn tokens(lanes: &mut Lanes) {
    for (name, _) in lanes.attackers.login.wrong() {
        let kind = Kind { name, address: 17, counted: Counted::End("token") };
        lanes.attack(kind, 1, Duration::from_secs(2), |attackers, kind, number| async move {
            let wrong = attackers.login.wrong();
            let token = wrong.iter().find(|(name, _)| *name == kind.name).map(|(_, token)| token.clone());
            refused(&attackers, kind, &token.unwrap(), number).await
        });
    }
}

/// A connection that says this and no more has to be dropped at its deadline, without a word.
async fn dripped(socket: io::Result<TcpStream>, text: &str, pause: Duration) -> Outcome {
    let began = Instant::now();
    let Ok(mut socket) = socket else { return Outcome::Dropped };
    if pause.is_zero() {
        let _ = socket.write_all(text.as_bytes()).await;
    } else {
        for byte in text.bytes() {
            if socket.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
    }
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    match began.elapsed() {
        _ if !said.is_empty() => Outcome::Breach(String::from_utf8_lossy(&said).into_owned()),
        // There were too many, and this one was never looked at.
        took if took < HANDSHAKE / 2 => Outcome::Dropped,
        _ => Outcome::Refused,
    }
}

/// More connections in a second than are looked at in one.
async fn flood(attackers: Arc<Attackers>, kind: Kind) -> Outcome {
    // Beside the others: when those who are idle have come.
    tokio::time::sleep(HANDSHAKE).await;
    let mut ticks = tokio::time::interval(each(10));
    for which in 0..100 {
        ticks.tick().await;
        let mut open = Vec::new();
        for _ in 0..crate::HANDSHAKES * 2 / 100 {
            attackers.book.made(kind);
            open.push(attackers.socket_from(kind, which).await);
        }
    }
    Outcome::Refused
}

async fn answered(attackers: &Attackers, kind: Kind, text: &str) -> Outcome {
    let Ok(mut socket) = attackers.socket(kind).await else { return Outcome::Dropped };
    let _ = socket.write_all(text.as_bytes()).await;
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    match &*said {
        [] => Outcome::Dropped,
        said if said.starts_with(b"HTTP/1.1 4") => Outcome::Refused,
        said => Outcome::Breach(String::from_utf8_lossy(said).into_owned()),
    }
}

/// Whoever shows this token is refused, from a page that may come or from none.
async fn refused(attackers: &Attackers, kind: Kind, token: &str, number: usize) -> Outcome {
    let query = format!("?target={}", attackers.scene.name_server());
    let headers = [("Sec-WebSocket-Protocol", &*bearer(token)), ("Origin", PAGE)];
    attackers.closed(kind, &query, &headers[..1 + number % 2], 4401).await
}

/// A name server's name has led into the networks, and does no more.
async fn named(attackers: Arc<Attackers>, kind: Kind, number: usize) -> Outcome {
    let addresses = outside::ADDRESSES;
    attackers.answers.set("mq.test", &[addresses[number % addresses.len()]]);
    let query = format!("?target={}", attackers.named);
    let outcome = attackers.closed(kind, &query, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))], 4404).await;
    attackers.answers.set("mq.test", &["127.0.0.1"]);
    outcome
}

/// One address opens tunnels until it may have no more.
async fn crowd(attackers: Arc<Attackers>, kind: Kind) -> Outcome {
    let token = bearer(TOKEN);
    let headers = [("Sec-WebSocket-Protocol", &*token)];
    let query = format!("?target={}", attackers.scene.name_server());
    let mut open = Vec::new();
    for _ in 0..crate::TUNNELS {
        attackers.book.made(kind);
        match attackers.websocket(kind, &query, &headers).await {
            Ok(socket) => open.push(socket),
            Err(outcome) => return outcome,
        }
    }
    match attackers.websocket(kind, &query, &headers).await {
        Ok(_) => Outcome::Breach(format!("{} tunnels, and one more", open.len())),
        Err(Outcome::Dropped) => Outcome::Refused,
        Err(outcome) => outcome,
    }
}
