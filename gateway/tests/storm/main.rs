//! All that strangers try, at once, beside a steady client through the same gateway, which loses nothing and is not much later than in quiet.
//!
//! Attackers come from addresses of their own, of which Linux has as many as anybody wants.
//! What is in files of `against` is used there, too, for each attack alone.
#![cfg(target_os = "linux")]

#[allow(dead_code)]
#[path = "../against/answers.rs"]
mod answers;
mod attackers;
mod book;
#[path = "../against/broken.rs"]
mod broken;
mod hogs;
#[allow(dead_code)]
#[path = "../against/login.rs"]
mod login;
#[path = "../against/outside.rs"]
mod outside;
#[allow(dead_code)]
#[path = "../against/scene.rs"]
mod scene;
mod smugglers;
mod steady;
mod strangers;
mod weather;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use stgclient_gateway::Resolver;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::answers::Answers;
use crate::attackers::{Attackers, Lanes};
use crate::book::Book;
use crate::hogs::Flood;
use crate::login::Login;
use crate::scene::{Scene, Wanted, eventually};
use crate::steady::Steady;
use crate::weather::{Phase, WINDOW, Weather};

/// How long a request for a WebSocket may take.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(3);
/// How many connections a second are looked at, in all.
pub(crate) const HANDSHAKES: usize = 1000;
/// How many tunnels an address may have.
pub(crate) const TUNNELS: usize = 40;
/// The longest message.
pub(crate) const MESSAGE_BYTES: u64 = 64 * 1024;

/// Less than this is nothing that anybody notices, and nothing that can be told from noise: attackers, gateway, servers and client share two
/// processors here, with whatever else runs, and whoever is ready waits for those before him, some turns of a few milliseconds each.
const FLOOR: Duration = Duration::from_millis(20);

/// How many files this process may have open, as the system says.
fn most_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}

fn runtime(name: &str, workers: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).thread_name(name).enable_all();
    builder
}

/// Attackers would be on machines of their own: here they get what others leave.
fn give_way() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    let Some(id) = thread.file_name() else { return };
    let mut renice = Command::new("renice");
    let _ = renice.args(["-n", "10", "-p"]).arg(id).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// A gateway before a cluster in memory, and two name servers beside its own: one floods, one is known by a name.
async fn attackers(flood: Flood) -> Attackers {
    let (login, answers) = (Login::new(Algorithm::EdDSA), Arc::new(Answers::default()));
    let (inside, named) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    answers.set("mq.test", &["127.0.0.1"]);
    let named = format!("mq.test:{}", named.local_addr().unwrap().port());
    let folder = scene::folder();
    let bounds = format!(
        "handshake_seconds = {}\nhandshakes_per_second = {HANDSHAKES}\nconnections_per_address = {TUNNELS}\n\
         message_bytes = {MESSAGE_BYTES}\nidle_seconds = 3\nping_seconds = 0.5",
        HANDSHAKE.as_secs()
    );
    let scene = Scene::with(Wanted {
        bounds: &bounds,
        more: &login.section(&folder.join("key")),
        name_servers: vec![flood.address.clone(), named.clone()],
        resolver: Some(Arc::clone(&answers) as Arc<dyn Resolver>),
        ..Wanted::default()
    })
    .await;
    fs::remove_dir_all(folder).unwrap();
    let (idle, most_idle) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Attackers { scene, book: Book::default(), login, answers, flood, named, inside, idle, most_idle }
}

/// A minute of storm; ten, if there is time.
#[test]
fn a_steady_client_does_not_notice_a_storm_of_all_attacks() {
    let is_long = std::env::var_os("STGCLIENT_LONG").is_some_and(|long| !long.is_empty());
    let rounds = if is_long { 86 } else { 9 };
    // Each has threads of its own: who shares those of the gateway would measure his own queue.
    let [door, quiet, hostile] = [
        runtime("gateway", 2).build().unwrap(),
        runtime("steady", 1).build().unwrap(),
        runtime("attackers", 1).on_thread_start(give_way).build().unwrap(),
    ];
    let flood = hostile.block_on(Flood::new());
    let attackers = Arc::new(door.block_on(attackers(flood)));
    let steady = quiet.block_on(Steady::begin(&attackers.scene));
    let mut weather = Weather::new();
    let mut lanes = Lanes { attackers: Arc::clone(&attackers), phase: weather.watch(), lanes: JoinSet::new() };
    let phase = weather.watch();
    // Each idle connection is two files here; as many again are left for all else.
    let most_idle = (most_files() / 4).min(2000);
    quiet.block_on(async {
        let sending = steady.send(phase);
        let passing = async {
            // Until what comes first has come.
            tokio::time::sleep(WINDOW / 3).await;
            let tunnels = attackers.scene.count("stgclient_gateway_tunnels");
            {
                let _entered = hostile.enter();
                strangers::come(&mut lanes, most_idle);
                smugglers::come(&mut lanes);
                hogs::come(&mut lanes);
            }
            weather.pass(rounds).await;
            while let Some(ended) = lanes.lanes.join_next().await {
                ended.unwrap();
            }
            tunnels
        };
        let ((), tunnels) = tokio::join!(sending, passing);
        let count = steady.lost_nothing().await;
        eventually("no tunnel of an attacker is left", || {
            attackers.scene.count("stgclient_gateway_tunnels") == tunnels
        })
        .await;
        let idle = attackers.most_idle.load(Relaxed);
        println!(
            "{count} messages, none lost; {idle} idle connections at once; {tunnels} tunnels of the steady client"
        );
        assert!(idle > most_idle / 2, "{idle} idle connections of {most_idle} are no crowd");
    });
    quiet.block_on(judge(&attackers, &steady, &weather));
    quiet.block_on(steady.end());
}

async fn judge(attackers: &Attackers, steady: &Steady, weather: &Weather) {
    let scene = &attackers.scene;
    let said = scene.http(&scene.operation, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (quiet, storm) = (steady.p99(weather, Phase::Quiet), steady.p99(weather, Phase::Storm));
    for (what, (quiet, storm)) in ["acknowledged", "consumed"].into_iter().zip(quiet.into_iter().zip(storm)) {
        println!("99 of 100 are {what} within {quiet} in quiet, within {storm} in storm");
    }
    attackers.book.agrees_with(|name| scene::count_in(&said, name));
    let somebody = tokio::time::timeout(Duration::from_millis(50), attackers.inside.accept()).await;
    assert!(somebody.is_err(), "somebody has come to where tunnels do not lead");
    // Of the windows the middle one counts: some of a minute belong to whatever else runs on this machine, and say nothing.
    for (quiet, storm) in quiet.into_iter().zip(storm) {
        assert!(storm.usual <= (2 * quiet.usual).max(FLOOR), "within {storm} in storm, within {quiet} in quiet");
    }
}
