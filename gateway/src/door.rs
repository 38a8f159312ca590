//! The door: TLS, the request for a WebSocket, and who may come in, all within one deadline. Then a tunnel.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::bounds::Place;
use crate::dialing::Dialer;
use crate::doorkeeper::{Admission, Shown};
use crate::networks::Proxies;
use crate::read_ahead::ReadAhead;
use crate::refusals::End;
use crate::shared::Shared;
use crate::targets::TargetError;
use crate::tunnel::{Tunnel, close, expires};

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

/// What a request for a WebSocket asks for.
struct Asked {
    upgrade: OnUpgrade,
    address: IpAddr,
    /// Who may come in where, or why not.
    entry: Result<(Admission, String), End>,
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
            Err((status, words)) => refusal(status, words),
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
                lead(&shared, visitor, admission, &target).await
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
    let tunnel = Tunnel { shared, admission, server: address, stops };
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
async fn open(shared: &Shared, target: &str) -> Result<(SocketAddr, Server), TargetError> {
    let unreachable = |error| TargetError::Unreachable { target: target.to_owned(), error };
    let opening = async {
        let (named, stream) = shared.targets.connect(target).await?;
        let address = stream.peer_addr().map_err(unreachable)?;
        let server = match &shared.dialer.tls {
            None => Server::Plain(stream),
            Some(tls) => {
                let secured = Box::pin(Dialer::secure(tls, &named, stream)).await.map_err(unreachable)?;
                Server::Secured(Box::new(secured))
            }
        };
        Ok((address, server))
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

type Refused = (StatusCode, &'static str);

/// Reads a request. Whoever does not ask for a WebSocket as it should be is refused by HTTP; all others get one, and are told there.
fn examine(
    shared: &Shared,
    request: &mut Request<Incoming>,
    peer: SocketAddr,
    certificate: Option<&[u8]>,
) -> Result<(Response<Full<Bytes>>, Asked), Refused> {
    if request.uri().path() != "/tunnel" {
        return Err((StatusCode::NOT_FOUND, "there is /tunnel?target=HOST:PORT\n"));
    }
    if request.method() != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a WebSocket is asked for by GET\n"));
    }
    let key = websocket_key(request.headers())?;
    // Whoever is before the gateway might take it for the beginning of what goes through the tunnel, or the other way round.
    if !request.body().is_end_stream() {
        return Err((StatusCode::BAD_REQUEST, "a request for a WebSocket has no body\n"));
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answered = response.headers_mut();
    answered.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answered.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&key).map_err(|_| (StatusCode::BAD_REQUEST, "no key\n"))?;
    answered.insert(header::SEC_WEBSOCKET_ACCEPT, accept);

    let protocols = list(request.headers(), &header::SEC_WEBSOCKET_PROTOCOL);
    if protocols.iter().any(|one| one == "binary") {
        answered.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("binary"));
    }
    let entry = entry(shared, request, &protocols, certificate);
    let address = address_of(&shared.bounds.trusted_proxies, request.headers(), peer.ip());
    Ok((response, Asked { upgrade: hyper::upgrade::on(request), address, entry }))
}

/// The answer to the key of a request for a WebSocket (RFC 6455, 4.2).
fn websocket_key(headers: &HeaderMap) -> Result<String, Refused> {
    let wants = list(headers, &header::UPGRADE).iter().any(|one| one.eq_ignore_ascii_case("websocket"))
        && list(headers, &header::CONNECTION).iter().any(|one| one.eq_ignore_ascii_case("upgrade"));
    if !wants {
        return Err((StatusCode::UPGRADE_REQUIRED, "a WebSocket is wanted here\n"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "a WebSocket of version 13 is wanted here\n"));
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    Ok(derive_accept_key(key.ok_or((StatusCode::BAD_REQUEST, "the WebSocket's key is missing\n"))?.as_bytes()))
}

/// Who comes, and where to.
fn entry(
    shared: &Shared,
    request: &Request<Incoming>,
    protocols: &[String],
    certificate: Option<&[u8]>,
) -> Result<(Admission, String), End> {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) && single(headers, &header::ORIGIN).is_none() {
        return Err(End::Asked("there is more than one origin"));
    }
    let tokens: Vec<&str> = protocols.iter().filter_map(|one| one.strip_prefix("bearer.")).collect();
    let token = match tokens[..] {
        [] => None,
        [token] => Some(token),
        _ => return Err(End::Asked("there is more than one token")),
    };
    let admission = shared.doorkeeper.admit(Shown { origin: single(headers, &header::ORIGIN), token, certificate })?;
    if !protocols.is_empty() && !protocols.iter().any(|one| one == "binary") {
        return Err(End::Asked("the protocol `binary` has to be among those that are offered"));
    }
    let target = target(request.uri().query().unwrap_or_default())?;
    Ok((admission, target))
}

fn target(query: &str) -> Result<String, End> {
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "target" if found.is_some() => return Err(End::Asked("there is more than one target")),
            "target" => found = Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
            // Addresses stand in logs and histories.
            "token" | "access_token" => {
                return Err(End::Asked("a token does not belong into an address: offer the protocol bearer.TOKEN"));
            }
            _ => {}
        }
    }
    found.ok_or(End::Asked("say where to: ?target=HOST:PORT"))
}

/// Where a visitor is: the last address that somebody says whose word does not count. What cannot be read says nothing, and neither does
/// what stands before it.
fn address_of(proxies: &Proxies, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for said in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        if !proxies.contain(address) {
            break;
        }
        let Some(before) = hop(said) else { break };
        address = before.to_canonical();
    }
    address
}

/// An address as proxies write it: alone, in brackets, with a port.
fn hop(said: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(said).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip())).ok()
}

/// The texts of a header that lists them, in all lines of it.
fn list(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// The text of a header that stands there once.
fn single<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(first)
}

fn refusal(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(words));
    *response.status_mut() = status;
    // One try a connection.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_where_the_last_says_whose_word_does_not_count() {
        let proxies = Proxies::try_from(vec!["10.0.9.0/24".to_owned(), "fd00::9".to_owned()]).unwrap();
        let from = |peer: &str, lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
            }
            address_of(&proxies, &headers, peer.parse().unwrap()).to_string()
        };
        for (peer, lines, wanted) in [
            ("6.6.6.6", &[&b"7.7.7.7"[..]][..], "6.6.6.6"),
            ("10.0.9.1", &[], "10.0.9.1"),
            ("::ffff:10.0.9.1", &[b"7.7.7.7"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8, 7.7.7.7,10.0.9.2"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8", b"7.7.7.7", b"fd00::9"], "7.7.7.7"),
            ("10.0.9.1", &[b"7.7.7.7:50001"], "7.7.7.7"),
            ("10.0.9.1", &[b"[2001:db8::1]:50001"], "2001:db8::1"),
            ("10.0.9.1", &[b"[2001:db8::1]"], "2001:db8::1"),
            ("10.0.9.1", &[b"2001:db8::1"], "2001:db8::1"),
            ("10.0.9.1", &[b"::ffff:7.7.7.7"], "7.7.7.7"),
            // What a visitor writes himself is before what his proxy writes.
            ("10.0.9.1", &[b"8.8.8.8", b"\xff, 7.7.7.7"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8", b"\xff"], "10.0.9.1"),
            ("10.0.9.1", &[b"8.8.8.8, unknown, 10.0.9.2"], "10.0.9.2"),
            ("10.0.9.1", &[b"8.8.8.8,,10.0.9.2"], "10.0.9.2"),
            ("10.0.9.1", &[b"8.8.8.8, 7.7.7.7 6.6.6.6"], "10.0.9.1"),
            // Anybody may have an address with that of a proxy in it.
            ("2001:db8::5efe:a00:901", &[b"7.7.7.7"], "2001:db8::5efe:a00:901"),
            ("2002:a00:901::1", &[b"7.7.7.7"], "2002:a00:901::1"),
        ] {
            assert_eq!(from(peer, lines), wanted, "{peer}, who says {lines:?}");
        }
    }
}
