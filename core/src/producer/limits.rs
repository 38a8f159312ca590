//! Back-pressure: how much of a producer may wait for answers.

/// The messages of a producer that wait for their answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// How many there are.
    pub messages: usize,
    /// Their bodies, in bytes.
    pub bytes: usize,
}

impl Backlog {
    /// Whether a body of `bytes` may join, at most `max_messages` and `max_bytes` being allowed. A single body always
    /// may: a limit smaller than one message would stop everything.
    pub(crate) const fn has_room(self, bytes: usize, max_messages: usize, max_bytes: usize) -> bool {
        self.messages == 0 || (self.messages < max_messages && self.bytes + bytes <= max_bytes)
    }

    pub(crate) const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(crate) const fn remove(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::Backlog;

    #[test]
    fn both_counts_bound_what_waits_but_one_message_always_may() {
        let mut backlog = Backlog::default();
        assert!(backlog.has_room(1000, 2, 10));
        backlog.add(5);
        assert!(backlog.has_room(5, 2, 10));
        assert!(!backlog.has_room(6, 2, 10));
        backlog.add(1);
        assert!(!backlog.has_room(1, 2, 10));
        backlog.remove(1);
        assert!(backlog.has_room(1, 2, 10));
    }
}
