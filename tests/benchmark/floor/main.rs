//! What the loopback itself gives to a plain tokio program: requests of 520 bytes, answers of 300, a writer that takes
//! all that waits in one write, a reader that wakes whoever waits. No client of any kind is in it.

mod client;
#[path = "../clients/contract.rs"]
mod contract;
mod server;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answers, as the null broker does: prints where it listens, and what came for each line of its input.
    Serve,
    /// Sends, under the contract of all clients.
    Produce(client::Options),
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    match Options::parse().role {
        Role::Serve => server::run(),
        Role::Produce(options) => client::run(&options).await,
    }
}
