//! Java's side: the program of `tests/java`, and `mqadmin`; and our own consumers as processes.

// The environment says where Java's side is.
#![allow(clippy::disallowed_methods)]

use std::process::{Output, Stdio};

use serde_json::{Map, Value};
use stgclient_tests::{PATIENCE, eventually};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// What Java says of a message or a queue.
#[derive(Clone, Debug)]
pub(crate) struct Line(Map<String, Value>);

impl Line {
    pub(crate) fn from(line: &str) -> Self {
        Self(serde_json::from_str(line).expect("each line is an object"))
    }

    /// A text, or nothing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or_else(|| panic!("no number {name} in {self:?}"))
    }

    /// The body.
    pub(crate) fn body(&self) -> Vec<u8> {
        let hex = self.text("bodyHex").expect("every message has a body");
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    /// The properties, by name.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let properties = self.0["properties"].as_object().expect("every message has properties");
        properties.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("values are texts")))
    }
}

/// Runs `Crossing`, which has to succeed; see there for its arguments.
pub(crate) async fn crossing(arguments: &[&str]) -> Vec<Line> {
    let output = run(&mut command(arguments)).await;
    let (lines, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {errors}");
    lines.lines().map(Line::from).collect()
}

fn command(arguments: &[&str]) -> Command {
    // A short-lived process: the quick compiler only.
    let mut command = Command::new("java");
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", &variable("JAVA_CLASSPATH")]);
    command.arg("Crossing").args(arguments);
    command
}

/// A push consumer in a process of its own that goes on until it is told to end.
pub(crate) struct Consumer {
    pub(crate) process: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    /// Its client id.
    pub(crate) client_id: String,
}

impl Consumer {
    /// Starts a member of `group` that is Java's, with these options of `Crossing consume`; returns when it has started.
    pub(crate) async fn start(name_server: &str, topic: &str, group: &str, options: &[&str]) -> Self {
        Self::run(command(&[&["consume", name_server, topic, group, "0"], options].concat())).await
    }

    /// Starts one that is ours.
    pub(crate) async fn start_ours(name_server: &str, topic: &str, group: &str, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_member"));
        command.args([&[name_server, topic, group], options].concat());
        Self::run(command).await
    }

    async fn run(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("Java is installed");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut consumer = Self { process, lines, client_id: String::new() };
        let started = consumer.next().await;
        consumer.client_id = started.text("clientId").expect("the consumer has started").to_owned();
        consumer
    }

    /// The next message that it is given.
    pub(crate) async fn next(&mut self) -> Line {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("a message comes in time");
        let line = line.expect("its output can be read").expect("the consumer goes on");
        Line::from(&line)
    }

    /// Ends it, as an application does: its offsets are committed.
    pub(crate) async fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().await.expect("the process is ours").success());
    }
}

/// Runs `mqadmin` and gives all it prints; it succeeds whatever happens. It gives a server no more than 3 seconds, which
/// on a loaded machine is not enough, so then it runs again.
pub(crate) async fn mqadmin(arguments: &[&str]) -> String {
    eventually("mqadmin gets its answers", async || {
        let output = run(Command::new(variable("MQADMIN")).args(arguments)).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (!text.contains("RemotingTimeoutException")).then_some(text)
    })
    .await
}

async fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("Java is installed")
}

fn variable(name: &str) -> String {
    let name = format!("STGCLIENT_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this below tests/servers/with-cluster"))
}
