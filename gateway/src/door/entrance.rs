//! The door: TLS, the request for a WebSocket, and who may come in, all within one deadline; then the way to the target, within another.
//! Then a tunnel.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Parts;
use hyper_util::rt::TokioIo;
use stgclient::Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::door::asking::{examine, refusal};
use crate::door::bounds::Place;
use crate::door::dialing::Dialer;
use crate::door::doorkeeper::Admission;
use crate::door::read_ahead::ReadAhead;
use crate::door::refusals::End;
use crate::door::shared::Shared;
use crate::door::targets::TargetError;
use crate::door::tunnel::{Tunnel, close, expires};
use crate::keeping::Allowance;

/// The longest request for a WebSocket, in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// What each WebSocket reads to. Tunnels are many and mostly idle.
const READ_BUFFER: usize = 4 * 1024;
/// The most bytes that a WebSocket's message has beside what is in it.
const FRAME_ROOM: usize = 64;

/// Whoever comes in.
pub(crate) async fn visit(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, place: Place) {
    let _ = stream.set_nodelay(true);
    let deadline = tokio::time::Instant::now() + shared.bounds.handshake();
    match &shared.certificates {
        None => receive(&shared, stream, peer, None, place, deadline).await,
        Some(certificates) => match tokio::time::timeout_at(deadline, certificates.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown =
                    stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|first| first.to_vec());
                receive(&shared, stream, peer, shown, place, deadline).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "no TLS");
                shared.metrics.dropped("tls");
            }
            Err(_) => shared.metrics.dropped("handshake_deadline"),
        },
    }
}

async fn receive<S>(
    shared: &Arc<Shared>,
    stream: S,
    peer: SocketAddr,
    certificate: Option<Vec<u8>>,
    place: Place,
    deadline: tokio::time::Instant,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Mutex::new(None);
    let service = service_fn(|mut request: Request<Incoming>| {
        let response = match examine(shared, &mut request, peer, certificate.as_deref()) {
            Ok((response, found)) => {
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                response
            }
            Err(refused) => refusal(refused),
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(LONGEST_REQUEST).max_headers(MOST_HEADERS);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    match tokio::time::timeout_at(deadline, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "no request for a WebSocket");
            return shared.metrics.dropped("http");
        }
        Err(_) => return shared.metrics.dropped("handshake_deadline"),
    }
    let Some(asked) = asked.into_inner().unwrap_or_else(PoisonError::into_inner) else {
        return shared.metrics.dropped("no_websocket");
    };
    let Ok(upgraded) = asked.upgrade.await else { return shared.metrics.dropped("http") };
    let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<S>>() else {
        return shared.metrics.dropped("http");
    };
    let config = websocket_config(shared);
    let stream = ReadAhead::new(io.into_inner(), &read_buf);
    let visitor = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    // A task of its own: this one has room for all that a handshake needs.
    let entering = enter(Arc::clone(shared), visitor, asked.address, asked.entry, place);
    tokio::spawn(entering);
}

fn websocket_config(shared: &Shared) -> WebSocketConfig {
    let longest = shared.bounds.message_bytes;
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(shared.bounds.buffer_bytes + FRAME_ROOM)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest))
        .accept_unmasked_frames(false)
}

/// Somebody has a WebSocket: what he asked for is opened for him, or he is told why not.
async fn enter<S>(
    shared: Arc<Shared>,
    visitor: WebSocketStream<ReadAhead<S>>,
    address: IpAddr,
    entry: Result<(Admission, String), End>,
    mut place: Place,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut name = None;
    let end = if place.claim(address).is_err() {
        refuse(visitor, End::TooMany).await
    } else {
        match entry {
            Err(end) => refuse(visitor, end).await,
            Ok((admission, target)) => {
                name = Some((admission.visitor.name.clone(), target.clone()));
                lead(&shared, visitor, admission, &target, address).await
            }
        }
    };
    let (who, target) = name.map_or((None, None), |(who, target)| (Some(who), Some(target)));
    shared.metrics.ended(end.code().1);
    tracing::info!(%address, who = who.as_deref(), target = target.as_deref(), why = end.code().1, detail = %end, "a tunnel has ended");
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(visitor: WebSocketStream<S>, end: End) -> End {
    close(visitor, &end).await;
    end
}

/// Connects to the target, and relays. Whatever would end a tunnel ends the waiting for one.
async fn lead<S>(
    shared: &Arc<Shared>,
    mut visitor: WebSocketStream<ReadAhead<S>>,
    admission: Admission,
    target: &str,
    at: IpAddr,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stops = shared.stops.subscribe();
    let mut stopping = stops.clone();
    let opened = tokio::select! {
        biased;
        _ = stopping.wait_for(|stops| *stops) => Err(End::Draining),
        () = expires(admission.until) => Err(End::Expired),
        () = visitor.get_mut().ended() => Err(End::Left),
        opened = open(shared, target) => opened.map_err(End::from),
    };
    let (address, server) = match opened {
        Ok(opened) => opened,
        Err(end) => return refuse(visitor, end).await,
    };
    shared.metrics.tunnels.increment(1.0);
    let _counted = Counted(shared);
    let allowance = Allowance { keeping: Arc::clone(&shared.keeping), address: at };
    let tunnel = Tunnel { shared, admission, server: address, allowance, stops };
    match server {
        Server::Plain(stream) => tunnel.relay(visitor, stream).await,
        // What has no TLS needs no room for it.
        Server::Secured(stream) => Box::pin(tunnel.relay(visitor, *stream)).await,
    }
}

/// A connection to a server of the cluster.
enum Server {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

/// Finds a target and connects to it, all within one deadline.
async fn open(shared: &Shared, target: &str) -> Result<(Address, Server), TargetError> {
    let unreachable = |error| TargetError::Unreachable { target: target.to_owned(), error };
    let opening = async {
        let (named, stream) = shared.targets.connect(target).await?;
        let server = match &shared.dialer.tls {
            None => Server::Plain(stream),
            Some(tls) => {
                let secured = Box::pin(Dialer::secure(tls, &named, stream)).await.map_err(unreachable)?;
                Server::Secured(Box::new(secured))
            }
        };
        Ok((named, server))
    };
    let in_time = tokio::time::timeout(shared.bounds.connect(), opening).await;
    in_time.unwrap_or_else(|_| Err(unreachable(std::io::ErrorKind::TimedOut.into())))
}

struct Counted<'a>(&'a Shared);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.metrics.tunnels.decrement(1.0);
    }
}
