//! From a `host:port` to an open TCP connection: names have several addresses, of both families.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use stgclient_core::address::Address;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::failure::Failure;

/// How long an address has before the next one is tried beside it (RFC 8305, "Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a connection to the first address of `address` that answers. The core watches over the time.
pub(crate) async fn connect(address: Address) -> Result<TcpStream, Failure> {
    let resolved = tokio::net::lookup_host((address.host(), address.port())).await;
    let unresolved = |error| Failure::because_of(format!("cannot resolve {}: {error}", address.host()), error);
    let addresses: Vec<SocketAddr> = resolved.map_err(unresolved)?.collect();
    let mut attempts = JoinSet::new();
    let mut failure = Failure::from(format!("{} has no address", address.host()));
    for address in interleaved(addresses) {
        attempts.spawn(open(address));
        match tokio::time::timeout(HEAD_START, attempts.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => failure = error.into(),
            Ok(_) | Err(_) => {}
        }
    }
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error.into(),
            Err(_) => {}
        }
    }
    Err(failure)
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Frames are gathered before they are written, so nothing is gained by waiting for more.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One address of each family in turn, the resolver's first one first.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut all: Vec<SocketAddr> =
        first.into_iter().flat_map(|address| [Some(address), second.next()]).flatten().collect();
    all.extend(second);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_so_that_a_dead_one_costs_one_head_start() {
        let parse = |list: &str| list.split(' ').map(|address| address.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = parse("[::1]:1 [::2]:1 [::3]:1 127.0.0.1:1 127.0.0.2:1");
        assert_eq!(interleaved(mixed), parse("[::1]:1 127.0.0.1:1 [::2]:1 127.0.0.2:1 [::3]:1"));
        let other = parse("127.0.0.1:1 [::1]:1 [::2]:1");
        assert_eq!(interleaved(other.clone()), other);
    }
}
