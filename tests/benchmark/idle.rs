//! What a consumer takes whose queues bring nothing: a process of its own at the null broker.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const QUEUES: u64 = 10_000;
const LIMIT: Duration = Duration::from_secs(120);

/// A program that answers lines with lines, and ends with the test.
struct Program {
    child: Child,
    output: Box<dyn BufRead>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = Box::new(BufReader::new(child.stdout.take().unwrap()));
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn ask(&mut self) -> Value {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The most memory that it has had, in kB.
    fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn ten_thousand_idle_queues_take_less_than_40_mb_and_one_long_poll_each() {
    let mut broker = Program::start(env!("CARGO_BIN_EXE_null-broker"), &[]);
    let address = broker.line();
    let topic = format!("q{QUEUES}-idle");
    let arguments = ["idle", "--name-server", &address, "--topic", &topic, "--count", "0"];
    let mut consumer = Program::start(env!("CARGO_BIN_EXE_stgclient-client"), &arguments);
    assert_eq!(consumer.line(), "ready");

    let started = Instant::now();
    // And one for the retry topic.
    while broker.ask()["held"].as_u64() < Some(QUEUES + 1) {
        assert!(started.elapsed() < LIMIT, "{}", broker.ask());
        thread::sleep(Duration::from_millis(20));
    }
    let (counts, memory) = (broker.ask(), consumer.peak_memory());
    assert_eq!(counts["doubled"], 0, "{counts}");
    assert!(memory < 40_000, "{memory} kB");
    println!("{memory} kB, {} ms until every queue is polled, {counts}", started.elapsed().as_millis());
}
