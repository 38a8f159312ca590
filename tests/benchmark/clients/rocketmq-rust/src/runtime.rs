//! The runtimes that the client wants to be given, as in its `examples/support/mod.rs`.

use std::error::Error;
use std::sync::Arc;

use rocketmq_client_rust::{ClientRuntime, ClientRuntimeConfig};
use rocketmq_observability::{TelemetryBootstrapConfig, TelemetryRuntimeGuard, install_global};
use rocketmq_runtime::{RuntimeConfig, RuntimeOwner};

pub(crate) struct PeerRuntime {
    owner: RuntimeOwner,
    client: Arc<ClientRuntime>,
    telemetry: TelemetryRuntimeGuard,
}

impl PeerRuntime {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let config = RuntimeConfig { thread_name: "benchmark".to_owned(), ..RuntimeConfig::default() };
        let owner = RuntimeOwner::plan(config)?.build()?;
        let mut bootstrap = TelemetryBootstrapConfig::default();
        // Its log has errors only, as the others'.
        bootstrap.logging.filter = "error".to_owned();
        let telemetry = install_global(&bootstrap)?;
        let context = owner.root_context().component("client");
        let client = ClientRuntime::try_new(context, ClientRuntimeConfig::default(), telemetry.handle())?;
        Ok(Self { owner, client, telemetry })
    }

    pub(crate) fn client(&self) -> Arc<ClientRuntime> {
        Arc::clone(&self.client)
    }

    pub(crate) async fn shutdown(self) {
        self.client.shutdown().await;
        self.owner.shutdown_tasks().await;
        self.owner.shutdown_background();
        self.telemetry.shutdown();
    }
}
