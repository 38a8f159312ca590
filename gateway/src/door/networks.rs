//! Networks that tunnels may lead into.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
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
    /// No peer of anybody's, or one that is reached in ways that nobody can tell from its address. It has no name.
    Nobody,
}

impl Special {
    const NAMED: [(&'static str, Self); 3] =
        [("loopback", Self::Loopback), ("link-local", Self::LinkLocal), ("metadata", Self::Metadata)];

    fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(_, known)| *known == self).map(|(name, _)| *name)
    }
}

/// What is special. The first that has an address counts: some of what clouds have is on links.
const SPECIAL: [(Special, IpNet); 21] = [
    // Of most clouds, Amazon's containers, Tencent, Scaleway.
    (Special::Metadata, v4([169, 254, 169, 0], 24)),
    (Special::Metadata, v4([169, 254, 170, 0], 24)),
    (Special::Metadata, v4([169, 254, 0, 23], 32)),
    (Special::Metadata, v4([169, 254, 42, 42], 32)),
    // Alibaba, Oracle, Azure.
    (Special::Metadata, v4([100, 100, 100, 200], 32)),
    (Special::Metadata, v4([192, 0, 0, 192], 32)),
    (Special::Metadata, v4([168, 63, 129, 16], 32)),
    // Amazon, Google, Oracle, Scaleway.
    (Special::Metadata, v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32)),
    (Special::Metadata, v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128)),
    (Special::Metadata, v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128)),
    (Special::Metadata, v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128)),
    (Special::Loopback, v4([127, 0, 0, 0], 8)),
    (Special::Loopback, v6([0, 0, 0, 0, 0, 0, 0, 1], 128)),
    (Special::LinkLocal, v4([169, 254, 0, 0], 16)),
    (Special::LinkLocal, v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10)),
    // Everybody at once.
    (Special::Nobody, v4([0, 0, 0, 0], 8)),
    (Special::Nobody, v4([224, 0, 0, 0], 4)),
    (Special::Nobody, v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)),
    (Special::Nobody, v4([255, 255, 255, 255], 32)),
    // Translators of this machine's own net (RFC 8215), which say nowhere in it where the address of IPv4 stands, and Teredo (RFC 4380).
    (Special::Nobody, v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48)),
    (Special::Nobody, v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32)),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix))
}

impl Networks {
    /// Whether connections to this address may be made.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        match SPECIAL.iter().find(|(_, net)| net.contains(&address)) {
            Some((special, _)) => self.named.contains(special),
            None => !address.is_unspecified() && self.nets.iter().any(|net| net.contains(&address)),
        }
    }
}

/// An address as it is connected to: an IPv6 address that stands for one of IPv4 is that. Who comes from such an address is not there:
/// anybody may choose the end of his own.
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            // Those that translators of addresses use (RFC 6052, RFC 2765), which lead to IPv4 too.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => v4_of(high, low),
            // Compatible ones (RFC 4291), which are no more in use.
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4_of(high, low),
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..] => v4_of(high, low),
            // ISATAP (RFC 5214), whatever the network; two of the bits say of whom the address is.
            [_, _, _, _, own, 0x5efe, high, low] if own & !0x300 == 0 => v4_of(high, low),
            _ => address.to_canonical(),
        },
        IpAddr::V4(_) => address,
    }
}

fn v4_of(high: u16, low: u16) -> IpAddr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// A network as a file says it, which is what it says and has somebody in it.
fn network(text: &str) -> Result<IpNet, String> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let net: IpNet = text.parse().or(single).map_err(|_| {
        let names = "and for a cluster loopback, link-local or metadata";
        format!("{text:?} is no network; write 10.0.0.0/8, 10.1.2.3 or fd00::/8, {names}")
    })?;
    if net.trunc() != net {
        return Err(format!("{text:?} is an address in a network; write {} or {}", net.trunc(), net.addr()));
    }
    // As addresses are looked at.
    let mapped = unmapped(net.addr());
    if mapped != net.addr() {
        return Err(format!(
            "{text:?} has addresses of IPv4 in it, and is never looked at; write {mapped} with its own /prefix"
        ));
    }
    Ok(net)
}

impl TryFrom<Vec<String>> for Networks {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("there is no network, so nothing could be connected to; write [\"10.0.0.0/8\"]".to_owned());
        }
        let mut networks = Self::default();
        for text in texts {
            if let Some((_, special)) = Special::NAMED.iter().find(|(name, _)| *name == text) {
                networks.named.push(*special);
                continue;
            }
            let net = network(&text)?;
            if let Some((special, _)) = SPECIAL.iter().find(|(_, special)| special.contains(&net)) {
                return Err(match special.name() {
                    Some(name) => format!("{text:?} has to be called by its name; write {name:?}"),
                    None => format!("{text:?} has nobody who could be connected to; leave it out"),
                });
            }
            networks.nets.push(net);
        }
        Ok(networks)
    }
}

/// Those whose word counts on where a visitor is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// All that the internet has of IPv6.
const PUBLIC_V6: IpNet = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

impl TryFrom<Vec<String>> for Proxies {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let nets = texts.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>()?;
        // Halves are a whole, too.
        if IpNet::aggregate(&nets).iter().any(|net| net.prefix_len() == 0 || net.contains(&PUBLIC_V6)) {
            return Err("everybody would be a proxy whose word counts; write the addresses of yours alone".to_owned());
        }
        Ok(Self(nets))
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
            for (other, _) in Special::NAMED {
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
