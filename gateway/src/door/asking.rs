//! What a visitor asks for: a WebSocket, as who, and where to.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::door::doorkeeper::{Admission, Shown};
use crate::door::refusals::End;
use crate::door::shared::Shared;
use crate::door::whereabouts::address_of;

/// What a request for a WebSocket asks for.
pub(crate) struct Asked {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) address: IpAddr,
    /// Who may come in where, or why not.
    pub(crate) entry: Result<(Admission, String), End>,
}

/// How HTTP refuses what asks for no WebSocket.
pub(crate) type Refused = (StatusCode, &'static str);

/// Reads a request. Whoever does not ask for a WebSocket as it should be is refused by HTTP; all others get one, and are told there.
pub(crate) fn examine(
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

/// One try a connection.
pub(crate) fn refusal((status, words): Refused) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(words));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}
