//! Where tunnels lead: to the configured name servers and to the brokers that these announce, as far as they lie in configured networks.
//!
//! What a visitor names is only ever compared with what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stgclient::{Client, ClientBuilder, Credentials, Dialect, Error};
use stgclient_core::address::Address;
use tokio::net::TcpStream;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::Instant;

use crate::dialing::{Dialer, Ours};

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
    /// Makes the client that asks the cluster, once it is needed: the cluster may come later than the gateway.
    access: Access,
    client: OnceCell<Client>,
    announced: Mutex<BTreeSet<String>>,
    last_refresh: AsyncMutex<Option<Instant>>,
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
        let (client, announced, last_refresh) = (OnceCell::new(), Mutex::default(), AsyncMutex::default());
        Self { name_servers, dialer, reachable, access, client, announced, last_refresh }
    }

    /// The client that asks the cluster.
    pub(crate) async fn client(&self) -> Result<&Client, Error> {
        self.client.get_or_try_init(|| self.builder().connect()).await
    }

    fn builder(&self) -> ClientBuilder {
        let Access { name_servers, dialect, credentials } = &self.access;
        let builder = ClientBuilder::on(Arc::new(Ours::new(Arc::clone(&self.dialer))), name_servers).dialect(*dialect);
        match credentials {
            Some(credentials) => builder.credentials(credentials.clone()),
            None => builder,
        }
    }

    /// Asks the name servers for the brokers.
    pub(crate) async fn refresh(&self) -> Result<usize, Error> {
        let mut last = self.last_refresh.lock().await;
        *last = Some(Instant::now());
        self.ask().await
    }

    async fn ask(&self) -> Result<usize, Error> {
        let info = self.client().await?.admin().cluster_info().await?;
        let addresses = info.broker_addr_table.values().flat_map(|broker| broker.broker_addrs.values());
        let found: BTreeSet<String> = addresses.map(|address| normal(address)).collect();
        let count = found.len();
        *self.announced.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(count)
    }

    /// Opens a connection to what a visitor names. Gives the address, too, as it is configured or announced.
    pub(crate) async fn connect(&self, target: &str, within: Duration) -> Result<(Address, TcpStream), TargetError> {
        let address = self.find(target).await?;
        let unreachable = |error| TargetError::Unreachable { target: target.to_owned(), error };
        let opening = self.dialer.open(&address);
        match tokio::time::timeout(within, opening).await {
            Ok(Ok(Some(stream))) => Ok((address, stream)),
            Ok(Ok(None)) => Err(TargetError::Elsewhere(target.to_owned())),
            Ok(Err(error)) => Err(unreachable(error)),
            Err(_) => Err(unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    /// The address of a server that is known by this name.
    async fn find(&self, target: &str) -> Result<Address, TargetError> {
        let unknown = || TargetError::Unknown(target.chars().filter(|one| !one.is_control()).take(128).collect());
        let named: Address = target.parse().map_err(|_| unknown())?;
        let wanted = normal(named.as_str());
        let is_name_server = self.name_servers.iter().any(|one| normal(one.as_str()) == wanted);
        if !is_name_server && !self.is_announced(&wanted) {
            // It may be new.
            self.refresh_now_and_then().await;
            if !self.is_announced(&wanted) {
                return Err(unknown());
            }
        }
        match self.reachable.get(&wanted) {
            Some(reachable) => Ok(reachable.clone()),
            // However it was written: certificates are for one way.
            None => wanted.parse().map_err(|_| unknown()),
        }
    }

    fn is_announced(&self, target: &str) -> bool {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).contains(target)
    }

    /// Whoever names nonsense costs the name servers a question a second, however many he sends.
    async fn refresh_now_and_then(&self) {
        let mut last = self.last_refresh.lock().await;
        if last.is_none_or(|last| last.elapsed() >= SOONEST_REFRESH) {
            *last = Some(Instant::now());
            let _ = self.ask().await;
        }
    }

    /// Keeps the brokers known, for as long as it is polled.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        loop {
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "the name servers did not say which brokers there are");
            }
            tokio::time::sleep(REFRESH).await;
        }
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
    given.iter().map(|(from, to)| Ok((normal(read(from)?.as_str()), read(to)?))).collect()
}
