//! Unique ids: what a producer calls a message, the same in every try to send it (`MessageClientIDSetter`).
//!
//! ```text
//! address, 4 or 16 bytes | process id u16 | client hash u32 | milliseconds since the month began u32 | counter u16
//! ```

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::hex::{HexId, IdBytes};
use super::id::IdError;

/// The id that a producer gives a message.
///
/// As text, 32 upper-case hexadecimal digits with an IPv4 address and 56 with an IPv6 address; lower case is read too.
/// Other clients may put any text in the property [`UNIQ_KEY`](super::property::UNIQ_KEY): it need not parse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(IdBytes);

impl UniqueId {
    /// An id of the client at `ip`, of which `process_id` and `client_hash` tell apart those at one address, and the
    /// month's `millis_since_month` (up to 2 678 400 000) and `counter` its messages.
    pub fn new(ip: IpAddr, process_id: u16, client_hash: u32, millis_since_month: u32, counter: u16) -> Self {
        let mut tail = [0; 12];
        tail[..2].copy_from_slice(&process_id.to_be_bytes());
        tail[2..6].copy_from_slice(&client_hash.to_be_bytes());
        tail[6..10].copy_from_slice(&millis_since_month.to_be_bytes());
        tail[10..].copy_from_slice(&counter.to_be_bytes());
        Self(match ip {
            IpAddr::V4(ip) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&ip.octets());
                bytes[4..].copy_from_slice(&tail);
                IdBytes::Short(bytes)
            }
            IpAddr::V6(ip) => {
                let mut bytes = [0; 28];
                bytes[..16].copy_from_slice(&ip.octets());
                bytes[16..].copy_from_slice(&tail);
                IdBytes::Long(bytes)
            }
        })
    }

    /// The address of the client.
    pub fn ip(&self) -> IpAddr {
        match self.0 {
            IdBytes::Short([a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            IdBytes::Long([ip @ .., _, _, _, _, _, _, _, _, _, _, _, _]) => IpAddr::V6(Ipv6Addr::from(ip)),
        }
    }

    /// The low 16 bits of the client's process id.
    pub const fn process_id(&self) -> u16 {
        match self.0 {
            IdBytes::Short([_, _, _, _, high, low, ..]) => u16::from_be_bytes([high, low]),
            IdBytes::Long([.., high, low, _, _, _, _, _, _, _, _, _, _]) => u16::from_be_bytes([high, low]),
        }
    }

    /// The id as text, without allocating.
    pub fn to_hex(self) -> HexId {
        self.0.to_hex()
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_hex(), f)
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UniqueId({self})")
    }
}

impl FromStr for UniqueId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        IdBytes::parse(text.as_bytes()).map(Self)
    }
}
