//! What the conformance suite stands on: a cluster, real or embedded, a bench to work at, and how to wait.
//!
//! The rules themselves are in `rules`: files of plain tests that know neither the kind of cluster nor how headers
//! are written. The test targets `apache` and `embedded` are made of them, each twice, once for each header codec.

// Tests wait for real servers, and tell topics of several runs apart.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
// A helper that fails is a test that fails.
#![allow(clippy::missing_panics_doc)]

mod bench;
mod cluster;
mod on_demand;
mod open_gateway;
mod raw;
mod waiting;

pub use bench::{Bench, noise};
pub use cluster::{CURRENT, Cluster, Server, unique, variable};
pub use open_gateway::OpenGateway;
pub use raw::{ask, ask_with};
pub use waiting::{PATIENCE, eventually, within};
