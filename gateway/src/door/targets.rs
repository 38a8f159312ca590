//! Where tunnels lead: to the configured name servers and to the brokers that these announce, as far as they lie in configured networks.
//!
//! What a visitor names is only ever compared with what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use stgclient::{Client, ClientBuilder, Credentials, Dialect, Error};
use stgclient_core::address::Address;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::door::dialing::{Dialer, Ours};

/// How often name servers are asked for brokers.
pub(crate) const REFRESH: Duration = Duration::from_secs(30);
/// How often they are asked at the most because somebody names a broker that is not known.
const SOONEST_REFRESH: Duration = Duration::from_secs(1);

/// How the cluster lets the gateway itself in.
pub(crate) struct Access {
    pub(crate) name_servers: Vec<String>,
    pub(crate) dialect: Dialect,
    pub(crate) credentials: Option<Credentials>,
}

/// Where tunnels may lead, and what is known of that.
pub(crate) struct Targets {
    name_servers: Vec<Address>,
    dialer: Arc<Dialer>,
    /// From what brokers announce to where they can be reached from here.
    reachable: BTreeMap<String, Address>,
    access: Access,
    known: watch::Sender<Announced>,
    /// Somebody waits for a broker that is not known.
    wanted: Notify,
}

/// What the name servers have announced.
#[derive(Debug, Default)]
struct Announced {
    brokers: BTreeSet<String>,
    /// When they were asked for it, whether they have answered or not.
    asked: Option<Instant>,
}

/// Why a tunnel leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("{0} is neither a name server of the cluster nor a broker that these announce")]
    Unknown(String),
    #[error("{0} lies in no network that tunnels may lead into")]
    Elsewhere(String),
    #[error("{target} cannot be reached: {}", in_words(.error))]
    Unreachable { target: String, error: io::Error },
}

/// An error without the noise of its code.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "it does not answer".to_owned(),
        _ => error.to_string(),
    }
}

impl Targets {
    pub(crate) fn new(
        name_servers: Vec<Address>,
        dialer: Arc<Dialer>,
        reachable: BTreeMap<String, Address>,
        access: Access,
    ) -> Self {
        let (known, wanted) = (watch::Sender::default(), Notify::new());
        Self { name_servers, dialer, reachable, access, known, wanted }
    }

    fn builder(&self) -> ClientBuilder {
        let Access { name_servers, dialect, credentials } = &self.access;
        let builder = ClientBuilder::on(Arc::new(Ours::new(Arc::clone(&self.dialer))), name_servers).dialect(*dialect);
        match credentials {
            Some(credentials) => builder.credentials(credentials.clone()),
            None => builder,
        }
    }

    /// Opens a connection to what a visitor names. Gives the address, too, as it is configured or announced.
    pub(crate) async fn connect(&self, target: &str) -> Result<(Address, TcpStream), TargetError> {
        let address = self.find(target).await?;
        match self.dialer.open(&address).await {
            Ok(Some(stream)) => Ok((address, stream)),
            Ok(None) => Err(TargetError::Elsewhere(target.to_owned())),
            Err(error) => Err(TargetError::Unreachable { target: target.to_owned(), error }),
        }
    }

    /// The address of a server that is known by this name.
    async fn find(&self, target: &str) -> Result<Address, TargetError> {
        let unknown = || TargetError::Unknown(target.chars().filter(|one| !one.is_control()).take(128).collect());
        let named: Address = target.parse().map_err(|_| unknown())?;
        let wanted = normal(named.as_str());
        let is_name_server = self.name_servers.iter().any(|one| normal(one.as_str()) == wanted);
        if !is_name_server && !self.is_announced(&wanted).await {
            return Err(unknown());
        }
        match self.reachable.get(&wanted) {
            Some(reachable) => Ok(reachable.clone()),
            // However it was written: certificates are for one way.
            None => wanted.parse().map_err(|_| unknown()),
        }
    }

    /// Whether there is such a broker. One that is not known may be new: then the next answer of the name servers is waited for, by all who
    /// wait together.
    async fn is_announced(&self, target: &str) -> bool {
        let since = Instant::now();
        let is_settled = |known: &Announced| {
            known.brokers.contains(target) || known.asked.is_some_and(|asked| asked + SOONEST_REFRESH > since)
        };
        let mut known = self.known.subscribe();
        if !is_settled(&known.borrow()) {
            self.wanted.notify_one();
        }
        let known = known.wait_for(is_settled).await;
        known.is_ok_and(|known| known.brokers.contains(target))
    }

    /// Keeps the brokers known, for as long as it is polled. Nobody else asks, so that whoever names nonsense costs the name servers a
    /// question a second, however many he sends.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut client = None;
        loop {
            let asked = Instant::now();
            let found = self.ask(&mut client).await;
            self.known.send_modify(|known| {
                known.asked = Some(asked);
                match found {
                    Ok(brokers) => known.brokers = brokers,
                    Err(error) => tracing::warn!(%error, "the name servers did not say which brokers there are"),
                }
            });
            tokio::time::sleep_until(asked + SOONEST_REFRESH).await;
            let _ = tokio::time::timeout_at(asked + REFRESH, self.wanted.notified()).await;
        }
    }

    /// By a client that is made once the cluster answers: it may come later than the gateway.
    async fn ask(&self, client: &mut Option<Client>) -> Result<BTreeSet<String>, Error> {
        let client = match client {
            Some(client) => client,
            None => client.insert(self.builder().connect().await?),
        };
        let info = client.admin().cluster_info().await?;
        let addresses = info.broker_addr_table.values().flat_map(|broker| broker.broker_addrs.values());
        Ok(addresses.map(|address| normal(address)).collect())
    }
}

/// One way to write each address: of a host that is an IP address the shortest, else in small letters.
fn normal(address: &str) -> String {
    let Ok(parsed) = address.parse::<Address>() else { return address.to_owned() };
    match parsed.host().parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip.to_canonical(), parsed.port()).to_string(),
        Err(_) => format!("{}:{}", parsed.host().to_ascii_lowercase(), parsed.port()),
    }
}

/// A table from announced to reachable addresses, as it is looked up.
pub(crate) fn table(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, Address>, String> {
    let read = |text: &str| text.parse::<Address>().map_err(|error| error.to_string());
    let mut table = BTreeMap::new();
    for (from, to) in given {
        if table.insert(normal(read(from)?.as_str()), read(to)?).is_some() {
            return Err(format!("{from:?} is there twice, written in two ways; write it once"));
        }
    }
    Ok(table)
}
