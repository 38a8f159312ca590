//! Serves connections, each on a thread of its own: one read, the answers to all requests in it, one write.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use bytes::{Buf, BytesMut};
use serde::Serialize;

use crate::answers::Answers;
use crate::frames::{Scanned, scan};

const READ_ROOM: usize = 256 << 10;

/// A server that runs until the process ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    answered: AtomicU64,
    oneways: AtomicU64,
    others: AtomicU64,
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
        let counters = Arc::new(Counters::default());
        let answers = Arc::new(Answers::new(address));
        let shared = Arc::clone(&counters);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Relaxed);
                let (answers, counters) = (Arc::clone(&answers), Arc::clone(&shared));
                thread::spawn(move || serve(stream, &answers, &counters));
            }
        });
        Ok(Self { address, counters })
    }

    /// What came so far.
    pub(crate) fn counts(&self) -> Counts {
        let Counters { answered, oneways, others, reads, connections } = &*self.counters;
        Counts {
            answered: answered.load(Relaxed),
            oneways: oneways.load(Relaxed),
            others: others.load(Relaxed),
            reads: reads.load(Relaxed),
            connections: connections.load(Relaxed),
        }
    }
}

fn serve(mut stream: TcpStream, answers: &Answers, counters: &Counters) {
    let end = stream.set_nodelay(true).and_then(|()| converse(&mut stream, answers, counters));
    if let Err(error) = end
        && error.kind() != io::ErrorKind::ConnectionReset
    {
        eprintln!("null-broker: {error}");
    }
}

fn converse(stream: &mut TcpStream, answers: &Answers, counters: &Counters) -> io::Result<()> {
    let mut chunk = vec![0; READ_ROOM];
    let mut pending = BytesMut::new();
    let mut out = BytesMut::new();
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        counters.reads.fetch_add(1, Relaxed);
        if pending.is_empty() {
            // The usual case: whole requests, answered where they lie.
            let used = answer_all(&chunk[..count], answers, counters, &mut out)?;
            pending.extend_from_slice(&chunk[used..count]);
        } else {
            pending.extend_from_slice(&chunk[..count]);
            let used = answer_all(&pending, answers, counters, &mut out)?;
            pending.advance(used);
        }
        stream.write_all(&out)?;
        out.clear();
    }
}

/// Appends the answers to all whole requests, and returns how many bytes they took.
fn answer_all(bytes: &[u8], answers: &Answers, counters: &Counters, out: &mut BytesMut) -> io::Result<usize> {
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
                    if !request.is_oneway {
                        answers.other(&request, out);
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
