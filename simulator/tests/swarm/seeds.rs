//! Runs histories side by side, one for each seed, and tells what they found.
//!
//! Each runs in a process of its own: one that hangs in a lock, or aborts because a panic met another, is a finding like
//! others and ends no other history.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "whoever runs the tests says which seeds, and a process is watched by a real clock"
)]

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How much of a processor one history may use, and for how long it may use nothing: in a loop or in a lock it hangs. Where
/// nobody tells how much it has used, it may take so long in all. No time of the clock alone would do: others want the
/// processors too.
const LIMIT: Duration = Duration::from_secs(60);
/// Tells a process which seed is its own.
const OWN_SEED: &str = "STGCLIENT_OWN_SEED";
/// How a line begins that names a finding.
const FINDING: &str = "finding: ";
/// How the line begins in which a history says what it is, should it not live to say what it found.
pub(crate) const PLAN: &str = "plan: ";

/// A rule that a history broke, and how.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(rule: &str, what: impl fmt::Display) -> Self {
        Self { rule: rule.to_owned(), what: what.to_string() }
    }

    /// A panic: its words may have a rule in them, `[its-name]`.
    fn of_panic(words: &str) -> Self {
        let is_name =
            |text: &&str| text.contains('-') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let mut rules = words.split('[').filter_map(|text| text.split_once(']')).map(|(rule, _)| rule);
        Self::new(rules.find(is_name).unwrap_or("nothing-panics"), words)
    }
}

/// Runs `history` for each seed: `usual` of them, `long` with STGCLIENT_LONG, or those that STGCLIENT_SEEDS names. `test`
/// is the path of the test that calls this.
///
/// # Panics
/// When a history found something: the message has a line for each.
pub(crate) fn run(test: &str, usual: u64, long: u64, history: impl Fn(u64) -> Vec<Finding>) {
    if let Ok(seed) = std::env::var(OWN_SEED) {
        return tell(number(&seed), history);
    }
    let seeds = chosen(if is_set("STGCLIENT_LONG") { long } else { usual });
    let (next, is_over, found) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    for line in alone(test, seed) {
                        println!(
                            "{FINDING}{line}\n  alone: STGCLIENT_SEEDS={seed} cargo test -p stgclient-simulator --test swarm {test}"
                        );
                        found.lock().unwrap().push(line);
                        is_over.store(is_set("STGCLIENT_FIRST"), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut lines = found.into_inner().unwrap();
    lines.sort();
    assert!(lines.is_empty(), "{} findings in {} histories:\n{}", lines.len(), seeds.len(), lines.join("\n"));
}

/// Runs one history here, and tells the process that waits for it what it found.
fn tell(seed: u64, history: impl Fn(u64) -> Vec<Finding>) {
    let found = catch_unwind(AssertUnwindSafe(|| history(seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        vec![Finding::of_panic(&text)]
    });
    for Finding { rule, what } in found {
        println!("{FINDING}{rule} seed {seed}: {}", what.replace('\n', "\n  "));
    }
}

/// Runs one history in a process of its own. Gives its findings, a text each.
fn alone(test: &str, seed: u64) -> Vec<String> {
    let program = std::env::current_exe().expect("the program that runs");
    let mut child = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env(OWN_SEED, seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut output = child.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut watch = Watch { pid: child.id(), used: None, since: Instant::now() };
    let mut looks = 0_u64;
    let end = loop {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            break status.to_string();
        }
        looks += 1;
        if looks.is_multiple_of(40) && watch.hangs() {
            let _ = child.kill();
            let _ = child.wait();
            let told = reader.join().unwrap_or_default();
            return vec![format!("nothing-hangs seed {seed}: no end within {LIMIT:?} {}", plan(&told))];
        }
        std::thread::sleep(Duration::from_millis(25));
    };
    let told = reader.join().unwrap_or_default();
    if !told.contains("test result: ok") {
        return vec![format!("nothing-aborts seed {seed}: the process ended with {end} {}", plan(&told))];
    }
    let mut found: Vec<String> = Vec::new();
    for line in told.lines() {
        // What is printed before the first line of its own stands in the same line.
        if let Some((_, finding)) = line.split_once(FINDING) {
            found.push(finding.to_owned());
        } else if let (Some(last), Some(more)) = (found.last_mut(), line.strip_prefix("  ")) {
            last.push('\n');
            last.push_str(more);
        }
    }
    found
}

/// What a process has used of a processor.
struct Watch {
    pid: u32,
    used: Option<u64>,
    /// When that last grew.
    since: Instant,
}

impl Watch {
    fn hangs(&mut self) -> bool {
        let used = self.used_ticks();
        if used.is_some() && used != self.used {
            (self.used, self.since) = (used, Instant::now());
        }
        // Linux counts in hundredths of a second.
        used.is_some_and(|used| used > LIMIT.as_secs() * 100) || self.since.elapsed() > LIMIT
    }

    /// The 14th and 15th field of `/proc/PID/stat`, the second of which may have spaces.
    fn used_ticks(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
        Some(ticks.next()? + ticks.next()?)
    }
}

fn plan(told: &str) -> &str {
    told.lines().find_map(|line| Some(line.split_once(PLAN)?.1)).unwrap_or_default()
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("no seed: {text:?}"))
}

fn chosen(count: u64) -> Vec<u64> {
    let Ok(text) = std::env::var("STGCLIENT_SEEDS") else {
        return (0..count).collect();
    };
    let seeds = text.split(',').flat_map(|part| match part.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(part)..number(part) + 1,
    });
    seeds.collect()
}
