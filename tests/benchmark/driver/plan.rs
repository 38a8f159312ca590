//! The order of things: builds, servers, rounds in which contestants take turns, the report.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use clap::Parser;

use crate::clients::Clients;
use crate::report;
use crate::run::{LockTimes, Measured, run};
use crate::scenario::{CONTESTANTS, Contestant, Kind, Scenario, ServerKind, Work, all};
use crate::servers::{Server, program};
use crate::summary::Summary;
use crate::system_calls::{SystemCalls, Tracer};

/// Measures stgclient beside other clients of RocketMQ, and writes report.md, report.json and plots.
#[derive(Debug, Parser)]
#[command(name = "tests/bench", bin_name = "tests/bench")]
pub(crate) struct Options {
    /// How often each client runs in each scenario; the report has medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these scenarios, separated by commas; a name ending in * stands for all that begin so.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these clients, separated by commas.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// One round with a twentieth of the messages: to see that everything works.
    #[arg(long)]
    quick: bool,
    /// So many times the messages.
    #[arg(long, default_value_t = 1.0)]
    messages_scale: f64,
    /// The folder of the report.
    #[arg(long, default_value = "target/benchmark", overrides_with = "output")]
    output: PathBuf,
    /// Lists scenarios and clients.
    #[arg(long)]
    list: bool,
    /// The project's folder.
    #[arg(long, default_value = ".", hide = true)]
    root: PathBuf,
}

/// Everything that a run needs.
struct Bench<'a> {
    options: &'a Options,
    rounds: usize,
    scale: f64,
    contestants: Vec<Contestant>,
    clients: Clients,
    log: PathBuf,
    /// The servers that last, by kind.
    lasting: BTreeMap<ServerKind, Server>,
    runs: Vec<Measured>,
}

/// Does what the options say.
pub(crate) fn run_all(options: &Options) -> Result<(), Box<dyn Error>> {
    let scale = options.messages_scale * if options.quick { 0.05 } else { 1.0 };
    let scenarios: Vec<_> = all(scale).into_iter().filter(|scenario| wanted(&options.only, &scenario.name)).collect();
    let contestants: Vec<_> =
        CONTESTANTS.iter().copied().filter(|contestant| wanted(&options.peers, contestant.name)).collect();
    if options.list {
        scenarios.iter().for_each(|scenario| println!("scenario  {}", scenario.name));
        contestants.iter().for_each(|contestant| println!("client    {}", contestant.name));
        return Ok(());
    }
    if scenarios.is_empty() || contestants.is_empty() {
        return Err("no such scenario or client; see --list".into());
    }
    fs::create_dir_all(&options.output)?;
    let log = options.output.join("log");
    fs::write(&log, "")?;
    let mut bench = Bench {
        options,
        rounds: if options.quick { 1 } else { options.rounds },
        scale,
        clients: Clients::build(&options.root, &programs(&scenarios, &contestants)),
        contestants,
        log,
        lasting: BTreeMap::new(),
        runs: Vec::new(),
    };
    let mut summaries = Vec::new();
    for scenario in &scenarios {
        summaries.push(bench.measure(scenario)?);
        // Written again each time, so that an interrupted run leaves what it has.
        report::write(&options.output, &summaries, &bench.runs)?;
    }
    println!("{}", report::markdown(&summaries));
    println!("written to {}", options.output.display());
    Ok(())
}

/// The contestants, and what else has to be built for details.
fn programs(scenarios: &[Scenario], contestants: &[Contestant]) -> Vec<Contestant> {
    let has_details = scenarios.iter().any(|scenario| scenario.has_details);
    let ours = contestants.iter().filter(|contestant| has_details && contestant.kind == Kind::Ours);
    contestants.iter().copied().chain(ours.map(|ours| ours.measuring_lock())).collect()
}

fn wanted(patterns: &[String], name: &str) -> bool {
    let matches = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    patterns.is_empty() || patterns.iter().any(matches)
}

impl Bench<'_> {
    fn measure(&mut self, scenario: &Scenario) -> io::Result<Summary> {
        let contestants: Vec<_> = self.contestants.iter().copied().filter(|c| c.takes_part(scenario)).collect();
        let mut failures: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let first_run = self.runs.len();
        for round in 1..=self.rounds {
            for contestant in &contestants {
                // What failed twice fails: a hung client costs minutes.
                if failures.get(contestant.name).is_some_and(|failed| failed.len() > 1) {
                    continue;
                }
                let started = Instant::now();
                eprint!("{:<12} {round}/{} {:<17} ", scenario.name, self.rounds, contestant.name);
                match self.run_once(scenario, contestant, None) {
                    Ok(mut measured) => {
                        measured.round = round;
                        eprintln!("{} {:.1} s", progress(&measured), started.elapsed().as_secs_f64());
                        self.runs.push(measured);
                    }
                    Err(error) => {
                        eprintln!("{error}");
                        failures.entry(contestant.name).or_default().push(error.to_string());
                    }
                }
            }
        }
        let mut summary = Summary::of(scenario, &self.runs[first_run..], &contestants);
        summary.failures = failures;
        let ours = contestants.iter().find(|contestant| contestant.kind == Kind::Ours);
        if let Some(ours) = ours.filter(|_| scenario.has_details) {
            summary.system_calls = Some(self.count_system_calls(scenario, ours));
            summary.lock = Some(self.measure_lock(scenario, &ours.measuring_lock()));
        }
        Ok(summary)
    }

    /// One more run, whose speed does not count.
    fn count_system_calls(&mut self, scenario: &Scenario, ours: &Contestant) -> Result<(SystemCalls, u64), String> {
        let mut tracer = Tracer::find(&self.options.output)?;
        let measured = self.run_once(scenario, ours, Some(&mut tracer)).map_err(|error| error.to_string())?;
        let calls = tracer.counted().map_err(|error| error.to_string())?;
        Ok((calls, measured.outcome.succeeded))
    }

    /// One more run, whose speed does not count either: looking at the clock costs.
    fn measure_lock(&mut self, scenario: &Scenario, ours: &Contestant) -> Result<(LockTimes, u64), String> {
        let measured = self.run_once(scenario, ours, None).map_err(|error| error.to_string())?;
        let times = measured.outcome.lock.ok_or("the client said nothing of its lock")?;
        Ok((times, measured.outcome.succeeded))
    }

    fn run_once(
        &mut self,
        scenario: &Scenario,
        contestant: &Contestant,
        tracer: Option<&mut Tracer>,
    ) -> io::Result<Measured> {
        let command = self.clients.command(contestant).map_err(io::Error::other)?;
        let mut server = match self.lasting.remove(&scenario.server) {
            Some(server) if contestant.kind != Kind::Floor => server,
            _ => self.start(scenario.server, contestant)?,
        };
        let result = if scenario.server == ServerKind::Real && scenario.work.empties() {
            self.filled(scenario, &mut server)
        } else {
            server.topic(scenario, contestant.name)
        }
        .and_then(|topic| run(command, scenario, contestant, &mut server, &topic, tracer, &self.log));
        if server.lasts() {
            self.lasting.insert(scenario.server, server);
        }
        result
    }

    fn start(&self, kind: ServerKind, contestant: &Contestant) -> io::Result<Server> {
        if contestant.kind == Kind::Floor {
            return Server::counting(Command::new(program("loopback-floor")?).arg("serve"), &self.log);
        }
        match kind {
            ServerKind::Null => Server::counting(&mut Command::new(program("null-broker")?), &self.log),
            ServerKind::Real => {
                eprint!("(starts servers) ");
                let mut server = Server::real(&self.options.root, &self.log)?;
                // A broker is a JVM too: whoever came first would pay for what it has not compiled yet.
                let warm_up = Scenario { name: "warm-up".to_owned(), ..all(self.scale).swap_remove(0) };
                let topic = server.topic(&warm_up, "all")?;
                self.fill(&warm_up, &mut server, &topic)?;
                self.uncounted(&Scenario { work: Work::Drain, ..warm_up }, &mut server, &topic)?;
                Ok(server)
            }
        }
    }

    /// The topic that all empty, filled by our client when it is first asked for.
    fn filled(&self, scenario: &Scenario, server: &mut Server) -> io::Result<String> {
        let topic = server.topic(scenario, "all")?;
        if server.arrived(&topic)?.messages == 0 {
            self.fill(scenario, server, &topic)?;
        }
        match server.arrived(&topic)?.messages {
            messages if messages == scenario.count as u64 => Ok(topic),
            messages => Err(io::Error::other(format!("{topic} has {messages} messages, not {}", scenario.count))),
        }
    }

    /// Sends as many messages as the scenario has. The first one, which is always sent, is one of them.
    fn fill(&self, scenario: &Scenario, server: &mut Server, topic: &str) -> io::Result<()> {
        let fill = Scenario { work: Work::Send, in_flight: 64, count: scenario.count - 1, ..scenario.clone() };
        self.uncounted(&fill, server, topic)
    }

    /// Our client, with nobody looking.
    fn uncounted(&self, scenario: &Scenario, server: &mut Server, topic: &str) -> io::Result<()> {
        let ours = CONTESTANTS.iter().find(|contestant| contestant.kind == Kind::Ours);
        let ours = Contestant { warm_up: 0, ..*ours.ok_or_else(|| io::Error::other("we are no contestant"))? };
        run(Command::new(program("stgclient-client")?), scenario, &ours, server, topic, None, &self.log).map(drop)
    }
}

fn progress(measured: &Measured) -> String {
    let outcome = &measured.outcome;
    let succeeded = outcome.succeeded as f64;
    format!(
        "{:>9.0}/s  p50 {:>7.1} us  {:>6.2} CPU s/M  {:>5.1} MB  others {:>2.0} %{}",
        succeeded / outcome.seconds,
        outcome.p50_us,
        measured.cpu_seconds * 1e6 / succeeded,
        measured.peak_memory_kib as f64 * 1024.0 / 1e6,
        measured.others_busy * 100.0,
        if outcome.failed > 0 { format!("  {} FAILED", outcome.failed) } else { String::new() },
    )
}
