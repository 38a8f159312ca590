//! Networks that tunnels may lead into.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

/// Networks. Addresses of this machine, of links, and those where clouds tell secrets are in none of them, unless they are called by
/// name: `loopback`, `link-local`, `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Networks {
    nets: Vec<IpNet>,
    named: Vec<Special>,
}

/// Addresses that nobody means who names a large network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Loopback,
    LinkLocal,
    Metadata,
}

impl Special {
    const ALL: [(&'static str, Self); 3] =
        [("loopback", Self::Loopback), ("link-local", Self::LinkLocal), ("metadata", Self::Metadata)];
}

/// Where Amazon, Google, Azure, Oracle and Alibaba tell machines of themselves, by IPv4 and IPv6.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

impl Networks {
    /// Whether connections to this address may be made.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        // No peer of anybody's.
        if address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return false;
        }
        match special(address) {
            Some(special) => self.named.contains(&special),
            None => self.nets.iter().any(|net| net.contains(&address)),
        }
    }
}

/// An address as it is connected to: an IPv6 address that stands for one of IPv4 is that.
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            // Those that translators of addresses use (RFC 6052), which lead to IPv4 too.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4_of(high, low),
            // Compatible ones (RFC 4291), which are no more in use.
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4_of(high, low),
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..] => v4_of(high, low),
            _ => address.to_canonical(),
        },
        IpAddr::V4(_) => address,
    }
}

fn v4_of(high: u16, low: u16) -> IpAddr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(v4) if METADATA_V4.contains(&v4) => Some(Special::Metadata),
        IpAddr::V6(v6) if METADATA_V6.contains(&v6) => Some(Special::Metadata),
        _ if address.is_loopback() => Some(Special::Loopback),
        IpAddr::V4(v4) if v4.is_link_local() => Some(Special::LinkLocal),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(Special::LinkLocal),
        _ => None,
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        vec![text.to_owned()].try_into()
    }
}

impl TryFrom<Vec<String>> for Networks {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let mut networks = Self::default();
        for text in texts {
            if let Some((_, special)) = Special::ALL.iter().find(|(name, _)| *name == text) {
                networks.named.push(*special);
            } else {
                let single = text.parse::<IpAddr>().map(IpNet::from);
                let net = text.parse().or(single).map_err(|_| {
                    format!(
                        "{text:?} is no network; write 10.0.0.0/8, 10.1.2.3, fd00::/8, loopback, link-local or metadata"
                    )
                })?;
                networks.nets.push(net);
            }
        }
        Ok(networks)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named.iter().filter_map(|one| Special::ALL.iter().find(|(_, known)| known == one));
        let all: Vec<String> =
            self.nets.iter().map(ToString::to_string).chain(named.map(|(name, _)| (*name).to_owned())).collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn an_address_is_in_what_contains_it_whichever_way_it_is_written() {
        let networks = networks(&["10.0.0.0/8", "fd12::/16", "192.168.1.7"]);
        for (address, wanted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::10.1.2.3", true),
            ("2002:0a01:0203::1", true),
            ("11.1.2.3", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("fd12::1", true),
            ("fd13::1", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), wanted, "{address}");
        }
    }

    #[test]
    fn this_machine_links_and_metadata_have_to_be_named_even_if_everything_is_in() {
        let everything = ["0.0.0.0/0", "::/0"];
        for (address, name) in [
            ("127.0.0.1", "loopback"),
            ("127.9.9.9", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("64:ff9b::7f00:1", "loopback"),
            ("::7f00:1", "loopback"),
            ("169.254.1.1", "link-local"),
            ("fe80::1", "link-local"),
            ("169.254.169.254", "metadata"),
            ("::ffff:169.254.169.254", "metadata"),
            ("2002:a9fe:a9fe::", "metadata"),
            ("100.100.100.200", "metadata"),
            ("fd00:ec2::254", "metadata"),
        ] {
            let address = address.parse().unwrap();
            assert!(!networks(&everything).contain(address), "{address}");
            for (other, _) in Special::ALL {
                let named = networks(&[everything[0], everything[1], other]);
                assert_eq!(named.contain(address), other == name, "{address} by {other}");
            }
        }
        for nobody in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"] {
            let all = networks(&["0.0.0.0/0", "::/0", "loopback", "link-local", "metadata"]);
            assert!(!all.contain(nobody.parse().unwrap()), "{nobody}");
        }
    }

    #[test]
    fn what_is_no_network_is_told_what_to_write() {
        let error = Networks::try_from(vec!["10.0.0.0/33".to_owned()]).unwrap_err();
        assert!(error.contains("write 10.0.0.0/8"), "{error}");
    }

    #[test]
    fn what_leads_to_ipv4_by_a_translator_is_that_address() {
        let everything = networks(&["0.0.0.0/0", "::/0"]);
        let mut let_in = Vec::new();
        // RFC 8215, RFC 2765, RFC 5214, RFC 4380.
        for address in ["64:ff9b:1::a9fe:a9fe", "::ffff:0:169.254.169.254", "fec0::5efe:a9fe:a9fe", "64:ff9b:1::7f00:1"]
        {
            if everything.contain(address.parse().unwrap()) {
                let_in.push(address);
            }
        }
        assert_eq!(let_in, [] as [&str; 0]);
    }

    #[test]
    fn where_clouds_tell_secrets_is_in_no_network() {
        let mut let_in = Vec::new();
        // Azure's wire server; the credentials of pods in Amazon's EKS; of containers in ECS, by the name of links.
        for (networks, address) in [
            (networks(&["0.0.0.0/0"]), "168.63.129.16"),
            (networks(&["fd00::/8"]), "fd00:ec2::23"),
            (networks(&["link-local"]), "169.254.170.2"),
            (networks(&["link-local"]), "169.254.170.23"),
        ] {
            if networks.contain(address.parse().unwrap()) {
                let_in.push(address);
            }
        }
        assert_eq!(let_in, [] as [&str; 0]);
    }
}
