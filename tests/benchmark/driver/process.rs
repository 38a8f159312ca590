//! A child process that talks in lines, and that never keeps us waiting for ever.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A process that is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<io::Result<String>>,
}

impl Process {
    /// Starts a command; what it says on standard error goes to the log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, lines })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line.
    pub(crate) fn line(&self, within: Duration) -> io::Result<String> {
        self.lines.recv_timeout(within).map_err(|error| match error {
            std::sync::mpsc::RecvTimeoutError::Timeout => {
                io::Error::new(io::ErrorKind::TimedOut, format!("said nothing for {} s", within.as_secs()))
            }
            std::sync::mpsc::RecvTimeoutError::Disconnected => io::Error::other("ended early"),
        })?
    }

    /// Waits for the line that is this word.
    pub(crate) fn expect(&self, word: &str, within: Duration) -> io::Result<()> {
        let line =
            self.line(within).map_err(|error| io::Error::new(error.kind(), format!("before \"{word}\": {error}")))?;
        if line == word { Ok(()) } else { Err(io::Error::other(format!("said \"{line}\", not \"{word}\""))) }
    }

    /// Writes a line.
    pub(crate) fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or_else(|| io::Error::other("its input is closed"))?;
        writeln!(input, "{line}")?;
        input.flush()
    }

    /// Closes its input and waits until it ends; whether it did.
    pub(crate) fn end(&mut self, within: Duration) -> io::Result<bool> {
        self.input = None;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(false)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
