//! Our side: so many tasks, each of which sends a request and waits for its answer.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};

use crate::contract::{Phase, say, say_and_wait};

pub(crate) const REQUEST_LENGTH: usize = 520;
pub(crate) const ANSWER_LENGTH: usize = 300;
/// A request begins with the number of the task that sends it; so does its answer.
pub(crate) const NUMBER_LENGTH: usize = 4;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    name_server: String,
    #[arg(long)]
    count: usize,
    #[arg(long)]
    warm_up: usize,
    #[arg(long)]
    warm_up_seconds: u64,
    #[arg(long)]
    in_flight: usize,
    /// Means nothing here.
    #[arg(long)]
    topic: String,
    /// Means nothing here: requests have a length of their own.
    #[arg(long)]
    body: usize,
}

/// What the tasks share.
struct Link {
    requests: mpsc::Sender<u32>,
    /// By number of the task.
    answered: Vec<Notify>,
}

pub(crate) async fn run(options: &Options) -> io::Result<()> {
    let stream = TcpStream::connect(&options.name_server).await?;
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let (requests, waiting) = mpsc::channel(options.in_flight);
    let answered = (0..options.in_flight).map(|_| Notify::new()).collect();
    let link = Arc::new(Link { requests, answered });
    tokio::spawn(write(writer, waiting));
    tokio::spawn(read(reader, Arc::clone(&link)));

    link.request(0).await?;
    say("first");
    let limit = Duration::from_secs(options.warm_up_seconds);
    let before = 1 + phase(&link, options.warm_up, limit).await.successes();
    say_and_wait("ready");
    let started = Instant::now();
    let measured = phase(&link, options.count, Duration::from_secs(3600)).await;
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");
    measured.outcome(seconds, before).print();
    Ok(())
}

async fn phase(link: &Arc<Link>, count: usize, limit: Duration) -> Arc<Phase> {
    let phase = Arc::new(Phase::new(count, limit));
    let tasks: Vec<_> = (0..link.answered.len() as u32)
        .map(|number| {
            let (link, phase) = (Arc::clone(link), Arc::clone(&phase));
            tokio::spawn(async move {
                while let Some(ticket) = phase.next() {
                    let started = Instant::now();
                    match link.request(number).await {
                        Ok(()) => phase.succeeded(ticket, started),
                        Err(error) => phase.failed(&error),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    phase
}

impl Link {
    async fn request(&self, number: u32) -> io::Result<()> {
        self.requests.send(number).await.map_err(io::Error::other)?;
        self.answered[number as usize].notified().await;
        Ok(())
    }
}

async fn write(mut writer: OwnedWriteHalf, mut waiting: mpsc::Receiver<u32>) -> io::Result<()> {
    let mut numbers = Vec::new();
    let mut out = Vec::new();
    while waiting.recv_many(&mut numbers, 1024).await > 0 {
        for number in numbers.drain(..) {
            let start = out.len();
            out.extend_from_slice(&number.to_be_bytes());
            out.resize(start + REQUEST_LENGTH, 0);
        }
        writer.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

async fn read(mut reader: OwnedReadHalf, link: Arc<Link>) -> io::Result<()> {
    let mut pending = Vec::with_capacity(256 << 10);
    while reader.read_buf(&mut pending).await? > 0 {
        for answer in pending.chunks_exact(ANSWER_LENGTH) {
            let number = answer.first_chunk().map_or(0, |number| u32::from_be_bytes(*number));
            link.answered[number as usize].notify_one();
        }
        pending.drain(..pending.len() - pending.len() % ANSWER_LENGTH);
    }
    Ok(())
}
