//! Attackers: each kind of attack is made again and again, at a rate of its own, for as long as there is a storm.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::FrameReader;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::answers::Answers;
use crate::book::{Book, Kind, Outcome};
use crate::hogs::Flood;
use crate::login::Login;
use crate::scene::{Scene, close_of};
use crate::weather::{Phase, WINDOW};

/// What all attackers know.
pub(crate) struct Attackers {
    pub(crate) scene: Scene,
    pub(crate) book: Book,
    pub(crate) login: Login,
    pub(crate) answers: Arc<Answers>,
    pub(crate) flood: Flood,
    /// A name server that is known by a name.
    pub(crate) named: String,
    /// A server beside the cluster, where nobody has to come.
    pub(crate) inside: TcpListener,
    /// How many connections stand on which nothing is said, and how many there were at the most.
    pub(crate) idle: AtomicUsize,
    pub(crate) most_idle: AtomicUsize,
}

impl Attackers {
    pub(crate) fn inside(&self) -> SocketAddr {
        self.inside.local_addr().unwrap()
    }

    /// A connection to the gateway from an attack's own address.
    pub(crate) async fn socket(&self, kind: Kind) -> io::Result<TcpStream> {
        self.socket_from(kind, 0).await
    }

    /// The same from one of many addresses of the attack's.
    pub(crate) async fn socket_from(&self, kind: Kind, which: u8) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 1, kind.address, 1 + which], 0)))?;
        // A peer that does not read, or is not read, is felt at once.
        socket.set_recv_buffer_size(4096)?;
        socket.set_send_buffer_size(4096)?;
        socket.connect(self.scene.address.parse().unwrap()).await
    }

    /// A WebSocket; none, if there were too many connections.
    pub(crate) async fn websocket(
        &self,
        kind: Kind,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocketStream<TcpStream>, Outcome> {
        let Ok(socket) = self.socket(kind).await else { return Err(Outcome::Dropped) };
        match self.scene.websocket_on(socket, query, headers).await {
            Ok(socket) => Ok(socket),
            Err(Error::Io(_) | Error::Protocol(_) | Error::ConnectionClosed) => Err(Outcome::Dropped),
            Err(other) => Err(Outcome::Breach(other.to_string())),
        }
    }

    /// Whoever asks like this has to be closed with this code.
    pub(crate) async fn closed(&self, kind: Kind, query: &str, headers: &[(&str, &str)], code: u16) -> Outcome {
        match self.websocket(kind, query, headers).await {
            Ok(socket) => is_closed(socket, code).await,
            Err(outcome) => outcome,
        }
    }
}

/// A WebSocket that has to be closed with this code.
pub(crate) async fn is_closed(socket: WebSocketStream<TcpStream>, code: u16) -> Outcome {
    let Ok(said) = tokio::time::timeout(WINDOW * 2 / 3, close_of(socket)).await else {
        return Outcome::Breach(format!("it stands instead of being closed with {code}"));
    };
    match said {
        (said, _) if said == code => Outcome::Refused,
        // The connection is gone before its reason has come, or on a busy machine before the attack.
        (1006 | 4408, _) => Outcome::Dropped,
        (said, words) => Outcome::Breach(format!("{said} instead of {code}: {words}")),
    }
}

/// A request that has to be answered by the gateway, and by nobody else.
pub(crate) async fn is_forbidden(socket: &mut WebSocketStream<TcpStream>, request: &[u8]) -> Outcome {
    match ask(socket, request, 1).await {
        Ok(answers) => forbids(&answers[0]),
        Err(outcome) => outcome,
    }
}

/// Says this, and waits for so many answers.
pub(crate) async fn ask(
    socket: &mut WebSocketStream<TcpStream>,
    requests: &[u8],
    count: usize,
) -> Result<Vec<Command>, Outcome> {
    let mut reader = FrameReader::new(1 << 20);
    let mut answers = Vec::new();
    let _ = socket.send(Message::Binary(Bytes::copy_from_slice(requests))).await;
    while answers.len() < count {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => reader.extend(&bytes),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Outcome::Dropped),
        }
        while let Some(answer) = reader.next_command().map_err(|error| Outcome::Breach(error.to_string()))? {
            answers.push(answer);
        }
    }
    Ok(answers)
}

pub(crate) fn forbids(answer: &Command) -> Outcome {
    let words = answer.remark.as_deref().unwrap_or_default();
    if answer.code == 16 { Outcome::Refused } else { Outcome::Breach(format!("answered {}: {words}", answer.code)) }
}

/// Once in each storm, from its beginning on.
pub(crate) const ONCE: Duration = Duration::MAX;

/// The attackers of one storm after the other.
pub(crate) struct Lanes {
    pub(crate) attackers: Arc<Attackers>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) lanes: JoinSet<()>,
}

impl Lanes {
    /// So many attackers make an attack so and so often each, or [`ONCE`]. They count to know which of several ways is next.
    pub(crate) fn attack<F, Made>(&mut self, kind: Kind, count: usize, every: Duration, attack: F)
    where
        F: Fn(Arc<Attackers>, Kind, usize) -> Made + Clone + Send + 'static,
        Made: Future<Output = Outcome> + Send,
    {
        for lane in 0..count {
            let (attackers, mut phase, attack) = (Arc::clone(&self.attackers), self.phase.clone(), attack.clone());
            self.lanes.spawn(async move {
                let mut ticks = tokio::time::interval(if every == ONCE { Duration::from_millis(1) } else { every });
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for number in (lane..).step_by(count) {
                    tokio::select! {
                        _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
                        _ = ticks.tick() => {}
                    }
                    match phase.wait_for(|phase| *phase != Phase::Quiet).await.map(|phase| *phase) {
                        Ok(Phase::Storm) => {}
                        _ => return,
                    }
                    attackers.book.made(kind);
                    // What is under way when the storm is over is dropped.
                    tokio::select! {
                        _ = phase.wait_for(|phase| *phase != Phase::Storm) => {}
                        outcome = attack(Arc::clone(&attackers), kind, number) => attackers.book.note(kind, outcome),
                    }
                    if every == ONCE {
                        let _ = phase.wait_for(|phase| *phase != Phase::Storm).await;
                    }
                }
            });
        }
    }
}
