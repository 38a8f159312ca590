//! Serves connections, each on a thread of its own: one read, the answers to all requests in it, one write. Pulls that
//! wait are answered when their time is over, in the same thread.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use serde::Serialize;

use crate::answers::Answers;
use crate::frames::{Scanned, scan};
use crate::requests::{Held, Requests};

const READ_ROOM: usize = 256 << 10;

/// A server that runs until the process ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections use.
struct Shared {
    answers: Answers,
    requests: Requests,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    answered: AtomicU64,
    oneways: AtomicU64,
    others: AtomicU64,
    held: AtomicU64,
    doubled: AtomicU64,
    reads: AtomicU64,
    connections: AtomicU64,
}

/// What came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Sends that were answered.
    pub(crate) answered: u64,
    /// Sends that nobody wants answered.
    pub(crate) oneways: u64,
    /// Requests that are no sends.
    pub(crate) others: u64,
    /// Of these, pulls that found nothing and waited.
    pub(crate) held: u64,
    /// Of these, pulls for a queue that the same group waited for already.
    pub(crate) doubled: u64,
    /// Reads that gave bytes.
    pub(crate) reads: u64,
    /// Connections accepted.
    pub(crate) connections: u64,
}

impl Server {
    /// Listens, and serves whoever comes.
    pub(crate) fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let counters = Counters::default();
        let shared = Arc::new(Shared { answers: Answers::new(), requests: Requests::new(address), counters });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepting.counters.connections.fetch_add(1, Relaxed);
                let shared = Arc::clone(&accepting);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { address, shared })
    }

    /// What came so far.
    pub(crate) fn counts(&self) -> Counts {
        let Counters { answered, oneways, others, held, doubled, reads, connections } = &self.shared.counters;
        Counts {
            answered: answered.load(Relaxed),
            oneways: oneways.load(Relaxed),
            others: others.load(Relaxed),
            held: held.load(Relaxed),
            doubled: doubled.load(Relaxed),
            reads: reads.load(Relaxed),
            connections: connections.load(Relaxed),
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let end = stream.set_nodelay(true).and_then(|()| converse(&mut stream, shared));
    if let Err(error) = end
        && error.kind() != io::ErrorKind::ConnectionReset
    {
        eprintln!("null-broker: {error}");
    }
}

fn converse(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut chunk = vec![0; READ_ROOM];
    let mut pending = BytesMut::new();
    let mut out = BytesMut::new();
    let mut held = Vec::new();
    loop {
        let count = match read(stream, &mut chunk, &held)? {
            Some(0) => return Ok(()),
            Some(count) => count,
            None => {
                answer_expired(&mut held, &mut out);
                stream.write_all(&out)?;
                out.clear();
                continue;
            }
        };
        shared.counters.reads.fetch_add(1, Relaxed);
        if pending.is_empty() {
            // The usual case: whole requests, answered where they lie.
            let used = answer_all(&chunk[..count], shared, &mut held, &mut out)?;
            pending.extend_from_slice(&chunk[used..count]);
        } else {
            pending.extend_from_slice(&chunk[..count]);
            let used = answer_all(&pending, shared, &mut held, &mut out)?;
            pending.advance(used);
        }
        stream.write_all(&out)?;
        out.clear();
    }
}

/// How many bytes came; `None` when the first of the pulls that wait has waited long enough.
fn read(stream: &mut TcpStream, chunk: &mut [u8], held: &[Held]) -> io::Result<Option<usize>> {
    let until = held.iter().map(|held| held.until).min();
    if let Some(until) = until {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
    }
    let read = stream.read(chunk);
    if until.is_some() {
        stream.set_read_timeout(None)?;
    }
    match read {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
        read => read.map(Some),
    }
}

fn answer_expired(held: &mut Vec<Held>, out: &mut BytesMut) {
    let now = Instant::now();
    held.retain(|held| {
        let waits = held.until > now;
        if !waits {
            held.answer(out);
        }
        waits
    });
}

/// Appends the answers to all whole requests, and returns how many bytes they took.
fn answer_all(bytes: &[u8], shared: &Shared, held: &mut Vec<Held>, out: &mut BytesMut) -> io::Result<usize> {
    let Shared { answers, requests, counters } = shared;
    let (mut used, mut answered, mut oneways, mut others) = (0, 0, 0, 0);
    loop {
        match scan(&bytes[used..]) {
            Scanned::Request(request) => {
                used += 4 + request.frame.len();
                let is_send = Answers::is_send(request.code);
                if is_send && request.is_oneway {
                    oneways += 1;
                } else if is_send {
                    answered += 1;
                    answers.sent(request.codec, request.opaque, out);
                } else {
                    others += 1;
                    if let Some(pull) = requests.answer(&request, out) {
                        counters.held.fetch_add(1, Relaxed);
                        counters.doubled.fetch_add(held.iter().any(|known| known.doubles(&pull)).into(), Relaxed);
                        held.push(pull);
                    }
                }
            }
            Scanned::Partial => break,
            Scanned::Malformed => return Err(io::Error::new(io::ErrorKind::InvalidData, "no request")),
        }
    }
    counters.answered.fetch_add(answered, Relaxed);
    counters.oneways.fetch_add(oneways, Relaxed);
    counters.others.fetch_add(others, Relaxed);
    Ok(used)
}
