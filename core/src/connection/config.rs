//! The bounds and times of a connection.

use crate::time::Duration;
use crate::wire::command::HeaderCodec;
use crate::wire::dialect::Dialect;

/// The bounds and times of a connection.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// How headers are written. JSON by default.
    pub codec: HeaderCodec,
    /// The kind of server.
    pub dialect: Dialect,
    /// How long opening may take. 3 s by default.
    pub connect_timeout: Duration,
    /// A connection that nothing was asked or said on for so long is closed. 2 min by default.
    pub idle_timeout: Duration,
    /// A request that got no answer for at least so long closes the connection if nothing else came meanwhile either. 1 s by default.
    pub unresponsive_after: Duration,
    /// The pause after a first failure; it doubles. 100 ms by default.
    pub least_pause: Duration,
    /// The longest pause. 30 s by default.
    pub most_pause: Duration,
    /// How many requests may wait for answers. 65,535 by default.
    pub max_in_flight: usize,
    /// From how many unwritten bytes on nothing more is taken. 8 MiB by default.
    pub high_water: usize,
    /// Down to how many unwritten bytes it must fall until more is taken. 4 MiB by default.
    pub low_water: usize,
}

impl Default for ConnectionConfig {
    /// Java's times (`NettySystemConfig`, `NettyClientConfig`), and 8 MiB of unwritten bytes.
    fn default() -> Self {
        Self {
            codec: HeaderCodec::Json,
            dialect: Dialect::Apache,
            connect_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(120),
            unresponsive_after: Duration::from_secs(1),
            least_pause: Duration::from_millis(100),
            most_pause: Duration::from_secs(30),
            max_in_flight: 65_535,
            high_water: 8 * 1024 * 1024,
            low_water: 4 * 1024 * 1024,
        }
    }
}
