//! One run: a client's process from its start to its end, measured from outside.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::accounting::{CpuClock, busy_seconds, peak_memory_kib, processors};
use crate::process::Process;
use crate::scenario::{BATCH, Contestant, RATE, Scenario, Work};
use crate::servers::Server;
use crate::system_calls::Tracer;

const FIRST: Duration = Duration::from_secs(60);
const WARM_UP_SECONDS: u64 = 15;
const DONE: Duration = Duration::from_secs(300);
const END: Duration = Duration::from_secs(10);

/// What a client says of its measured phase.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Successes since it started.
    pub(crate) total: u64,
    /// What its lock cost, if it was built to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lock: Option<LockTimes>,
}

/// What the lock of our client cost in the measured phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct LockTimes {
    pub(crate) acquisitions: u64,
    /// Nanoseconds that its threads waited for it and held it, all together.
    pub(crate) waited_ns: u64,
    pub(crate) held_ns: u64,
}

/// What one run gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) scenario: String,
    pub(crate) contestant: &'static str,
    pub(crate) round: usize,
    pub(crate) outcome: Outcome,
    /// User and system time of the client in the measured phase, in seconds.
    pub(crate) cpu_seconds: f64,
    /// The same of the server.
    pub(crate) server_cpu_seconds: f64,
    /// How many reads the server needed, if it counts them.
    pub(crate) server_reads: Option<u64>,
    /// The most memory the client had resident, in KiB.
    pub(crate) peak_memory_kib: u64,
    /// From the start of the process to its first message that was acknowledged or consumed, in milliseconds.
    pub(crate) first_ms: f64,
    /// What arrived at the server of what the client believes it sent.
    pub(crate) arrived: u64,
    /// How busy the machine was with anything else, from 0 to 1.
    pub(crate) others_busy: f64,
    /// Whether the client ended by itself when it was asked to.
    pub(crate) ended: bool,
}

/// What is read before and after the measured phase.
struct Snapshot {
    at: Instant,
    client: f64,
    server: f64,
    busy: f64,
}

impl Snapshot {
    fn take(client: CpuClock, server: CpuClock) -> io::Result<Self> {
        Ok(Self { at: Instant::now(), client: client.seconds()?, server: server.seconds()?, busy: busy_seconds()? })
    }
}

/// The words that every client understands.
fn arguments(command: &mut Command, scenario: &Scenario, contestant: &Contestant, server: &str, topic: &str) {
    let warm_up = match scenario.work {
        Work::Send | Work::Oneway => contestant.warm_up.min(scenario.count * 4),
        // There are no more messages than these.
        Work::Drain | Work::Consume | Work::ConsumeBatches => contestant.warm_up.min(scenario.count),
        Work::EndToEnd => scenario.count / 2,
    };
    let numbers = [
        ("--count", scenario.count),
        ("--warm-up", warm_up),
        ("--warm-up-seconds", WARM_UP_SECONDS as usize),
        ("--in-flight", scenario.in_flight),
        ("--body", scenario.body),
    ];
    command.args([scenario.work.mode(), "--name-server", server, "--topic", topic]);
    for (name, number) in numbers {
        command.args([name, &number.to_string()]);
    }
    if scenario.topics > 1 {
        command.args(["--topics", &scenario.topics.to_string()]);
    }
    match scenario.work {
        Work::Oneway => drop(command.args(["--style", "oneway"])),
        Work::Consume => drop(command.args(["--batch", "1"])),
        Work::ConsumeBatches => drop(command.args(["--batch", &BATCH.to_string()])),
        Work::EndToEnd => drop(command.args(["--rate", &RATE.to_string()])),
        Work::Send | Work::Drain => {}
    }
    command.args(contestant.arguments);
}

/// Runs a client once.
pub(crate) fn run(
    mut command: Command,
    scenario: &Scenario,
    contestant: &Contestant,
    server: &mut Server,
    topic: &str,
    tracer: Option<&mut Tracer>,
    log: &Path,
) -> io::Result<Measured> {
    arguments(&mut command, scenario, contestant, server.address(), topic);
    let before = server.arrived(topic)?;
    let server_clock = server.clock()?;

    let started = Instant::now();
    let mut client = Process::start(&mut command, log)?;
    client.expect("first", FIRST)?;
    let first_ms = started.elapsed().as_secs_f64() * 1000.0;
    client.expect("ready", FIRST + Duration::from_secs(WARM_UP_SECONDS))?;
    let client_clock = CpuClock::of(client.pid())?;
    let reads_before = server.arrived(topic)?.reads;
    let tracer = tracer.map(|tracer| tracer.attach(client.pid()).map(|()| tracer)).transpose()?;

    let start = Snapshot::take(client_clock, server_clock)?;
    client.tell("go")?;
    client.expect("done", DONE)?;
    let end = Snapshot::take(client_clock, server_clock)?;
    let peak_memory_kib = peak_memory_kib(client.pid())?;
    if let Some(tracer) = tracer {
        tracer.detach()?;
    }
    if scenario.work == Work::Oneway {
        // The client is not to blame for what its end would cut off.
        server.arrived_in_the_end(topic, u64::MAX)?;
    }
    client.tell("go")?;
    let outcome: Outcome = serde_json::from_str(&client.line(DONE)?)?;

    let expected = before.messages + if scenario.work.empties() { 0 } else { outcome.total };
    let ended = client.end(END)?;
    let after = server.arrived_in_the_end(topic, expected)?;
    let (cpu_seconds, server_cpu_seconds) = (end.client - start.client, end.server - start.server);
    let others = (end.busy - start.busy - cpu_seconds - server_cpu_seconds).max(0.0);
    Ok(Measured {
        scenario: scenario.name.clone(),
        contestant: contestant.name,
        round: 0,
        cpu_seconds,
        server_cpu_seconds,
        server_reads: after.reads.zip(reads_before).map(|(after, before)| after - before),
        peak_memory_kib,
        first_ms,
        arrived: after.messages - before.messages,
        others_busy: others / ((end.at - start.at).as_secs_f64() * processors() as f64),
        ended,
        outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{CONTESTANTS, all};

    fn words(scenario: &str, contestant: &str) -> String {
        words_of(1.0, scenario, contestant)
    }

    fn words_of(scale: f64, scenario: &str, contestant: &str) -> String {
        let scenario = all(scale).into_iter().find(|known| known.name == scenario).expect("a scenario");
        let contestant = CONTESTANTS.iter().find(|known| known.name == contestant).expect("a contestant");
        let mut command = Command::new("client");
        arguments(&mut command, &scenario, contestant, "server", "topic");
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_client_is_told_what_to_do_in_the_words_of_the_contract() {
        assert!(words("null-oneway", "go").starts_with("produce --name-server server --topic topic --count 200000 "));
        assert!(words("null-oneway", "go").ends_with(" --style oneway"));
        assert!(words("real-drain", "go").starts_with("drain "));
        assert!(
            words("null-consume", "go").starts_with("consume ") && words("null-consume", "go").ends_with(" --batch 1")
        );
        assert!(words("real-consume-32", "java").ends_with(" --batch 32"));
        assert!(words("real-end-to-end", "go").starts_with("end-to-end "));
        assert!(words("real-end-to-end", "go").ends_with(" --rate 1000"));
    }

    #[test]
    fn a_warm_up_has_no_more_messages_than_there_are() {
        for (scale, scenario, contestant, expected) in [
            (1.0, "real-64", "java", 200_000),
            (1.0, "real-1", "java", 80_000),
            (1.0, "null-consume", "java", 200_000),
            (0.05, "null-consume", "java", 10_000),
            (1.0, "null-consume", "go", 20_000),
            (1.0, "real-end-to-end", "java", 5000),
        ] {
            let words = words_of(scale, scenario, contestant);
            assert!(words.contains(&format!(" --warm-up {expected} ")), "{words}");
        }
    }
}
