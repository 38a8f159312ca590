//! Offset ids: where a broker stored a message (`MessageDecoder.createMessageId`, `decodeMessageId`).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use thiserror::Error;

use super::hex::{HexId, IdBytes};
use crate::wire::fields::FieldText;

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// It is neither 32 nor 56 characters long.
    #[error("an id of {length} bytes; 32 or 56 hexadecimal digits were expected")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// A character is no hexadecimal digit.
    #[error("an id without a hexadecimal digit at {at}")]
    Digit {
        /// The character's place, counted from 0.
        at: usize,
    },
    /// The port is none.
    #[error("an id with the port {port}")]
    Port {
        /// What it says.
        port: u32,
    },
}

/// The place of a message in a broker's commit log: what a send's answer calls `msgId`.
///
/// As text, 32 upper-case hexadecimal digits with an IPv4 address and 56 with an IPv6 address; lower case is read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetMessageId {
    /// The broker that stored the message.
    pub host: SocketAddr,
    /// The place in its commit log, in bytes.
    pub physical_offset: u64,
}

impl OffsetMessageId {
    /// The id that an answer names; `None` when it names none, or several.
    pub fn read(text: FieldText<'_>) -> Option<Self> {
        Self::from_bytes(IdBytes::parse(text.plain_bytes()?).ok()?).ok()
    }

    /// The id as text, without allocating.
    pub fn to_hex(self) -> HexId {
        let port = u32::from(self.host.port()).to_be_bytes();
        let offset = self.physical_offset.to_be_bytes();
        match self.host.ip() {
            IpAddr::V4(ip) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&ip.octets());
                bytes[4..8].copy_from_slice(&port);
                bytes[8..].copy_from_slice(&offset);
                IdBytes::Short(bytes)
            }
            IpAddr::V6(ip) => {
                let mut bytes = [0; 28];
                bytes[..16].copy_from_slice(&ip.octets());
                bytes[16..20].copy_from_slice(&port);
                bytes[20..].copy_from_slice(&offset);
                IdBytes::Long(bytes)
            }
        }
        .to_hex()
    }
}

impl fmt::Display for OffsetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_hex(), f)
    }
}

impl FromStr for OffsetMessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::from_bytes(IdBytes::parse(text.as_bytes())?)
    }
}

impl OffsetMessageId {
    fn from_bytes(bytes: IdBytes) -> Result<Self, IdError> {
        let (ip, port, offset) = match bytes {
            IdBytes::Short(bytes) => {
                let [a, b, c, d, port @ .., o1, o2, o3, o4, o5, o6, o7, o8] = bytes;
                (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port, [o1, o2, o3, o4, o5, o6, o7, o8])
            }
            IdBytes::Long(bytes) => {
                let [ip @ .., p1, p2, p3, p4, o1, o2, o3, o4, o5, o6, o7, o8] = bytes;
                (IpAddr::V6(Ipv6Addr::from(ip)), [p1, p2, p3, p4], [o1, o2, o3, o4, o5, o6, o7, o8])
            }
        };
        let port = u32::from_be_bytes(port);
        let port = u16::try_from(port).map_err(|_| IdError::Port { port })?;
        Ok(Self { host: SocketAddr::new(ip, port), physical_offset: u64::from_be_bytes(offset) })
    }
}
