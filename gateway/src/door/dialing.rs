//! How servers of the cluster are connected to, for visitors and for the gateway itself. A name is resolved once for each connection; what
//! it leads to at that moment is checked, and that is connected to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stgclient::host::{BoxFuture, Host, Link};
use stgclient::{Address, Error, Identity};
use stgclient_core::time::{Instant, Now};
use stgclient_tokio::Tokio;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::door::networks::{Networks, unmapped};

/// Where a host's name leads to. It is asked anew for each connection, and what it says is believed in nothing but that: each address has
/// to lie in a configured network.
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host; the name of one that is an IP address is that address.
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// TLS towards the cluster, and the name that certificates have to be for, if it is not that of the server.
pub(crate) type ClusterTls = (TlsConnector, Option<ServerName<'static>>);

/// Connects to servers of the cluster.
pub(crate) struct Dialer {
    pub(crate) networks: Networks,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) tls: Option<ClusterTls>,
}

impl Dialer {
    /// Connects to the first address of a host that may be connected to and answers; none, if none may be.
    pub(crate) async fn open(&self, address: &Address) -> io::Result<Option<TcpStream>> {
        let mut failure = None;
        for resolved in self.resolver.resolve(address.host(), address.port()).await? {
            let checked: IpAddr = unmapped(resolved.ip());
            if !self.networks.contain(checked) {
                continue;
            }
            match TcpStream::connect(SocketAddr::new(checked, resolved.port())).await {
                Ok(stream) => {
                    // What comes in pieces goes on in pieces.
                    stream.set_nodelay(true)?;
                    return Ok(Some(stream));
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// Agrees on keys with the server of this address, whose certificate has to be for its host, unless there is another name.
    pub(crate) async fn secure(
        (connector, name): &ClusterTls,
        address: &Address,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match name {
            Some(name) => name.clone(),
            None => ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?,
        };
        connector.connect(name, stream).await
    }

    async fn open_for_us(&self, address: &Address) -> io::Result<TcpStream> {
        let why = "it lies in no network of `cluster.networks`";
        self.open(address).await?.ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

/// What the gateway's own client runs on: tokio, but for connections, which are made as those of visitors are.
pub(crate) struct Ours {
    tokio: Tokio,
    dialer: Arc<Dialer>,
}

impl Ours {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Self {
        Self { tokio: Tokio::default(), dialer }
    }
}

impl Host for Ours {
    fn check(&self) -> Result<(), Error> {
        self.tokio.check()
    }

    fn now(&self) -> Now {
        self.tokio.now()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tokio.spawn(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        self.tokio.sleep_until(at)
    }

    fn connect(&self, link: Box<dyn Link>) {
        let dialer = Arc::clone(&self.dialer);
        if dialer.tls.is_none() {
            let open = async move |address| dialer.open_for_us(&address).await;
            return self.tokio.connect_by(link, open, "; perhaps it demands TLS");
        }
        let open = async move |address| {
            let stream = dialer.open_for_us(&address).await?;
            let tls = dialer.tls.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            Dialer::secure(tls, &address, stream).await
        };
        self.tokio.connect_by(link, open, "");
    }

    fn identity(&self) -> Identity {
        self.tokio.identity()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }
}
