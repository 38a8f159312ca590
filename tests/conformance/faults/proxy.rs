//! A proxy before a broker: it passes everything on, answers late, and cuts connections at requests of one's choice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient_core::wire::code::RequestCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Where clients reach the broker that listens on 127.0.0.1: its `brokerIP1`.
pub(crate) const HOST: &str = "127.0.0.2";

/// A proxy, until it is dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    /// The broker.
    target: String,
    /// How late everything comes from it.
    late: Duration,
    /// At which requests a connection is cut instead, and how often yet.
    cuts: Mutex<(RequestCode, usize)>,
    /// The requests that came by.
    seen: Mutex<Vec<RequestCode>>,
}

impl Proxy {
    /// Before the broker at `target`, a host and a port, on the same port of [`HOST`].
    pub(crate) async fn start(target: &str, late: Duration, cut_at: RequestCode, cuts: usize) -> Self {
        let (_, port) = target.rsplit_once(':').expect("a host and a port");
        let listener = TcpListener::bind(format!("{HOST}:{port}")).await.expect("the port is the broker's");
        let (cuts, seen) = (Mutex::new((cut_at, cuts)), Mutex::default());
        let shared = Arc::new(Shared { target: target.to_owned(), late, cuts, seen });
        let passing = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&passing).pass(client));
            }
        });
        Self { shared, accepting }
    }

    /// How many requests with this code came by.
    pub(crate) fn seen(&self, code: RequestCode) -> usize {
        self.shared.seen.lock().unwrap().iter().filter(|seen| **seen == code).count()
    }

    /// How often it will yet cut a connection.
    pub(crate) fn cuts_left(&self) -> usize {
        self.shared.cuts.lock().unwrap().1
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn pass(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.target).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Whichever ends first ends both: the connection is cut on both sides.
        tokio::select! {
            () = self.pass_requests(from_client, to_server) => {}
            () = self.pass_answers(from_server, to_client) => {}
        }
    }

    async fn pass_requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut left = Vec::new();
        loop {
            let mut piece = vec![0; 1 << 16];
            let Ok(length @ 1..) = from.read(&mut piece).await else {
                return;
            };
            left.extend_from_slice(&piece[..length]);
            while let Some(frame) = next_frame(&mut left) {
                if let Some(code) = request_code(&frame) {
                    self.seen.lock().unwrap().push(code);
                    if self.is_to_be_cut(code) {
                        return;
                    }
                }
                if to.write_all(&frame).await.is_err() {
                    return;
                }
            }
        }
    }

    fn is_to_be_cut(&self, code: RequestCode) -> bool {
        let mut cuts = self.cuts.lock().unwrap();
        let is_to_be = cuts.0 == code && cuts.1 > 0;
        cuts.1 -= usize::from(is_to_be);
        is_to_be
    }

    async fn pass_answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            tokio::time::sleep(self.late).await;
            if to.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    }
}

/// The first whole frame: its length in four bytes, and so many more.
fn next_frame(left: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*left.first_chunk()?) as usize;
    (left.len() >= 4 + length).then(|| left.drain(..4 + length).collect())
}

/// The code of a request with a JSON header.
fn request_code(frame: &[u8]) -> Option<RequestCode> {
    let length = u32::from_be_bytes(*frame.get(4..)?.first_chunk()?) & 0x00ff_ffff;
    let header: serde_json::Value = serde_json::from_slice(frame.get(8..8 + length as usize)?).ok()?;
    let is_request = header.get("flag")?.as_i64()? & 1 == 0;
    let code = i32::try_from(header.get("code")?.as_i64()?).ok()?;
    is_request.then_some(RequestCode(code))
}
