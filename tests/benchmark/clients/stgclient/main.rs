//! stgclient as a user would write it, under the contract of all clients here: see `tests/benchmark/README.md`.

mod consume;
#[path = "../consuming.rs"]
mod consuming;
#[path = "../contract.rs"]
mod contract;
mod drain;
mod end_to_end;
mod idle;
#[cfg(feature = "measure-lock")]
mod lock_times;
mod produce;

use clap::{Parser, ValueEnum};
use stgclient::HeaderCodec;

/// What is to be done, as all clients are told.
#[derive(Clone, Debug, Parser)]
struct Options {
    #[arg(value_enum)]
    mode: Mode,
    #[arg(long)]
    name_server: String,
    #[arg(long)]
    topic: String,
    /// Sends to this many topics in turn, `TOPIC-0` and so on.
    #[arg(long, default_value_t = 1)]
    topics: usize,
    /// How many messages are measured.
    #[arg(long)]
    count: usize,
    /// How many come before.
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
    /// After how many seconds the warm-up ends although not all of them were sent.
    #[arg(long, default_value_t = 3600)]
    warm_up_seconds: u64,
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    #[arg(long, value_enum, default_value_t = Style::Awaited)]
    style: Style,
    /// The length of a body in bytes.
    #[arg(long, default_value_t = 128)]
    body: usize,
    #[arg(long, value_enum, default_value_t = Codec::Json)]
    codec: Codec,
    /// How many messages a pull may bring, 32 without; how many the handler of a push consumer gets at once, 1 without.
    #[arg(long)]
    batch: Option<u32>,
    /// How many messages a second are sent from end to end.
    #[arg(long, default_value_t = 1000)]
    rate: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Produce,
    Drain,
    Consume,
    EndToEnd,
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Style {
    Awaited,
    Oneway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Codec {
    Json,
    Binary,
}

impl From<Codec> for HeaderCodec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Json => Self::Json,
            Codec::Binary => Self::Binary,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    match options.mode {
        Mode::Produce => produce::run(&options).await?,
        Mode::Drain => drain::run(&options).await?,
        Mode::Consume => consume::run(&options).await?,
        Mode::EndToEnd => end_to_end::run(&options).await?,
        Mode::Idle => idle::run(&options).await?,
    }
    Ok(())
}
