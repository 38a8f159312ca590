//! The other side: an answer of 300 bytes for each 520 that come, all answers to a read in one write.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{ANSWER_LENGTH, NUMBER_LENGTH, REQUEST_LENGTH};

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    reads: AtomicU64,
}

/// Serves until the input ends.
pub(crate) fn run() -> io::Result<()> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    let counters = Arc::new(Counters::default());
    let listener = TcpListener::from_std(listener)?;
    let shared = Arc::clone(&counters);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream, Arc::clone(&shared)));
        }
    });
    // The main thread is none of the runtime's workers: it may wait.
    for line in io::stdin().lines() {
        line?;
        let (answered, reads) = (counters.answered.load(Relaxed), counters.reads.load(Relaxed));
        println!("{}", serde_json::json!({ "answered": answered, "oneways": 0, "reads": reads }));
    }
    Ok(())
}

async fn echo(mut stream: TcpStream, counters: Arc<Counters>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut pending = Vec::with_capacity(256 << 10);
    let mut out = Vec::new();
    while stream.read_buf(&mut pending).await? > 0 {
        counters.reads.fetch_add(1, Relaxed);
        let whole = pending.chunks_exact(REQUEST_LENGTH);
        counters.answered.fetch_add(whole.len() as u64, Relaxed);
        for request in whole {
            let start = out.len();
            out.extend_from_slice(&request[..NUMBER_LENGTH]);
            out.resize(start + ANSWER_LENGTH, 0);
        }
        pending.drain(..pending.len() - pending.len() % REQUEST_LENGTH);
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}
