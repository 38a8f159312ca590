//! Real servers of a test's own, which it may stop and start.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A name server and a broker, which end with this.
#[derive(Debug)]
pub(crate) struct OnDemand {
    /// `tests/servers/on-demand` ends with its input, and the servers with it.
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl OnDemand {
    /// Starts both, in this version of RocketMQ and with these settings of the broker. Gives their addresses too.
    pub(crate) async fn start(version: &str, settings: &[&str]) -> (Self, String, String) {
        let servers = concat!(env!("CARGO_MANIFEST_DIR"), "/servers");
        let mut process = Command::new(format!("{servers}/with-cluster"))
            .arg(format!("{servers}/on-demand"))
            .env("STGCLIENT_ROCKETMQ", version)
            .env("STGCLIENT_BROKER_SETTINGS", settings.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("with-cluster runs");
        let (orders, answers) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        let mut answers = BufReader::new(answers).lines();
        let addresses = answers.next_line().await.expect("with-cluster writes").expect("the servers start");
        let (name_server, broker) = addresses.split_once(' ').expect("two addresses");
        let (name_server, broker) = (name_server.to_owned(), broker.to_owned());
        (Self { orders, answers, _process: process }, name_server, broker)
    }

    /// Does as the order says; `tests/servers/on-demand` knows which there are.
    pub(crate) async fn order(&mut self, order: &str) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.expect("on-demand reads");
        let answer = self.answers.next_line().await.expect("on-demand writes");
        assert_eq!(answer.as_deref(), Some("done"), "{order}");
    }
}
