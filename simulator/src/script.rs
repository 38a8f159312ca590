//! Servers that a test writes: they see commands and say any bytes, right or wrong.

use bytes::Bytes;
use stgclient_core::time::{Duration, Now};
use stgclient_core::wire::command::Command;

/// What a scripted server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Sends these bytes, which need not be a frame.
    Send(Bytes),
    /// Closes the connection.
    Close,
    /// Resets it: what is on its way is lost.
    Reset,
}

/// A server that a test writes. A closure is one.
pub trait Script: Send {
    /// A client has sent a command. Each reaction follows after its duration; those that fall together keep their
    /// order. `connection` tells connections apart.
    fn receive(&mut self, now: Now, connection: u64, command: &Command) -> Vec<(Duration, Reaction)>;
}

impl<F: FnMut(Now, u64, &Command) -> Vec<(Duration, Reaction)> + Send> Script for F {
    fn receive(&mut self, now: Now, connection: u64, command: &Command) -> Vec<(Duration, Reaction)> {
        self(now, connection, command)
    }
}
