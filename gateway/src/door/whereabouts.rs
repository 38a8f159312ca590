//! Where a visitor is, behind proxies whose word counts.

use std::net::{IpAddr, SocketAddr};

use hyper::header::HeaderMap;

use crate::door::networks::Proxies;

/// Where a visitor is: the last address that somebody says whose word does not count. What cannot be read says nothing, and neither does
/// what stands before it.
pub(crate) fn address_of(proxies: &Proxies, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for said in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        if !proxies.contain(address) {
            break;
        }
        let Some(before) = hop(said) else { break };
        address = before.to_canonical();
    }
    address
}

/// An address as proxies write it: alone, in brackets, with a port.
fn hop(said: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(said).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip())).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_visitor_is_where_the_last_says_whose_word_does_not_count() {
        let proxies = Proxies::try_from(vec!["10.0.9.0/24".to_owned(), "fd00::9".to_owned()]).unwrap();
        let from = |peer: &str, lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
            }
            address_of(&proxies, &headers, peer.parse().unwrap()).to_string()
        };
        for (peer, lines, wanted) in [
            ("6.6.6.6", &[&b"7.7.7.7"[..]][..], "6.6.6.6"),
            ("10.0.9.1", &[], "10.0.9.1"),
            ("::ffff:10.0.9.1", &[b"7.7.7.7"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8, 7.7.7.7,10.0.9.2"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8", b"7.7.7.7", b"fd00::9"], "7.7.7.7"),
            ("10.0.9.1", &[b"7.7.7.7:50001"], "7.7.7.7"),
            ("10.0.9.1", &[b"[2001:db8::1]:50001"], "2001:db8::1"),
            ("10.0.9.1", &[b"[2001:db8::1]"], "2001:db8::1"),
            ("10.0.9.1", &[b"2001:db8::1"], "2001:db8::1"),
            ("10.0.9.1", &[b"::ffff:7.7.7.7"], "7.7.7.7"),
            // What a visitor writes himself is before what his proxy writes.
            ("10.0.9.1", &[b"8.8.8.8", b"\xff, 7.7.7.7"], "7.7.7.7"),
            ("10.0.9.1", &[b"8.8.8.8", b"\xff"], "10.0.9.1"),
            ("10.0.9.1", &[b"8.8.8.8, unknown, 10.0.9.2"], "10.0.9.2"),
            ("10.0.9.1", &[b"8.8.8.8,,10.0.9.2"], "10.0.9.2"),
            ("10.0.9.1", &[b"8.8.8.8, 7.7.7.7 6.6.6.6"], "10.0.9.1"),
            // Anybody may have an address with that of a proxy in it.
            ("2001:db8::5efe:a00:901", &[b"7.7.7.7"], "2001:db8::5efe:a00:901"),
            ("2002:a00:901::1", &[b"7.7.7.7"], "2002:a00:901::1"),
        ] {
            assert_eq!(from(peer, lines), wanted, "{peer}, who says {lines:?}");
        }
    }
}
