//! What all connections of a gateway share.

use std::sync::Arc;

use stgclient::Credentials;
use stgclient_core::wire::signature::Signer;
use tokio::sync::watch;

use crate::door::bounds::Places;
use crate::door::certificates::Certificates;
use crate::door::cluster_tls;
use crate::door::config::{Bounds, ClusterConfig, Config, ConfigError};
use crate::door::dialing::{Dialer, Resolver};
use crate::door::doorkeeper::{Doorkeeper, secret};
use crate::door::metrics::Metrics;
use crate::door::targets::{self, Access, Targets};
use crate::inspection::Terms;
use crate::keeping::Keeping;

/// What all connections of a gateway share.
pub(crate) struct Shared {
    pub(crate) doorkeeper: Doorkeeper,
    pub(crate) targets: Arc<Targets>,
    pub(crate) terms: Terms,
    pub(crate) bounds: Bounds,
    pub(crate) metrics: Metrics,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) stops: watch::Sender<bool>,
    pub(crate) places: Places,
    pub(crate) keeping: Arc<Keeping>,
}

impl Shared {
    /// Reads all that a configuration names. Nothing is opened.
    pub(crate) fn new(config: &Config, resolver: Arc<dyn Resolver>) -> Result<Self, ConfigError> {
        let ClusterConfig { name_servers, networks, dialect, reachable, .. } = &config.cluster;
        let credentials = credentials(&config.cluster)?;
        let access =
            Access { name_servers: name_servers.clone(), dialect: dialect.dialect(), credentials: credentials.clone() };
        let tls = config.cluster.tls.as_ref().map(cluster_tls::connector).transpose()?;
        let dialer = Arc::new(Dialer { networks: networks.clone(), resolver, tls });
        let parsed: Result<Vec<_>, _> = name_servers.iter().map(|one| one.parse()).collect();
        let parsed = parsed.map_err(|error| ConfigError::new("cluster.name_servers", error))?;
        let table = targets::table(reachable).map_err(|error| ConfigError::new("cluster.reachable", error))?;
        let bounds = config.bounds.clone();
        Ok(Self {
            doorkeeper: Doorkeeper::new(config)?,
            targets: Arc::new(Targets::new(parsed, Arc::clone(&dialer), table, access)),
            terms: Terms {
                dialect: dialect.dialect(),
                signer: credentials.as_ref().map(Signer::new),
                longest_frame: bounds.frame_bytes,
                longest_body: bounds.body_bytes,
            },
            metrics: Metrics::new(),
            certificates: config.tls.clone().map(Certificates::new).transpose()?,
            dialer,
            stops: watch::Sender::new(false),
            places: Places::new(bounds.connections, bounds.connections_per_address),
            keeping: Keeping::new(bounds.kept_bytes),
            bounds,
        })
    }
}

fn credentials(cluster: &ClusterConfig) -> Result<Option<Credentials>, ConfigError> {
    let Some(given) = &cluster.credentials else { return Ok(None) };
    let secret = String::from_utf8(secret(&given.secret_key_file, 1)?)
        .map_err(|error| ConfigError::new(&given.secret_key_file.display().to_string(), error))?;
    Ok(Some(Credentials::new(&*given.access_key, secret)))
}
