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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetMessageId {
    /// The address, the port in four bytes, and the offset in eight. Each receipt has one, and few are looked into.
    bytes: IdBytes,
}

impl OffsetMessageId {
    /// The id of the message that a broker stored at this place in its commit log, in bytes.
    pub const fn new(host: SocketAddr, physical_offset: u64) -> Self {
        let port = (host.port() as u32).to_be_bytes();
        let offset = physical_offset.to_be_bytes();
        let bytes = match host.ip() {
            IpAddr::V4(ip) => {
                let mut bytes = [0; 16];
                let (address, place) = bytes.split_at_mut(4);
                address.copy_from_slice(&ip.octets());
                let (port_bytes, offset_bytes) = place.split_at_mut(4);
                port_bytes.copy_from_slice(&port);
                offset_bytes.copy_from_slice(&offset);
                IdBytes::Short(bytes)
            }
            IpAddr::V6(ip) => {
                let mut bytes = [0; 28];
                let (address, place) = bytes.split_at_mut(16);
                address.copy_from_slice(&ip.octets());
                let (port_bytes, offset_bytes) = place.split_at_mut(4);
                port_bytes.copy_from_slice(&port);
                offset_bytes.copy_from_slice(&offset);
                IdBytes::Long(bytes)
            }
        };
        Self { bytes }
    }

    /// The id that an answer names; `None` when it names none, or several.
    pub fn read(text: FieldText<'_>) -> Option<Self> {
        Self::from_bytes(IdBytes::parse(text.plain_bytes()?).ok()?).ok()
    }

    /// The broker that stored the message.
    pub fn host(self) -> SocketAddr {
        let (ip, port) = match self.bytes {
            IdBytes::Short([a, b, c, d, port @ .., _, _, _, _, _, _, _, _]) => {
                (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
            }
            IdBytes::Long([ip @ .., p1, p2, p3, p4, _, _, _, _, _, _, _, _]) => {
                (IpAddr::V6(Ipv6Addr::from(ip)), [p1, p2, p3, p4])
            }
        };
        let [_, _, port @ ..] = port;
        SocketAddr::new(ip, u16::from_be_bytes(port))
    }

    /// The place in its commit log, in bytes.
    pub fn physical_offset(self) -> u64 {
        let last = self.bytes.as_slice().last_chunk().copied();
        u64::from_be_bytes(last.unwrap_or_default())
    }

    /// The id as text, without allocating.
    pub fn to_hex(self) -> HexId {
        self.bytes.to_hex()
    }

    fn from_bytes(bytes: IdBytes) -> Result<Self, IdError> {
        let port = match bytes {
            IdBytes::Short([_, _, _, _, port @ .., _, _, _, _, _, _, _, _]) => port,
            IdBytes::Long([.., p1, p2, p3, p4, _, _, _, _, _, _, _, _]) => [p1, p2, p3, p4],
        };
        let port = u32::from_be_bytes(port);
        if port > u32::from(u16::MAX) {
            return Err(IdError::Port { port });
        }
        Ok(Self { bytes })
    }
}

impl fmt::Debug for OffsetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, physical_offset) = (self.host(), self.physical_offset());
        f.debug_struct("OffsetMessageId").field("host", &host).field("physical_offset", &physical_offset).finish()
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

impl TryFrom<&str> for OffsetMessageId {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Self, IdError> {
        text.parse()
    }
}

impl TryFrom<&String> for OffsetMessageId {
    type Error = IdError;

    fn try_from(text: &String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<&Self> for OffsetMessageId {
    fn from(id: &Self) -> Self {
        *id
    }
}
