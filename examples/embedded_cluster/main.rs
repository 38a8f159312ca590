//! A RocketMQ cluster in memory on real sockets, for development and tests: one name server, one broker.
//!
//!     cargo run --release --example embedded_cluster -- --name-server-port 9876 --broker-port 10911
//!
//! Any client works on it; with `--dialect smartgo`, any client of smartgo's servers. It keeps messages in memory only, the newest 256 MiB; production is an Apache RocketMQ
//! cluster.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;
use stgclient::Dialect;
use stgclient::embedded::EmbeddedCluster;

#[derive(Parser)]
#[command(about = "A RocketMQ cluster in memory, for development and tests")]
struct Options {
    /// The port of the name server; 0 takes a free one
    #[arg(long, default_value_t = 9876)]
    name_server_port: u16,
    /// The port of the broker; 0 takes a free one
    #[arg(long, default_value_t = 10911)]
    broker_port: u16,
    /// Whose servers they are like, apache or smartgo
    #[arg(long, default_value_t)]
    dialect: Dialect,
    /// The address to listen at; whoever can connect may do anything
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The host that clients reach this machine by, if it is not the address to listen at
    #[arg(long)]
    advertise: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let mut builder = EmbeddedCluster::builder()
        .name_server_port(options.name_server_port)
        .broker_port(options.broker_port)
        .dialect(options.dialect)
        .bind(options.bind);
    if let Some(host) = &options.advertise {
        builder = builder.advertise(host);
    }
    let cluster = match builder.start().await {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("embedded_cluster: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("name server  {}", cluster.name_server_address());
    println!("broker       {}", cluster.broker_addresses().join(", "));
    println!("For development and tests: messages live in memory, the newest 256 MiB. Ctrl-C stops it.");
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("embedded_cluster: {error}");
    }
    cluster.close().await;
    ExitCode::SUCCESS
}
