//! A name server and broker that stores nothing: every topic exists, every message is acknowledged at once, and
//! consumers get messages that were made beforehand, as many as the topic's name says.
//!
//! It prints where it listens. Each line on its standard input is answered with what came so far, as JSON, so that
//! what a client lost is seen; it ends with its input.

mod answers;
mod consumers;
mod frames;
mod requests;
mod server;
#[cfg(test)]
mod tests;
mod topics;

use std::io::{self, Write};

use clap::Parser;

/// A broker that stores nothing and answers at once.
#[derive(Parser)]
struct Options {
    /// The port on loopback; 0 is any that is free.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> io::Result<()> {
    let server = server::Server::start(Options::parse().port)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", server.address)?;
    for line in io::stdin().lines() {
        line?;
        writeln!(out, "{}", serde_json::to_string(&server.counts())?)?;
    }
    Ok(())
}
