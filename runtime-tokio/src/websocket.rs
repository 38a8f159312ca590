//! A tunnel: connections to servers that go through a gateway, each in a WebSocket of its own whose binary messages are pieces of it.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use stgclient_core::address::Address;
use stgclient_core::error::{Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::failure::Failure;
use crate::resolve;
use crate::tls::Tls;
use stgclient_host::BoxFuture;

/// The most bytes of one message, to the gateway.
const PIECE: usize = 64 * 1024;
/// The longest message that is read, in bytes: gateways send pieces, and no more than this of a stream at once.
const LONGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// A gateway that leads to the servers of a cluster, for `ClientBuilder::tunnel`. Cheap to clone.
///
/// Each connection to a name server or a broker is a WebSocket to the gateway, `URL?target=HOST:PORT`. `stgclient-gateway` is one; `{host}`
/// and `{port}` in the URL are replaced for others.
///
/// ```no_run
/// # async fn run() -> Result<(), stgclient::Error> {
/// use stgclient::{Client, Tunnel};
///
/// let tunnel = Tunnel::builder("wss://gateway.example.com/tunnel").token("a secret").build()?;
/// let client = Client::builder("10.0.0.1:9876").tunnel(tunnel).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tunnel {
    url: String,
    gateway: Address,
    token: Token,
    origin: Option<String>,
    /// How the gateway is connected to, if its address says `wss`.
    tls: Option<Tls>,
}

/// Sets [`Tunnel`] up.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct TunnelBuilder {
    url: String,
    token: Token,
    origin: Option<String>,
    tls: Option<Tls>,
}

/// Who we are to a gateway.
#[derive(Clone)]
enum Token {
    Nobody,
    Fixed(String),
    /// Asked for by each connection.
    Asked(Arc<dyn Fn() -> BoxFuture<Result<String, Unknown>> + Send + Sync>),
}

/// An error of the application's.
type Unknown = Box<dyn std::error::Error + Send + Sync>;

impl Token {
    /// The token to show now, if there is one.
    async fn get(&self) -> Result<Option<String>, Failure> {
        let token = match self {
            Self::Nobody => return Ok(None),
            Self::Fixed(token) => token.clone(),
            Self::Asked(provider) => provider()
                .await
                .map_err(|error| Failure::because_of(format!("there is no token: {error}"), io::Error::other(error)))?,
        };
        if !is_token(&token) {
            return Err(NO_TOKEN.to_owned().into());
        }
        Ok(Some(token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Nobody) { "none" } else { "a secret" })
    }
}

const NO_TOKEN: &str = "a token has letters, digits and -._~ only: it travels in a header";

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

impl Tunnel {
    /// A tunnel through the gateway at this URL: `ws://` or, with TLS, `wss://`.
    pub fn builder(url: impl Into<String>) -> TunnelBuilder {
        TunnelBuilder { url: url.into(), token: Token::Nobody, origin: None, tls: None }
    }

    /// Opens a stream to a server. The core watches over the time.
    pub(crate) async fn connect(self, server: Address) -> Result<Pieces, Failure> {
        let token = self.token.get().await?;
        let stream: Box<dyn Socket> = match self.tls.clone() {
            Some(tls) => Box::new(tls.connect(self.gateway.clone()).await?),
            None => Box::new(resolve::connect(self.gateway.clone()).await?),
        };
        let request = self.request(&server, token)?;
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_write_buffer_size(4 * PIECE)
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(Pieces { socket, received: Bytes::new(), has_received: false }),
            Err(WebSocketError::Http(answer)) => {
                let words = answer.body().as_ref().map(|body| String::from_utf8_lossy(body).trim().to_owned());
                let words = words.filter(|words| !words.is_empty()).unwrap_or_default();
                Err(format!("the gateway refuses a WebSocket: {} {words}", answer.status())
                    .trim_end()
                    .to_owned()
                    .into())
            }
            Err(WebSocketError::Io(error)) => Err(error.into()),
            Err(error) => Err(format!("no WebSocket: {error}").into()),
        }
    }

    fn request(&self, server: &Address, token: Option<String>) -> Result<ClientRequestBuilder, Failure> {
        let url = url_for(&self.url, server.host(), server.port());
        let uri: Uri = url.parse().map_err(|error| Failure::from(format!("the gateway's address: {error}")))?;
        let mut request = ClientRequestBuilder::new(uri).with_sub_protocol("binary");
        if let Some(token) = token {
            request = request.with_sub_protocol(format!("bearer.{token}"));
        }
        Ok(match &self.origin {
            Some(origin) => request.with_header("Origin", origin),
            None => request,
        })
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("url", &self.url).finish_non_exhaustive()
    }
}

impl TunnelBuilder {
    /// The token that the gateway knows us by. It travels as a subprotocol, `bearer.TOKEN`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Token::Fixed(token.into());
        self
    }

    /// As [`token`](Self::token), for those that expire: `provider` is asked for one by each connection, and what it gives has to be valid
    /// then. A gateway ends tunnels whose token has expired; the client connects again, with the next one. That there is none fails the
    /// connection, which is tried again.
    ///
    /// ```
    /// # use stgclient::Tunnel;
    /// # async fn log_in() -> std::io::Result<String> { Ok("a-token".to_owned()) }
    /// # fn run() -> Result<(), stgclient::Error> {
    /// let tunnel = Tunnel::builder("ws://gateway.example.com/tunnel").token_provider(|| async { log_in().await }).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn token_provider<F, E>(mut self, provider: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.token = Token::Asked(Arc::new(move || {
            let asked = provider();
            Box::pin(async move { asked.await.map_err(Into::into) })
        }));
        self
    }

    /// Says that we are of this page's origin, for gateways that let pages in alone.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// How the gateway is trusted, and who we are to it; by default the platform's CAs are trusted.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Checks what was given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]: the URL or the token is none, TLS was given for `ws://`, or the platform has no CAs.
    pub fn build(self) -> Result<Tunnel, Error> {
        let wrong = |why: String| Error::new(ErrorKind::InvalidArgument, format!("the tunnel: {why}"));
        let (scheme, rest) =
            self.url.split_once("://").ok_or_else(|| wrong("write it as wss://host/path".to_owned()))?;
        let is_secured = match scheme {
            "ws" => false,
            "wss" => true,
            _ => return Err(wrong(format!("{scheme}:// is not ws:// or wss://"))),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') || rest.contains('#') {
            return Err(wrong(
                "it has a host, perhaps a port and a path, and no more; a token is given apart".to_owned(),
            ));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'));
        let with_port =
            if has_port { authority.to_owned() } else { format!("{authority}:{}", if is_secured { 443 } else { 80 }) };
        let gateway = with_port.parse().map_err(|error| wrong(format!("{error}")))?;
        if matches!(&self.token, Token::Fixed(token) if !is_token(token)) {
            return Err(wrong(NO_TOKEN.to_owned()));
        }
        let tls = match (is_secured, self.tls) {
            (true, Some(tls)) => Some(tls),
            (true, None) => Some(Tls::builder().build()?),
            (false, None) => None,
            (false, Some(_)) => return Err(wrong("TLS is for wss://".to_owned())),
        };
        Ok(Tunnel { url: self.url, gateway, token: self.token, origin: self.origin, tls })
    }
}

/// The URL that leads to a server.
fn url_for(url: &str, host: &str, port: u16) -> String {
    let host = host.replace(':', "%3A");
    if url.contains("{host}") || url.contains("{port}") {
        return url.replace("{host}", &host).replace("{port}", &port.to_string());
    }
    let host = if host.contains('%') { format!("%5B{host}%5D") } else { host };
    let before = if url.contains('?') { '&' } else { '?' };
    format!("{url}{before}target={host}:{port}")
}

/// What a WebSocket is made of.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A byte stream in pieces.
pub(crate) struct Pieces {
    socket: WebSocketStream<Box<dyn Socket>>,
    /// What has come and was not read yet.
    received: Bytes,
    /// Something has: we were let in.
    has_received: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.received.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(piece))) => (self.received, self.has_received) = (piece, true),
                Some(Ok(Message::Close(frame))) => {
                    return Poll::Ready(frame.map_or(Ok(()), |frame| said(&frame, self.has_received)));
                }
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::other("the gateway sent text, where only bytes belong")));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.received.len().min(into.remaining());
        into.put_slice(&self.received[..count]);
        self.received.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    /// Many requests are one message.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(failed)?;
        let mut piece = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>().min(PIECE));
        for part in parts {
            piece.extend_from_slice(&part[..part.len().min(PIECE - piece.len())]);
        }
        let count = piece.len();
        Pin::new(&mut self.socket).start_send(Message::Binary(piece.freeze())).map_err(failed)?;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(failed)
    }
}

/// With these codes `stgclient-gateway` says that a token, or a page's origin, is none of those that it lets in.
const DENIALS: [u16; 2] = [4401, 4403];

/// A gateway does not let us in.
#[derive(Debug)]
struct Denied(String);

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Denied {}

/// Whether an error says so.
pub(crate) fn is_denial(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Denied>())
}

/// What the gateway says at the end. If it is nothing in particular the server has closed. A token that expires while it is used is
/// followed by the next one, so that is no denial.
fn said(frame: &CloseFrame, has_received: bool) -> io::Result<()> {
    let code = u16::from(frame.code);
    if code == 1000 && (frame.reason.is_empty() || frame.reason.as_str() == "closed by the server") {
        return Ok(());
    }
    let words = if frame.reason.is_empty() { "no reason" } else { frame.reason.as_str() };
    let words = format!("closed by the gateway: {words} (code {code})");
    Err(if DENIALS.contains(&code) && !has_received {
        io::Error::other(Denied(words))
    } else {
        io::Error::other(words)
    })
}

fn failed(error: WebSocketError) -> io::Error {
    match error {
        WebSocketError::Io(error) => error,
        WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed => io::ErrorKind::ConnectionReset.into(),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_in_the_url_as_it_stands_there() {
        for (url, host, wanted) in [
            ("ws://gate/tunnel", "10.0.0.1", "ws://gate/tunnel?target=10.0.0.1:9876"),
            ("ws://gate/tunnel?a=b", "mq", "ws://gate/tunnel?a=b&target=mq:9876"),
            ("ws://gate/tunnel", "::1", "ws://gate/tunnel?target=%5B%3A%3A1%5D:9876"),
            ("ws://gate/{host}/{port}", "mq", "ws://gate/mq/9876"),
        ] {
            assert_eq!(url_for(url, host, 9876), wanted);
        }
    }

    #[test]
    fn what_is_no_gateway_is_refused_with_what_to_write() {
        for (url, words) in [
            ("gate/tunnel", "wss://host/path"),
            ("http://gate/tunnel", "not ws:// or wss://"),
            ("ws://user:secret@gate/", "a token is given apart"),
            ("ws:///tunnel", "no address"),
        ] {
            let error = Tunnel::builder(url).build().unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{url}: {error}");
        }
        let error = Tunnel::builder("ws://gate/").token("with space").build().unwrap_err();
        assert!(error.to_string().contains("letters, digits"), "{error}");
        assert!(Tunnel::builder("ws://gate").token("a.b-c").build().is_ok());
        assert!(Tunnel::builder("ws://[::1]:8080/tunnel").build().is_ok());
    }
}
