//! Where clients of `stgclient` run on tokio: TCP and TLS connections, a clock, tasks, offsets in files. The crate `stgclient` has it by
//! default; nobody needs to name it.
//!
//! With the feature `embedded`, a whole cluster in memory is served, in-process or on sockets: [`embedded`].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "embedded")]
pub mod embedded;
mod failure;
mod file_offsets;
mod host;
mod resolve;
mod socket;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
mod websocket;

pub use file_offsets::FileOffsets;
pub use host::Tokio;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder};
#[cfg(feature = "websocket")]
pub use websocket::{Tunnel, TunnelBuilder};
