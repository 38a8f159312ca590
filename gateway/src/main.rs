//! The gateway as a program: see `gateway/README.md`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use stgclient::Dialect;
use stgclient::embedded::EmbeddedCluster;
use stgclient_gateway::{Config, ConfigError, Gateway, Handle};
use tokio::signal::unix::{SignalKind, signal};

/// A door into a RocketMQ cluster for pages: WebSocket tunnels, deny by default
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// The file that says who may come in, where to, and how many
    #[arg(long, required_unless_present = "embedded")]
    config: Option<PathBuf>,
    /// Checks the file and all that it names, says what is wrong, and opens nothing
    #[arg(long, requires = "config")]
    check: bool,
    /// Where visitors come in, instead of where the file says
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where /healthz and /metrics are, instead of where the file says
    #[arg(long)]
    operation_listen: Option<SocketAddr>,
    /// A cluster in memory instead of a file, for trying: pages of `--origin` may do anything with it
    #[arg(long, conflicts_with = "config")]
    embedded: bool,
    /// A page that may connect to the cluster in memory
    #[arg(long, requires = "embedded", default_values = ["http://localhost:8000", "http://127.0.0.1:8000"])]
    origin: Vec<String>,
    /// Whose servers the cluster in memory is like, apache or smartgo
    #[arg(long, requires = "embedded", default_value_t)]
    dialect: Dialect,
    /// How lines of the log are written
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// The least that is worth a line: error, warn, info, debug
    #[arg(long, default_value = "info")]
    log_level: tracing::Level,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(options.log_level);
    match options.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    match on_threads(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stgclient-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end, and no longer: a system that is asked where a name leads may answer after all deadlines, and is not waited for.
fn on_threads(running: impl Future<Output = Result<(), ConfigError>>) -> Result<(), ConfigError> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| ConfigError::new("threads", error))?;
    let ended = runtime.block_on(running);
    runtime.shutdown_background();
    ended
}

async fn run(options: Options) -> Result<(), ConfigError> {
    let mut cluster = None;
    let config = match &options.config {
        Some(path) => Config::from_file(path)?,
        None => {
            let started =
                EmbeddedCluster::builder().dialect(options.dialect).broker_port(0).name_server_port(0).start().await;
            let started = started.map_err(|error| ConfigError::new("the cluster in memory", error))?;
            let config = for_embedded(started.name_server_address(), &options)?;
            println!("name server  {}", started.name_server_address());
            cluster = Some(started);
            config
        }
    };
    let config = config.listening(options.listen, options.operation_listen)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    if options.check {
        Gateway::check(&config)?;
        println!("all is well");
        return Ok(());
    }
    let gateway = Gateway::open(&config).await?;
    if let Ok(address) = gateway.address() {
        println!("tunnels      {}://{address}/tunnel", if config.has_tls() { "wss" } else { "ws" });
    }
    if let Some(address) = gateway.operation_address() {
        println!("operation    http://{address}/metrics");
    }
    let signals = tokio::spawn(heed(gateway.handle()));
    gateway.run().await;
    signals.abort();
    if let Some(cluster) = cluster {
        cluster.close().await;
    }
    Ok(())
}

/// A gateway for a cluster in memory, which is on this machine and has nothing that anybody might want.
fn for_embedded(name_server: &str, options: &Options) -> Result<Config, ConfigError> {
    let origins: Vec<String> = options.origin.iter().map(|origin| format!("{origin:?}")).collect();
    Config::from_text(&format!(
        r#"
        listen = "127.0.0.1:8080"
        origins = [{}]
        [cluster]
        name_servers = ["{name_server}"]
        networks = ["loopback"]
        dialect = "{}"
        [anonymous]
        administers = true
        "#,
        origins.join(", "),
        options.dialect,
    ))
}

/// SIGTERM and Ctrl-C end all tunnels and then the program, SIGHUP has the certificate read once more.
async fn heed(handle: Handle) {
    let (Ok(mut ends), Ok(mut reloads)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return tracing::warn!("signals cannot be heard");
    };
    loop {
        tokio::select! {
            _ = ends.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
            _ = reloads.recv() => match handle.reload_certificates() {
                Ok(()) => tracing::info!("the certificate is read once more"),
                Err(error) => tracing::error!(%error, "the certificate stays as it was"),
            },
        }
    }
    tracing::info!("stopping");
    handle.stop();
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_program_ends_also_if_the_system_does_not_say_where_a_name_leads() {
        let (says, answers) = mpsc::channel::<()>();
        let (ends, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let asks = async {
                let (begins, begun) = tokio::sync::oneshot::channel();
                let asking = move || (begins.send(()), answers.recv()).1;
                drop(tokio::task::spawn_blocking(asking));
                begun.await.map_err(|error| ConfigError::new("asking", error))
            };
            ends.send(on_threads(asks).is_ok())
        });
        assert_eq!(ended.recv_timeout(std::time::Duration::from_secs(30)), Ok(true));
        drop(says);
    }
}
