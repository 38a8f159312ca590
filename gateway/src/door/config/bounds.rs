//! The section `[bounds]`.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::door::networks::Proxies;

/// How much of anything there may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bounds {
    /// TLS, upgrade and authentication together, in seconds.
    pub(crate) handshake_seconds: f64,
    /// Connecting to a server of the cluster, in seconds.
    pub(crate) connect_seconds: f64,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    /// New connections per second, in all.
    pub(crate) handshakes_per_second: u32,
    /// New connections per second from one address, as far as it comes without a trusted proxy.
    pub(crate) handshakes_per_second_per_address: u32,
    /// The longest WebSocket message, in bytes. One is a piece of a stream, so it need not be as long as a RocketMQ message.
    pub(crate) message_bytes: usize,
    /// The longest frame of the RocketMQ protocol that a visitor may send, in bytes.
    pub(crate) frame_bytes: usize,
    /// The longest body that is kept whole, because it is judged or signed, in bytes; all others pass as they come.
    pub(crate) body_bytes: usize,
    /// How long such a body may take to come, in seconds.
    pub(crate) body_seconds: f64,
    /// What is kept of all these bodies at a time, in bytes; a quarter of it for one address.
    pub(crate) kept_bytes: usize,
    /// What waits for a visitor who does not read, in bytes.
    pub(crate) buffer_bytes: usize,
    /// A tunnel on which nothing came from the visitor for so long is closed, in seconds. Pings are answered.
    pub(crate) idle_seconds: f64,
    /// How often visitors are pinged, in seconds.
    pub(crate) ping_seconds: f64,
    /// How long tunnels have to end when the gateway stops, in seconds.
    pub(crate) drain_seconds: f64,
    /// Whose word counts on where a connection is from (`X-Forwarded-For`).
    pub(crate) trusted_proxies: Proxies,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake_seconds: 10.0,
            connect_seconds: 5.0,
            connections: 20_000,
            connections_per_address: 200,
            handshakes_per_second: 500,
            handshakes_per_second_per_address: 100,
            message_bytes: 256 * 1024,
            frame_bytes: 16 * 1024 * 1024,
            body_bytes: 5 * 1024 * 1024,
            body_seconds: 30.0,
            kept_bytes: 256 * 1024 * 1024,
            buffer_bytes: 256 * 1024,
            idle_seconds: 90.0,
            ping_seconds: 20.0,
            drain_seconds: 15.0,
            trusted_proxies: Proxies::default(),
        }
    }
}

impl Bounds {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_secs_f64(self.handshake_seconds)
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_secs_f64(self.connect_seconds)
    }

    pub(crate) fn body(&self) -> Duration {
        Duration::from_secs_f64(self.body_seconds)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs_f64(self.idle_seconds)
    }

    pub(crate) fn ping(&self) -> Duration {
        Duration::from_secs_f64(self.ping_seconds)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs_f64(self.drain_seconds)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, seconds, most) in [
            ("handshake_seconds", self.handshake_seconds, 120.0),
            ("connect_seconds", self.connect_seconds, 120.0),
            ("body_seconds", self.body_seconds, 3600.0),
            ("idle_seconds", self.idle_seconds, 86_400.0),
            ("ping_seconds", self.ping_seconds, 86_400.0),
            ("drain_seconds", self.drain_seconds, 3600.0),
        ] {
            if !(seconds > 0.0 && seconds <= most) {
                return Err(ConfigError::new(
                    &format!("bounds.{name}"),
                    format_args!("{seconds} is not above 0 and at most {most}"),
                ));
            }
        }
        for (name, value, least) in [
            ("connections", self.connections, 1),
            ("connections_per_address", self.connections_per_address, 1),
            ("handshakes_per_second", self.handshakes_per_second as usize, 1),
            ("handshakes_per_second_per_address", self.handshakes_per_second_per_address as usize, 1),
            ("message_bytes", self.message_bytes, 1024),
            ("frame_bytes", self.frame_bytes, 1024),
            ("body_bytes", self.body_bytes, 1024),
            ("kept_bytes", self.kept_bytes, 4 * self.body_bytes),
            ("buffer_bytes", self.buffer_bytes, 64 * 1024),
        ] {
            if value < least {
                return Err(ConfigError::new(&format!("bounds.{name}"), format_args!("{value} is less than {least}")));
            }
        }
        if self.ping_seconds >= self.idle_seconds {
            return Err(ConfigError::new(
                "bounds.ping_seconds",
                "it has to be less than idle_seconds: pings keep quiet tunnels",
            ));
        }
        Ok(())
    }
}
