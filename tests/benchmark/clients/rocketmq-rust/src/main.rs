//! rocketmq-client-rust under the contract of all clients here: see tests/benchmark/README.md. It is set up as its
//! own examples are (`examples/support/mod.rs`, `examples/producer/simple_producer.rs`).
#![recursion_limit = "512"]

mod consume;
#[path = "../../consuming.rs"]
mod consuming;
#[path = "../../contract.rs"]
mod contract;
mod drain;
mod end_to_end;
mod produce;
mod runtime;

use std::collections::BTreeMap;
use std::error::Error;

/// What is to be done, as all clients are told.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, name: &str, otherwise: usize) -> usize {
        self.text(name).parse().unwrap_or(otherwise)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let (mode, pairs) = words.split_first().ok_or("what is to be done?")?;
    let pair = |pair: &[String]| (pair[0].trim_start_matches('-').to_owned(), pair[1].clone());
    let options = Options(pairs.chunks_exact(2).map(pair).collect());
    let runtime = runtime::PeerRuntime::start()?;
    match mode.as_str() {
        "drain" => drain::run(&options, runtime.client()).await?,
        "consume" => consume::run(&options, runtime.client()).await?,
        "end-to-end" => end_to_end::run(&options, runtime.client()).await?,
        _ => produce::run(&options, runtime.client()).await?,
    }
    runtime.shutdown().await;
    Ok(())
}
