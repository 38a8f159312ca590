//! What has happened, as one number: two runs that differ in a single byte, event or deadline differ in it.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use stgclient_core::time::Instant;

/// How many of the latest entries the journal keeps.
const KEPT: usize = 256;

/// The hash of everything that has happened, and a journal of the latest.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    journal: VecDeque<Entry>,
}

/// One line of the journal.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    what: &'static str,
    subject: u64,
    length: usize,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        let mut trace = Self { hash: 0, journal: VecDeque::new() };
        trace.word(seed);
        trace
    }

    /// The hash so far.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Something has happened to `subject`, such as a link, with `bytes`.
    pub(super) fn event(&mut self, at: Instant, what: &'static str, subject: u64, bytes: &[u8]) {
        if self.journal.len() == KEPT {
            self.journal.pop_front();
        }
        self.journal.push_back(Entry { at, what, subject, length: bytes.len() });
        self.word(at.as_micros());
        self.bytes(what.as_bytes());
        self.word(subject);
        self.bytes(bytes);
    }

    /// The same, where it shows itself as text only.
    pub(super) fn shown(&mut self, at: Instant, what: &'static str, subject: u64, shown: &dyn fmt::Debug) {
        self.event(at, what, subject, &[]);
        // A hash takes every text.
        let _ = write!(self, "{shown:?}");
    }

    /// The latest entries, a line each.
    pub(super) fn journal(&self) -> String {
        let mut lines = String::new();
        for Entry { at, what, subject, length } in &self.journal {
            let micros = at.as_micros();
            let _ = writeln!(lines, "{:>6}.{:06} {what} {subject} {length}", micros / 1_000_000, micros % 1_000_000);
        }
        lines
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.word(u64::from(*byte)));
    }

    /// A multiplication that spreads each bit over those above it, and a rotation that brings them down again.
    const fn word(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_makes_a_difference() {
        let hash = |at, subject, bytes: &[u8]| {
            let mut trace = Trace::new(1);
            trace.event(Instant::from_micros(at), "bytes", subject, bytes);
            trace.event(Instant::from_micros(9), "end", 1, &[]);
            trace.hash()
        };
        let same = hash(1, 2, b"twelve bytes");
        assert_eq!(same, hash(1, 2, b"twelve bytes"));
        for other in [hash(2, 2, b"twelve bytes"), hash(1, 3, b"twelve bytes"), hash(1, 2, b"twelve byteS")] {
            assert_ne!(same, other);
        }
    }

    #[test]
    fn the_journal_keeps_the_latest() {
        let mut trace = Trace::new(1);
        for number in 0..1000 {
            trace.event(Instant::from_micros(1_500_000), "bytes", number, b"x");
        }
        let journal = trace.journal();
        assert_eq!(journal.lines().count(), KEPT);
        assert_eq!(journal.lines().last(), Some("     1.500000 bytes 999 1"));
    }
}
