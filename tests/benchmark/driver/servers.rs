//! The servers that messages go to: how they start, what CPU time they take, and what arrived there.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use stgclient::Client;

use crate::accounting::CpuClock;
use crate::process::Process;
use crate::scenario::Scenario;

const START: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(10);
/// The first pause is taken when arrivals have not changed for this long.
const QUIET: Duration = Duration::from_secs(2);

/// A server that runs.
pub(crate) enum Server {
    /// A child that counts what comes, our null broker or the echo of the floor.
    Counting(Process, String),
    /// An Apache RocketMQ name server and broker.
    Real(Cluster),
}

/// A cluster of `tests/servers/with-cluster`.
pub(crate) struct Cluster {
    process: Process,
    name_server: String,
    broker_pid: u32,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// What a counting server says.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Counts {
    answered: u64,
    oneways: u64,
    reads: u64,
}

/// What arrived at a server so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrived {
    /// Messages.
    pub(crate) messages: u64,
    /// Reads it took, if the server counts them.
    pub(crate) reads: Option<u64>,
}

impl Server {
    /// A process of this crate that prints where it listens.
    pub(crate) fn counting(command: &mut Command, log: &Path) -> io::Result<Self> {
        let process = Process::start(command, log)?;
        let address = process.line(START)?;
        Ok(Self::Counting(process, address))
    }

    /// A real cluster.
    pub(crate) fn real(root: &Path, log: &Path) -> io::Result<Self> {
        Cluster::start(root, log).map(Self::Real)
    }

    /// Its name server.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Counting(_, address) => address,
            Self::Real(cluster) => &cluster.name_server,
        }
    }

    /// The CPU time of what takes the messages.
    pub(crate) fn clock(&self) -> io::Result<CpuClock> {
        match self {
            Self::Counting(process, _) => CpuClock::of(process.pid()),
            Self::Real(cluster) => CpuClock::of(cluster.broker_pid),
        }
    }

    /// Makes sure that the topic is there; returns its name for this server.
    pub(crate) fn topic(&self, scenario: &Scenario, contestant: &str) -> io::Result<String> {
        match self {
            Self::Counting(..) if scenario.work.empties() => {
                Ok(format!("q{}-n{}-orders", scenario.queues, scenario.count))
            }
            Self::Counting(..) => Ok(format!("q{}-orders", scenario.queues)),
            Self::Real(cluster) => {
                let topic = format!("{}-{contestant}", scenario.name);
                cluster.create(&topic).map(|()| topic)
            }
        }
    }

    /// What arrived in a topic so far.
    pub(crate) fn arrived(&mut self, topic: &str) -> io::Result<Arrived> {
        match self {
            Self::Counting(process, _) => {
                process.tell("counts")?;
                let counts: Counts = serde_json::from_str(&process.line(ANSWER)?)?;
                Ok(Arrived { messages: counts.answered + counts.oneways, reads: Some(counts.reads) })
            }
            Self::Real(cluster) => Ok(Arrived { messages: cluster.stored(topic)?, reads: None }),
        }
    }

    /// What has arrived in a topic when `expected` messages are there, or no more come.
    pub(crate) fn arrived_in_the_end(&mut self, topic: &str, expected: u64) -> io::Result<Arrived> {
        let mut arrived = self.arrived(topic)?;
        let mut since = Instant::now();
        while arrived.messages < expected && since.elapsed() < QUIET {
            thread::sleep(Duration::from_millis(50));
            let now = self.arrived(topic)?;
            if now.messages != arrived.messages {
                since = Instant::now();
            }
            arrived = now;
        }
        Ok(arrived)
    }

    /// Whether it is of use for several runs.
    pub(crate) fn lasts(&self) -> bool {
        matches!(self, Self::Real(_))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.runtime.block_on(self.client.close());
        let _ = self.process.end(START);
    }
}

impl Cluster {
    fn start(root: &Path, log: &Path) -> io::Result<Self> {
        let script = r#"echo "$STGCLIENT_NAME_SERVER $(cat "$STGCLIENT_SERVERS/broker/pid")"; cat >/dev/null"#;
        let mut command = Command::new(root.join("tests/servers/with-cluster"));
        command.args(["bash", "-c", script]).env("HEAP", "1g").env("DIRECT", "512m");
        let process = Process::start(&mut command, log)?;
        let line = process.line(START)?;
        let (name_server, pid) = line.split_once(' ').ok_or_else(|| io::Error::other(line.clone()))?;
        let broker_pid = pid.parse().map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(Client::connect(name_server)).map_err(io::Error::other)?;
        Ok(Self { process, name_server: name_server.to_owned(), broker_pid, runtime, client })
    }

    fn create(&self, topic: &str) -> io::Result<()> {
        let admin = self.client.admin();
        let create = async { admin.create_topic(topic).queues(8).await };
        self.runtime.block_on(create).map_err(io::Error::other)?;
        let deadline = Instant::now() + START;
        while self.runtime.block_on(admin.topic_route(topic)).is_err() {
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{topic} has no route")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn stored(&self, topic: &str) -> io::Result<u64> {
        let statistics =
            self.runtime.block_on(self.client.admin().topic_statistics(topic)).map_err(io::Error::other)?;
        Ok(statistics.queues.values().map(|queue| queue.max_offset).sum())
    }
}

/// A program of this crate: it lies beside ours.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}
