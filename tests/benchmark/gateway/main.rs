//! What a gateway costs beside a plain relay of TCP, and beside websockify: `tests/gateway-cost`.
//!
//! Server, relay and gateway are processes of their own, whose CPU time is measured from outside. The server answers each frame with a
//! short one. The same program is all of them, by its first argument.

mod ways;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ways::{REPLY, Way, frame};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Answers frames
    Server,
    /// Copies bytes between its visitors and a server
    Relay { to: String },
    /// Measures
    Measure {
        /// The gateway's program
        #[arg(long)]
        gateway: PathBuf,
        /// websockify's program
        #[arg(long)]
        websockify: Option<PathBuf>,
        /// How many tunnels are kept idle
        #[arg(long, default_value_t = 10_000)]
        idle: usize,
    },
}

const TOKEN: &str = "a-token-for-measuring";
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::main]
async fn main() {
    match Options::parse().action {
        Action::Server => serve().await,
        Action::Relay { to } => relay(to).await,
        Action::Measure { gateway, websockify, idle } => measure(gateway, websockify, idle).await,
    }
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("it listens"));
    listener
}

async fn serve() {
    let listener = listen().await;
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let (mut buffer, mut have, mut left) = (vec![0; 256 * 1024], 0, 0);
            while let Ok(count @ 1..) = stream.read(&mut buffer[have..]).await {
                let (mut at, end) = (0, have + count);
                let mut replies = Vec::new();
                while at < end {
                    if left == 0 {
                        let Some(length) = buffer[at..end].first_chunk::<4>() else { break };
                        left = 4 + u32::from_be_bytes(*length) as usize;
                    }
                    let taken = left.min(end - at);
                    left -= taken;
                    at += taken;
                    if left == 0 {
                        replies.extend_from_slice(&REPLY);
                    }
                }
                buffer.copy_within(at..end, 0);
                have = end - at;
                if stream.write_all(&replies).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn relay(to: String) {
    let listener = listen().await;
    loop {
        let (mut visitor, _) = listener.accept().await.expect("a connection");
        let to = to.clone();
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(to).await else { return };
            let _ = (visitor.set_nodelay(true), server.set_nodelay(true));
            let _ = tokio::io::copy_bidirectional_with_sizes(&mut visitor, &mut server, 65_536, 65_536).await;
        });
    }
}

/// A process that says its address in its first line, and is killed in the end.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says its address");
        let address = line.split_whitespace().last().unwrap_or_default();
        let address = address.trim_start_matches("ws://").trim_end_matches("/tunnel").to_owned();
        Self { child, address }
    }

    fn cpu(&self) -> f64 {
        let clock = clock_getcpuclockid(Pid::from_raw(self.child.id() as i32)).expect("it runs");
        let time = clock.now().expect("it runs");
        time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
    }

    /// Resident memory, in MiB.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is known");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

async fn measure(gateway: PathBuf, websockify: Option<PathBuf>, idle: usize) {
    let ours = std::env::current_exe().expect("this program is somewhere");
    let server = Process::start(Command::new(&ours).arg("server"));
    let relay = Process::start(Command::new(&ours).args(["relay", &server.address]));
    let folder = std::env::temp_dir().join(format!("stgclient-gateway-cost-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let door = open(&gateway, &server.address, &folder);
    let websockify = websockify.map(|program| start_websockify(program, &server.address));

    let url = format!("ws://{}/tunnel?target={}", door.address, server.address);
    let mut all = vec![("plain relay", &relay, None), ("gateway", &door, Some(url.clone()))];
    if let Some(websockify) = &websockify {
        all.push(("websockify", websockify, Some(format!("ws://{}/", websockify.address))));
    }
    println!("| | 64 KiB: MiB/s | its CPU ms/MiB | 500 B: p50 us | p99 us | its CPU us |");
    println!("|---|---|---|---|---|---|");
    for _ in 0..3 {
        for (name, process, url) in &all {
            let mut way = Way::open(&process.address, url.as_deref(), TOKEN).await;
            let (before, started) = (process.cpu(), Instant::now());
            let bytes = flood(&mut way).await;
            let (mib, seconds) = (bytes as f64 / MIB, started.elapsed().as_secs_f64());
            let per_mib = (process.cpu() - before) * 1e3 / mib;
            let before = process.cpu();
            let times = round_trips(&mut way).await;
            let each = (process.cpu() - before) * 1e6 / times.len() as f64;
            let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6;
            println!("| {name} | {:.0} | {per_mib:.2} | {:.0} | {:.0} | {each:.0} |", mib / seconds, at(0.5), at(0.99));
        }
    }
    let before = door.memory();
    let mut open = Vec::with_capacity(idle);
    for _ in 0..idle {
        open.push(Way::open(&door.address, Some(&url), TOKEN).await);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("\n{} idle tunnels: {:.0} MiB resident, {before:.0} MiB before", open.len(), door.memory());
    let _ = fs::remove_dir_all(folder);
}

fn open(gateway: &PathBuf, server: &str, folder: &std::path::Path) -> Process {
    let (token, file) = (folder.join("token"), folder.join("gateway.toml"));
    fs::write(&token, TOKEN).expect("the folder is there");
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[cluster]\nname_servers = [{server:?}]\nnetworks = [\"loopback\"]\n\
         [[tokens]]\nname = \"measure\"\ntoken_file = {token:?}\n\
         [bounds]\nconnections_per_address = 100000\nhandshakes_per_second = 100000\n\
         handshakes_per_second_per_address = 100000\n"
    );
    fs::write(&file, config).expect("the folder is there");
    Process::start(Command::new(gateway).arg("--config").arg(file).args(["--log-level", "error"]))
}

/// websockify does not say where it listens when it is let choose.
fn start_websockify(program: PathBuf, server: &str) -> Process {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let address = format!("127.0.0.1:{port}");
    let child = Command::new(program)
        .args([&address, server])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < deadline, "websockify does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Process { child, address }
}

/// Sends messages of 64 KiB, 16 of them unanswered at a time; gives how many bytes.
async fn flood(way: &mut Way) -> usize {
    let message = frame(64 * 1024);
    let (mut sent, mut answered) = (0, 0);
    while answered < 4000 {
        while sent < 4000 && sent - answered < 16 {
            way.send(&message).await;
            sent += 1;
        }
        answered += way.replies().await;
    }
    4000 * message.len()
}

/// The times of round trips of 500 bytes, sorted.
async fn round_trips(way: &mut Way) -> Vec<Duration> {
    let message = frame(500);
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let started = Instant::now();
        way.send(&message).await;
        while way.replies().await == 0 {}
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times
}
