//! The gateway as a whole: opened by a configuration, it lets visitors in until it is told to stop.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::door::bounds::{Arrivals, Full, Place};
use crate::door::certificates::Certificates;
use crate::door::config::{Config, ConfigError};
use crate::door::dialing::{Resolver, SystemResolver};
use crate::door::entrance;
use crate::door::operation;
use crate::door::shared::Shared;

/// A gateway that is open.
pub struct Gateway {
    shared: Arc<Shared>,
    listener: TcpListener,
    operation: Option<TcpListener>,
}

/// What may be done with a gateway that runs. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Reads the door's certificate and key once more, for the connections that come from now on. Without TLS nothing is done.
    ///
    /// # Errors
    /// Something is wrong with the files, and all stays as it is.
    pub fn reload_certificates(&self) -> Result<(), ConfigError> {
        self.0.certificates.as_ref().map_or(Ok(()), Certificates::reload)
    }

    /// Lets nobody in any more, and ends all tunnels.
    pub fn stop(&self) {
        self.0.stops.send_replace(true);
    }

    /// What is counted, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        self.0.metrics.render()
    }
}

impl Gateway {
    /// Checks a configuration whole, with the files that it names, and opens nothing.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn check(config: &Config) -> Result<(), ConfigError> {
        config.check_files()?;
        Shared::new(config, Arc::new(SystemResolver)).map(|_| ())
    }

    /// Opens the door. Nobody is let in before [`Gateway::run`].
    ///
    /// # Errors
    /// Something is wrong with the configuration or the files that it names, or an address is taken.
    pub async fn open(config: &Config) -> Result<Self, ConfigError> {
        Self::open_with(config, Arc::new(SystemResolver)).await
    }

    /// As [`Gateway::open`], with a resolver other than the system's for the names of the cluster.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(config: &Config, resolver: Arc<dyn Resolver>) -> Result<Self, ConfigError> {
        config.check_files()?;
        let shared = Arc::new(Shared::new(config, resolver)?);
        let listener = listen("listen", config.listen).await?;
        let operation = match config.operation.listen {
            Some(address) => Some(listen("operation.listen", address).await?),
            None => None,
        };
        Ok(Self { shared, listener, operation })
    }

    /// Where visitors come in.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where `/healthz` and `/metrics` are.
    pub fn operation_address(&self) -> Option<SocketAddr> {
        self.operation.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What may be done while it runs.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Lets visitors in until [`Handle::stop`]. Ends when all tunnels have ended, or have had their time.
    pub async fn run(self) {
        let Self { shared, listener, operation } = self;
        let targets = tokio::spawn(Arc::clone(&shared.targets).keep_fresh());
        let operation = operation.map(|listener| tokio::spawn(operation::serve(listener, Arc::clone(&shared))));
        accept(&shared, &listener).await;
        // Whoever asks for a connection now is refused by the system, and goes elsewhere.
        drop(listener);
        let deadline = Instant::now() + shared.bounds.drain();
        while shared.places.taken() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        targets.abort();
        operation.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Lets visitors in until the gateway stops.
async fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut stops = shared.stops.subscribe();
    let bounds = &shared.bounds;
    let (all, of_one) = (bounds.handshakes_per_second, bounds.handshakes_per_second_per_address);
    let mut arrivals = Arrivals::new(all, of_one, Instant::now());
    loop {
        let accepted = tokio::select! {
            _ = stops.wait_for(|stops| *stops) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match admit(shared, &mut arrivals, peer.ip().to_canonical()) {
                Ok(place) => {
                    shared.metrics.connections.increment(1);
                    tokio::spawn(entrance::visit(Arc::clone(shared), stream, peer, place));
                }
                Err(why) => shared.metrics.dropped(why),
            },
            Err(error) => {
                // There are too many open files, most likely: those who are there may leave.
                tracing::warn!(%error, "a connection could not be accepted");
                shared.metrics.dropped("accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Whom a proxy brings is known once he has asked: until then he is nobody.
fn admit(shared: &Shared, arrivals: &mut Arrivals, peer: IpAddr) -> Result<Place, &'static str> {
    let address = (!shared.bounds.trusted_proxies.contain(peer)).then_some(peer);
    if !arrivals.take(address, Instant::now()) {
        return Err("rate");
    }
    shared.places.take(address).map_err(|full| match full {
        Full::All => "connections",
        Full::Address => "connections_per_address",
    })
}

async fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| ConfigError::new(&format!("{key}: {address}"), error))
}
