//! What the operating system says of a process, and of the machine.

use std::fs;
use std::io;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// The unit of `/proc/stat`: `USER_HZ` is 100 wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The CPU time of a process, all of its threads, those that have ended too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of a process that runs.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self(clock_getcpuclockid(Pid::from_raw(pid as i32))?))
    }

    /// User and system time so far.
    pub(crate) fn seconds(self) -> io::Result<f64> {
        let time = self.0.now()?;
        Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
    }
}

/// The most memory that the process had resident, in KiB. `ru_maxrss` would be the parent's if that had more.
pub(crate) fn peak_memory_kib(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| io::Error::other("no VmHWM"))
}

/// The time that all processors together were busy since the machine started, in seconds.
pub(crate) fn busy_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are within user.
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|number| number.parse().ok()).take(8).collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((ticks.iter().sum::<f64>() - idle) / TICKS_PER_SECOND)
}

/// How many processors there are.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name.
pub(crate) fn processor_name() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}
