//! How the service fares: what a health check asks, and what the log shows.

use std::fmt;

use stgclient::{Client, ClientEvent, ClientState, Events, Metrics, PushConsumer};

/// How the service fares.
#[derive(Clone, Debug)]
pub struct Health {
    /// How the connections are.
    pub state: ClientState,
    /// Whether billing has its share of the queues.
    pub is_ready: bool,
    /// How many orders are not billed yet; `None` while that is not known.
    pub lag: Option<u64>,
    /// Everything that is counted.
    pub metrics: Metrics,
}

impl Health {
    pub(crate) fn of(client: &Client, billing: &PushConsumer) -> Self {
        let status = billing.status();
        Self { state: client.state(), is_ready: status.is_ready, lag: status.lag(), metrics: client.metrics() }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, is_ready, lag, metrics } = self;
        let (sends, slowest) = (metrics.all_sends(), metrics.send_latency.at_most(0.99));
        write!(f, "{state:?}, billing is {}ready, ", if *is_ready { "" } else { "not " })?;
        match lag {
            Some(lag) => write!(f, "{lag} orders behind")?,
            None => write!(f, "nobody knows how far behind")?,
        }
        write!(
            f,
            "; {} messages sent, {} failed, 99 % within {:?}",
            sends.total(),
            sends.failed,
            slowest.unwrap_or_default()
        )
    }
}

/// Logs what happens to the client until it is closed.
pub(crate) async fn log(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            ClientEvent::Connected { .. } | ClientEvent::Disconnected { .. } | ClientEvent::RouteChanged { .. } => {
                tracing::info!("{event}")
            }
            _ => tracing::warn!("{event}"),
        }
    }
}
