//! Other people's clients on the embedded cluster and on Apache's, feature by feature: each finds the same on both.
//!
//! Each client has a program of its own, from its own registry (`tests/clients`). It is given the name server and a prefix, and goes
//! through what it can do, each feature on the topic PREFIX-FEATURE of four queues and, if it consumes, in the group
//! PREFIX-FEATURE-group, and prints a line `FEATURE ok` or `FEATURE failed: REASON` for each:
//!
//! - `send`, `send-async`, `send-oneway`, `send-batch`: 20 messages each, every one with SEND_OK where the broker answers. That they
//!   have arrived is looked at here.
//! - `tags`: of 20 messages with the tags A to D in turn, those of `A || C` come to a push consumer, and no others.
//! - `orderly`: 20 messages, by four keys, come to an orderly push consumer, each key's in their order.
//! - `broadcasting`: 20 messages come to both of two members.
//! - `retry`: a message that is refused comes again, and says that it is the second time.
//! - `pull`: 20 messages are pulled, and an offset is committed and read, where the client offers that.
//! - `close`: everything is closed. That the groups have no members any more is looked at here.
//!
//! A client that lacks a feature prints nothing of it.

// Tests wait for real servers, and the environment says which programs there are.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stgclient::{Client, HeaderCodec};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_tests::{Cluster, ask, unique};
use tokio::process::Command;
use tokio::task::JoinSet;

/// What a program may show, in this order.
const FEATURES: [&str; 10] =
    ["send", "send-async", "send-oneway", "send-batch", "tags", "orderly", "broadcasting", "retry", "pull", "close"];

/// How many messages each feature sends, but for one that is refused.
const COUNT: u64 = 20;

/// How long all features of a client may take: real brokers bring back what failed after ten seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a feature went.
type Findings = BTreeMap<String, String>;

/// How a program is started, a word each.
type Words = Vec<String>;

/// What a client does wrong on every cluster: of a batch of C++'s client brokers make one message.
const WRONG_EVERYWHERE: [(&str, &str); 1] = [("cpp", "send-batch")];

#[tokio::test]
async fn other_peoples_clients_find_the_same_on_the_embedded_cluster_as_on_apaches() {
    let clusters = [Cluster::embedded(HeaderCodec::Json).await, Cluster::apache(HeaderCodec::Json)].map(Arc::new);
    let mut runs = JoinSet::new();
    for (name, program) in programs() {
        let [embedded, apache] = clusters.clone();
        runs.spawn(async move { (name, tokio::join!(findings(&embedded, &program), findings(&apache, &program))) });
    }
    let found: BTreeMap<_, _> = runs.join_all().await.into_iter().collect();
    let mut table = vec![row("client", FEATURES.into_iter().map(str::to_owned))];
    let mut wrong = Vec::new();
    for (name, (ours, theirs)) in &found {
        let cells = FEATURES.map(|feature| format!("{}/{}", cell(ours.get(feature)), cell(theirs.get(feature))));
        table.push(row(name, cells.into_iter()));
        for feature in FEATURES {
            let both = [ours.get(feature), theirs.get(feature)];
            let is_ok = both.map(|found| found.is_none_or(|how| how == "ok"));
            let is_as_expected = is_ok == [!WRONG_EVERYWHERE.contains(&(name, feature)); 2];
            if !is_as_expected || both[0].is_some() != both[1].is_some() {
                wrong.push(format!("{name}, {feature}: ours {:?}, Apache's {:?}", both[0], both[1]));
            }
        }
    }
    println!("ours/Apache's, - where a client has no such feature\n{}", table.join("\n"));
    assert!(!found.is_empty(), "there is no client");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cell(found: Option<&String>) -> &'static str {
    match found.map(String::as_str) {
        None => "-",
        Some("ok") => "ok",
        Some(_) => "FAILED",
    }
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    cells.fold(format!("{name:14}"), |row, cell| format!("{row} {cell:>12}"))
}

/// The programs that the stage has built: a file each, called like the client, with a word a line.
fn programs() -> BTreeMap<String, Words> {
    let folder = std::env::var("STGCLIENT_CLIENTS").expect("STGCLIENT_CLIENTS is set by tests/stages/embedded-clients");
    let entries = std::fs::read_dir(Path::new(&folder)).expect("the folder of programs");
    let program = |entry: std::fs::DirEntry| {
        let words = std::fs::read_to_string(entry.path()).expect("a program").lines().map(str::to_owned).collect();
        (entry.file_name().to_string_lossy().into_owned(), words)
    };
    entries.map(|entry| program(entry.expect("an entry"))).collect()
}

/// What a client finds on a cluster.
async fn findings(cluster: &Cluster, program: &[String]) -> Findings {
    let prefix = unique("clients");
    let client = cluster.client().await;
    let admin = client.admin();
    let topic = |feature: &str| format!("{prefix}-{feature}");
    for feature in FEATURES {
        admin.create_topic(&topic(feature)).queues(4).await.expect("a topic");
    }
    let mut found = run(program, cluster.name_server(), &prefix).await;
    for feature in FEATURES.into_iter().filter(|feature| feature.starts_with("send")) {
        if let Some(how) = found.get_mut(feature).filter(|how| *how == "ok") {
            let count = arrived(&client, &topic(feature)).await;
            if count != COUNT {
                *how = format!("failed: {count} messages have arrived");
            }
        }
    }
    if let Some(closed) = found.get_mut("close") {
        for feature in FEATURES {
            let group = format!("{}-group", topic(feature));
            let fields = [("consumerGroup", &*group)];
            let answer = ask(cluster.broker(), RequestCode::GET_CONSUMER_LIST_BY_GROUP, &fields).await;
            if answer.code == ResponseCode::SUCCESS.0 && answer.body != r#"{"consumerIdList":[]}"# {
                *closed = format!("failed: {group} has members: {answer:?}");
            }
        }
    }
    client.close().await;
    found
}

/// How many messages a topic has, once it has those that were sent, or after as long as they may take.
async fn arrived(client: &Client, topic: &str) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let statistics = client.admin().topic_statistics(topic).await.expect("the broker answers");
        let count = statistics.queues.values().map(|queue| queue.max_offset - queue.min_offset).sum();
        if count == COUNT || Instant::now() > deadline {
            return count;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn run(program: &[String], name_server: &str, prefix: &str) -> Findings {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).args([name_server, prefix]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("a program ends in time");
    let output = output.expect("a program can be run");
    let (lines, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program:?}: {lines}{errors}");
    let finding = |line: &str| {
        let (feature, how) = line.split_once(' ')?;
        FEATURES.contains(&feature).then(|| (feature.to_owned(), how.to_owned()))
    };
    lines.lines().filter_map(finding).collect()
}
