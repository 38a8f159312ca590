//! What an operation or a look-up is told.

use crate::error::Error;
use crate::time::Duration;
use crate::wire::command::Command;

/// What an operation or a look-up is told.
#[derive(Debug)]
pub(crate) enum Signal<'a> {
    /// Begin.
    Start,
    /// The connection that was waited for stands.
    Ready,
    /// The answer to a request.
    Answer { command: &'a Command, took: Duration },
    /// A request without an answer has been written.
    Written,
    /// A request or a connection failed.
    Failed(Error),
    /// The route that was waited for is there, or will not be.
    Routed(Result<(), Error>),
    /// The name servers' answer, or why there is none.
    Looked(Result<Command, Error>),
    /// The time is up.
    Elapsed,
}
