//! Where a server listens.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// A server's `host:port`; the host is a name, an IPv4 or an IPv6 address. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: Arc<str>,
    port: u16,
}

impl Address {
    /// The host, without the brackets an IPv6 address may stand in.
    pub fn host(&self) -> &str {
        let host = self.text.rsplit_once(':').map_or(&*self.text, |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[error("{text:?} is no address: {what}")]
pub struct AddressError {
    text: String,
    what: String,
}

impl FromStr for Address {
    type Err = AddressError;

    /// Splits at the last colon, so that `::1:9876` is read as Java reads it; `[::1]:9876` is clearer.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |what: &str| AddressError { text: text.chars().take(128).collect(), what: what.to_owned() };
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(error(&format!("write host:port, without {scheme}://")));
        }
        if text.contains(char::is_whitespace) {
            return Err(error("it contains a space; several addresses are separated by ;"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| error("expected host:port"))?;
        if matches!(host, "" | "[]") || host.contains(|c: char| c.is_control() || c == '/') {
            return Err(error("the host is missing or malformed"));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let (ip, _zone) = bare.split_once('%').unwrap_or((bare, ""));
        if bare.contains(':') && ip.parse::<Ipv6Addr>().is_err() {
            return Err(error("of several colons a host has those of an IPv6 address alone"));
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(error("the port is no number from 1 to 65535")),
            Ok(port) => Ok(Self { text: text.into(), port }),
        }
    }
}

/// Addresses as an application has them: a text of them separated by `;`, or several texts.
pub trait Addresses {
    /// All of them in one text, separated by `;`.
    fn joined(&self) -> String;
}

impl Addresses for &str {
    fn joined(&self) -> String {
        (*self).to_owned()
    }
}

impl Addresses for String {
    fn joined(&self) -> String {
        self.clone()
    }
}

impl Addresses for &String {
    fn joined(&self) -> String {
        (*self).clone()
    }
}

impl<S: AsRef<str>> Addresses for &[S] {
    fn joined(&self) -> String {
        self.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(";")
    }
}

impl<S: AsRef<str>> Addresses for Vec<S> {
    fn joined(&self) -> String {
        self.as_slice().joined()
    }
}

impl<S: AsRef<str>> Addresses for &Vec<S> {
    fn joined(&self) -> String {
        self.as_slice().joined()
    }
}

impl<S: AsRef<str>, const N: usize> Addresses for [S; N] {
    fn joined(&self) -> String {
        self.as_slice().joined()
    }
}

/// Reads a list of addresses separated by `;` or `,`, such as the name servers of a cluster.
///
/// # Errors
/// One of them is no address, or there is none.
pub fn parse_list(text: &str) -> Result<Vec<Address>, AddressError> {
    let addresses: Vec<Address> = text
        .split([';', ','])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if addresses.is_empty() {
        return Err(AddressError { text: text.chars().take(128).collect(), what: "expected host:port".to_owned() });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_texts_are_as_good_as_one() {
        let owned = vec!["a:1".to_owned(), "b:2".to_owned()];
        let all =
            [["a:1", "b:2"].joined(), owned.joined(), owned.joined(), owned.as_slice().joined(), "a:1;b:2".joined()];
        assert!(all.iter().all(|text| text == "a:1;b:2"));
    }

    #[test]
    fn names_ipv4_and_ipv6_are_addresses() {
        for (text, host, port) in [
            ("localhost:9876", "localhost", 9876),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:9876", "::1", 9876),
            ("::1:9876", "::1", 9876),
            ("[fe80::1%eth0]:9876", "fe80::1%eth0", 9876),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for text in [
            "",
            "localhost",
            ":9876",
            "[]:9876",
            "host:0",
            "host:65536",
            "host:x",
            "http://host:80",
            "a b:1",
            "10.0.0.1:1:2",
            "[x:y]:1",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("is no address"), "{error}");
        }
    }

    #[test]
    fn lists_are_separated_as_java_and_people_do() {
        assert_eq!(parse_list("a:1; b:2,c:3;").unwrap().len(), 3);
        assert!(parse_list(" ; ").is_err());
    }
}
