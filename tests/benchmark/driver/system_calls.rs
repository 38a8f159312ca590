//! Counts a process's system calls while it is measured, with `perf stat`, which hardly slows it; `strace` where perf
//! may not.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

/// The calls that are told apart: reading, writing, waiting for sockets, waiting for other threads.
const TOLD_APART: [&str; 9] =
    ["read", "recvfrom", "write", "writev", "sendto", "sendmsg", "epoll_wait", "epoll_pwait", "futex"];

/// The pipes by which perf is told when to count, and says that it does.
const PIPES: [&str; 2] = ["control", "acknowledge"];

/// How many system calls there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SystemCalls {
    /// Who counted them.
    pub(crate) by: &'static str,
    /// All.
    pub(crate) all: u64,
    /// Reads from and writes to sockets and files.
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    /// Waits for sockets.
    pub(crate) polls: u64,
    /// Waits for, and wake-ups of, other threads: what locks and sleeping workers cost.
    pub(crate) futexes: u64,
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Perf,
    Strace,
}

/// Counts the system calls of one process at a time.
pub(crate) struct Tracer {
    tool: Tool,
    folder: PathBuf,
    child: Option<Child>,
}

impl Tracer {
    /// One that works here, or why there is none.
    pub(crate) fn find(folder: &Path) -> Result<Self, String> {
        let works = |command: &mut Command| {
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let perf = ["stat", "-e", "raw_syscalls:sys_enter", "-o", "/dev/null", "true"];
        let tool = if works(Command::new("perf").args(perf)) {
            Tool::Perf
        } else if works(Command::new("strace").args(["-c", "true"])) {
            Tool::Strace
        } else {
            return Err("not measured: neither perf nor strace works here".to_owned());
        };
        Ok(Self { tool, folder: folder.to_owned(), child: None })
    }

    /// Begins to count.
    pub(crate) fn attach(&mut self, pid: u32) -> io::Result<()> {
        let output = self.output();
        let _ = fs::remove_file(&output);
        let mut command = match self.tool {
            Tool::Perf => self.perf(pid)?,
            Tool::Strace => self.strace(pid),
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        match self.tool {
            Tool::Perf => self.tell("enable")?,
            // It says on standard error when it has attached.
            Tool::Strace => {
                let error = child.stderr.take().ok_or_else(|| io::Error::other("no output"))?;
                BufReader::new(error).read_line(&mut String::new())?;
            }
        }
        self.child = Some(child);
        Ok(())
    }

    /// Ends counting.
    pub(crate) fn detach(&mut self) -> io::Result<()> {
        if self.tool == Tool::Perf {
            self.tell("disable")?;
        }
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT)?;
        child.wait()?;
        for name in PIPES {
            let _ = fs::remove_file(self.pipe(name));
        }
        Ok(())
    }

    /// What was counted last.
    pub(crate) fn counted(&self) -> io::Result<SystemCalls> {
        let text = fs::read_to_string(self.output())?;
        fs::remove_file(self.output())?;
        Ok(match self.tool {
            Tool::Perf => sum("perf", perf_counts(&text)),
            Tool::Strace => sum("strace", strace_counts(&text)),
        })
    }

    fn output(&self) -> PathBuf {
        self.folder.join("system-calls")
    }

    fn pipe(&self, name: &str) -> PathBuf {
        self.folder.join(format!("perf-{name}"))
    }

    /// Attached but not counting until it is told to, so that the start of perf itself is no part of it.
    fn perf(&self, pid: u32) -> io::Result<Command> {
        for name in PIPES {
            let _ = fs::remove_file(self.pipe(name));
            Command::new("mkfifo").arg(self.pipe(name)).status()?;
        }
        let told_apart = TOLD_APART.map(|call| format!("syscalls:sys_enter_{call}")).join(",");
        let control = format!("--control=fifo:{},{}", self.pipe(PIPES[0]).display(), self.pipe(PIPES[1]).display());
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ";", "-D", "-1", &control, "-e", "raw_syscalls:sys_enter", "-e", &told_apart]);
        command.args(["-p", &pid.to_string(), "-o"]).arg(self.output());
        Ok(command)
    }

    fn strace(&self, pid: u32) -> Command {
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-p", &pid.to_string(), "-o"]).arg(self.output());
        command
    }

    fn tell(&self, word: &str) -> io::Result<()> {
        let mut control = File::options().read(true).write(true).open(self.pipe(PIPES[0]))?;
        writeln!(control, "{word}")?;
        let acknowledge = File::open(self.pipe(PIPES[1]))?;
        BufReader::new(acknowledge).read_line(&mut String::new()).map(drop)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `COUNT;;EVENT;...` a line.
fn perf_counts(text: &str) -> Vec<(&str, u64)> {
    let counts = text.lines().filter_map(|line| {
        let mut fields = line.split(';');
        let count = fields.next()?.parse().ok()?;
        let event = fields.nth(1)?;
        Some((event.strip_prefix("syscalls:sys_enter_").unwrap_or("all"), count))
    });
    counts.collect()
}

/// `%time seconds usecs/call calls [errors] name` a line, the last of which is the total.
fn strace_counts(text: &str) -> Vec<(&str, u64)> {
    let counts = text.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let name = *words.last()?;
        Some((if name == "total" { "all" } else { name }, words.get(3)?.parse().ok()?))
    });
    counts.collect()
}

fn sum(by: &'static str, counts: Vec<(&str, u64)>) -> SystemCalls {
    let mut sums = SystemCalls { by, ..SystemCalls::default() };
    for (name, count) in counts {
        match name {
            "all" => sums.all += count,
            "read" | "recvfrom" => sums.reads += count,
            "write" | "writev" | "sendto" | "sendmsg" => sums.writes += count,
            "epoll_wait" | "epoll_pwait" => sums.polls += count,
            "futex" => sums.futexes += count,
            _ => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tools_tell_the_same() {
        let perf = "# started\n\n700;;raw_syscalls:sys_enter;1;100.00;;\n300;;syscalls:sys_enter_sendto;1;100.00;;\n\
                    40;;syscalls:sys_enter_futex;1;100.00;;\n";
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
                      ------ ----------- ----------- --------- --------- ----------------\n \
                      50.00    0.000100           1       300           sendto\n \
                      50.00    0.000100           1        40        12 futex\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                      100.00    0.000200           1       700        12 total\n";
        let expected = SystemCalls { by: "perf", all: 700, writes: 300, futexes: 40, ..SystemCalls::default() };
        assert_eq!(sum("perf", perf_counts(perf)), expected);
        assert_eq!(sum("perf", strace_counts(strace)), expected);
    }
}
