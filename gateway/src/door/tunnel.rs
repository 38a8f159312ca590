//! One tunnel: what comes in WebSocket messages goes to a server, inspected, and what the server says comes back.
//!
//! Nothing is read on one side before the other side has taken what came before: neither side can have the gateway keep more than a piece.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use stgclient::Address;
use stgclient_core::wire::code::ResponseCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::asked::Asked;
use crate::boundaries::Boundaries;
use crate::door::doorkeeper::Admission;
use crate::door::places::{self, Found};
use crate::door::read_ahead::{PIECE, next_piece};
use crate::door::refusals::End;
use crate::door::shared::Shared;
use crate::inspection::{Counts, Inspection, Refused, Step};
use crate::keeping::Allowance;
use crate::visitor::Refusal;

/// What is so long is not copied to be written together with what came before, in bytes.
const LARGE: usize = 4096;
/// How many answers of the gateway's own wait for the end of a server's frame. A visitor who asks for more is not read meanwhile.
const ANSWERS: usize = 16;
/// How long a WebSocket that is closed has to say so, too.
const FAREWELL: Duration = Duration::from_secs(2);
/// When a gateway stops: how long nothing has to come of a server until its visitor is told so, that answers on their way still arrive.
const QUIET: Duration = Duration::from_millis(300);

/// When something was last the case, unless nobody looks.
struct Moment {
    start: Instant,
    micros: AtomicU64,
    is_paused: AtomicBool,
}

impl Moment {
    fn now() -> Self {
        Self { start: Instant::now(), micros: AtomicU64::new(0), is_paused: AtomicBool::new(false) }
    }

    fn set(&self) {
        self.is_paused.store(false, Relaxed);
        self.micros.store(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// From now on it may be the case, and nobody sees it.
    fn pause(&self) {
        self.is_paused.store(true, Relaxed);
    }

    /// For how long it was not the case.
    fn silence(&self) -> Duration {
        if self.is_paused.load(Relaxed) { Duration::ZERO } else { self.get().elapsed() }
    }

    fn get(&self) -> Instant {
        self.start + Duration::from_micros(self.micros.load(Relaxed))
    }
}

/// A tunnel between a visitor and a server.
pub(crate) struct Tunnel<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) admission: Admission,
    pub(crate) server: Address,
    pub(crate) allowance: Allowance,
    pub(crate) stops: watch::Receiver<bool>,
}

impl Tunnel<'_> {
    /// Relays until one of the two sides ends, or the tunnel has to.
    pub(crate) async fn relay<V, S>(mut self, visitor: WebSocketStream<V>, server: S) -> End
    where
        V: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut to_visitor, mut from_visitor) = visitor.split();
        let (mut from_server, mut to_server) = tokio::io::split(server);
        let (answers, mut answered) = mpsc::channel(ANSWERS);
        let heard = Moment::now();
        let said = Moment::now();
        let expiry = expires(self.admission.until);
        let mut stops = self.stops.clone();
        let end = {
            let asked = Asked::default();
            let boundaries = Boundaries::new(asked.clone());
            let up = self.up(&mut from_visitor, &mut to_server, &answers, asked, &heard);
            let down = self.down(&mut to_visitor, &mut from_server, boundaries, &mut answered, &heard, &said);
            let stop = async {
                let _ = stops.wait_for(|stops| *stops).await;
            };
            tokio::pin!(up, down);
            tokio::select! {
                end = &mut up => end,
                end = &mut down => end,
                () = expiry => End::Expired,
                // From now on nothing is read of the visitor: what he has asked for is answered, as far as it is there soon.
                () = stop => {
                    let deadline = Instant::now() + self.shared.bounds.drain().min(10 * QUIET);
                    tokio::select! {
                        end = &mut down => end,
                        () = quiet(&said, deadline) => End::Draining,
                    }
                }
            }
        };
        if let Ok(visitor) = to_visitor.reunite(from_visitor) {
            close(visitor, &end).await;
        }
        self.stops.mark_unchanged();
        end
    }

    /// From the visitor to the server.
    async fn up<V, S>(
        &self,
        visitor: &mut SplitStream<WebSocketStream<V>>,
        server: &mut WriteHalf<S>,
        answers: &mpsc::Sender<Bytes>,
        asked: Asked,
        heard: &Moment,
    ) -> End
    where
        V: AsyncRead + AsyncWrite + Unpin,
        S: AsyncWrite,
    {
        let mut inspection = Inspection::new(self.admission.visitor.clone(), asked, self.allowance.clone());
        let mut onward = Onward { server, gathered: BytesMut::new(), within: 2 * self.shared.bounds.idle() };
        let mut keeping = None;
        loop {
            keeping = inspection.kept().map(|body| match keeping {
                Some((known, until)) if known == body => (body, until),
                _ => (body, Instant::now() + self.shared.bounds.body()),
            });
            let message = match next_message(visitor, keeping.map(|(_, until)| until)).await {
                Ok(message) => message,
                Err(end) => return end,
            };
            heard.set();
            match message {
                Message::Binary(bytes) => {
                    heard.pause();
                    if let Err(end) = self.inspect(&mut inspection, bytes, &mut onward, answers).await {
                        return end;
                    }
                    heard.set();
                }
                Message::Text(_) => return End::Text,
                Message::Close(_) => return End::Left,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn inspect<S: AsyncWrite>(
        &self,
        inspection: &mut Inspection,
        mut bytes: Bytes,
        onward: &mut Onward<'_, S>,
        answers: &mpsc::Sender<Bytes>,
    ) -> Result<(), End> {
        self.shared.metrics.bytes_up.increment(bytes.len() as u64);
        loop {
            let next = inspection.next(&self.shared.terms, &mut bytes);
            self.shared.metrics.counted(inspection.take_counts());
            match next {
                Ok(Some(Step::Forward(piece))) => onward.forward(piece).await?,
                Ok(Some(Step::Refuse(refused))) => {
                    onward.write().await?;
                    self.refuse(refused, answers).await?;
                }
                Ok(Some(Step::ByPlace(place, frame, waiting))) => {
                    onward.write().await?;
                    let refusal = self.look(place).await;
                    let (passed, refused) = if refusal.is_none() { (1, 0) } else { (0, 1) };
                    self.shared.metrics.counted(Counts { passed, refused });
                    match refusal {
                        None => onward.forward(frame).await?,
                        Some((code, why)) => {
                            self.refuse(waiting.refuse(&self.shared.terms, code, why), answers).await?;
                        }
                    }
                }
                // What was in order goes on, also before what is not.
                Ok(None) => return onward.flush().await,
                Err(violation) => {
                    onward.flush().await?;
                    return Err(violation.into());
                }
            }
        }
    }

    /// Who does not read his answers asks nothing more meanwhile.
    async fn refuse(&self, refused: Refused, answers: &mpsc::Sender<Bytes>) -> Result<(), End> {
        let Refused { request, why, answer } = refused;
        tracing::debug!(who = &*self.admission.visitor.name, %request, %why, "a request is refused");
        match answer {
            Some(answer) => answers.send(answer).await.map_err(|_| End::Left),
            None => Ok(()),
        }
    }

    /// What the visitor is told instead of the message at this place of the server's log, if it may not be his.
    async fn look(&self, place: i64) -> Option<(ResponseCode, Refusal)> {
        let Shared { dialer, terms, bounds, .. } = self.shared;
        // Asked seldom: no tunnel has room for it before.
        let asking = Box::pin(places::look(dialer, terms, &self.server, place));
        match tokio::time::timeout(bounds.connect(), asking).await {
            Ok(Ok(Found::Topic(topic))) => {
                self.admission.visitor.may_have_topic(&topic).err().map(|why| (ResponseCode::NO_PERMISSION, why))
            }
            // As the broker says it. Asked once more it may have one there, of anybody.
            Ok(Ok(Found::Nothing(code, words))) => Some((code, words.into())),
            Ok(Ok(Found::Inside)) => Some((ResponseCode::NO_PERMISSION, "no message begins there".into())),
            Ok(Err(_)) | Err(_) => Some((ResponseCode::SYSTEM_BUSY, "the message cannot be looked at".into())),
        }
    }

    /// From the server to the visitor, with the gateway's own answers between frames, and pings.
    async fn down<V, S>(
        &self,
        visitor: &mut SplitSink<WebSocketStream<V>, Message>,
        server: &mut ReadHalf<S>,
        mut boundaries: Boundaries,
        answers: &mut mpsc::Receiver<Bytes>,
        heard: &Moment,
        said: &Moment,
    ) -> End
    where
        V: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead,
    {
        let bounds = &self.shared.bounds;
        let mut ping = tokio::time::interval_at(Instant::now() + bounds.ping(), bounds.ping());
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                biased;
                _ = ping.tick() => {
                    if heard.silence() >= bounds.idle() {
                        return End::Idle;
                    }
                    send(visitor, Message::Ping(Bytes::new()), bounds.idle()).await
                }
                Some(answer) = answers.recv(), if boundaries.is_between() => {
                    send(visitor, Message::Binary(answer), bounds.idle()).await
                }
                piece = next_piece(server) => match piece {
                    Ok(piece) if piece.is_empty() => return End::Server,
                    Ok(mut piece) => {
                        self.shared.metrics.bytes_down.increment(piece.len() as u64);
                        said.set();
                        match boundaries.follow(&piece) {
                            // A server that never pauses has answers put between its frames.
                            Some(end) if end < piece.len() => {
                                let rest = piece.split_off(end);
                                let all = std::iter::once(piece).chain(waiting(answers)).chain([rest]);
                                send_all(visitor, all, bounds.idle()).await
                            }
                            _ => send(visitor, Message::Binary(piece), bounds.idle()).await,
                        }
                    }
                    Err(error) => return broken(error),
                },
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }
}

/// What goes on to a server: frames that came together are written together, and a body that is large is not copied.
struct Onward<'a, S> {
    server: &'a mut WriteHalf<S>,
    gathered: BytesMut,
    /// How long the server may take nothing: longer than a visitor may read nothing, for whom servers wait, too.
    within: Duration,
}

impl<S: AsyncWrite> Onward<'_, S> {
    async fn forward(&mut self, piece: Bytes) -> Result<(), End> {
        if piece.len() < LARGE {
            self.gathered.extend_from_slice(&piece);
            return if self.gathered.len() >= PIECE { self.write().await } else { Ok(()) };
        }
        let mut all = std::mem::take(&mut self.gathered).chain(piece);
        in_time(self.within, self.server.write_all_buf(&mut all)).await
    }

    /// Before anything else is waited for, so that no frame waits for another one. What was gathered is not kept: most tunnels are idle.
    async fn write(&mut self) -> Result<(), End> {
        let mut gathered = std::mem::take(&mut self.gathered);
        in_time(self.within, self.server.write_all_buf(&mut gathered)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.write().await?;
        in_time(self.within, self.server.flush()).await
    }
}

async fn in_time(within: Duration, writing: impl Future<Output = io::Result<()>>) -> Result<(), End> {
    match tokio::time::timeout(within, writing).await {
        Ok(written) => written.map_err(broken),
        Err(_) => Err(End::Stalled),
    }
}

fn broken(error: io::Error) -> End {
    End::Broken(error.to_string())
}

/// What a visitor says next, and until when he has to.
async fn next_message<V>(visitor: &mut SplitStream<WebSocketStream<V>>, until: Option<Instant>) -> Result<Message, End>
where
    V: AsyncRead + AsyncWrite + Unpin,
{
    let next = match until {
        None => visitor.next().await,
        Some(until) => tokio::time::timeout_at(until, visitor.next()).await.map_err(|_| End::Slow)?,
    };
    next.ok_or(End::Left)?.map_err(failed)
}

/// Sends, unless the visitor takes nothing for too long.
async fn send<V: AsyncRead + AsyncWrite + Unpin>(
    visitor: &mut SplitSink<WebSocketStream<V>, Message>,
    message: Message,
    within: Duration,
) -> Result<(), End> {
    match tokio::time::timeout(within, visitor.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(End::Idle),
    }
}

async fn send_all<V: AsyncRead + AsyncWrite + Unpin>(
    visitor: &mut SplitSink<WebSocketStream<V>, Message>,
    pieces: impl Iterator<Item = Bytes>,
    within: Duration,
) -> Result<(), End> {
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        send(visitor, Message::Binary(piece), within).await?;
    }
    Ok(())
}

/// The answers that are there.
fn waiting(answers: &mut mpsc::Receiver<Bytes>) -> Vec<Bytes> {
    std::iter::from_fn(|| answers.try_recv().ok()).collect()
}

fn failed(error: WebSocketError) -> End {
    match error {
        WebSocketError::ConnectionClosed
        | WebSocketError::AlreadyClosed
        | WebSocketError::Io(_)
        // A page that is closed, or a network that is gone, breaks no rule.
        | WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Left,
        WebSocketError::Capacity(CapacityError::MessageTooLong { max_size, .. }) => End::LongMessage(max_size),
        other => End::WebSocket(other.to_string()),
    }
}

/// Waits until an admission is over.
pub(crate) async fn expires(until: Option<SystemTime>) {
    match until {
        None => std::future::pending().await,
        Some(until) => {
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            tokio::time::sleep(left).await;
        }
    }
}

/// Waits until nothing has come for a while.
async fn quiet(said: &Moment, deadline: Instant) {
    loop {
        let quiet_at = said.get() + QUIET;
        let now = Instant::now();
        if quiet_at <= now || deadline <= now {
            return;
        }
        tokio::time::sleep_until(quiet_at.min(deadline)).await;
    }
}

/// Tells a visitor why, and waits a little for his own close, so that the reason arrives.
pub(crate) async fn close<V: AsyncRead + AsyncWrite + Unpin>(mut visitor: WebSocketStream<V>, end: &End) {
    if matches!(end, End::Left) {
        return;
    }
    let farewell = async {
        if visitor.close(Some(end.frame())).await.is_ok() {
            while let Some(Ok(_)) = visitor.next().await {}
        }
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
