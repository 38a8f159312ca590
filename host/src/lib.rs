//! What a client needs of where it runs: a clock, tasks, connections. Whoever wants `stgclient` to run somewhere new implements
//! [`Host`]; `stgclient-tokio` and the machines of `stgclient-simulator` are two, and nothing of either shows here.
#![forbid(unsafe_code)]

mod bounds;
mod host;
mod link;
mod offset_store;
mod offset_text;

pub use bounds::{BoxFn, BoxFnOnce, BoxFuture, MaybeSend, MaybeSync};
pub use host::{Host, Observation};
pub use link::{Link, Output};
pub use offset_store::{MemoryOffsets, OffsetStore};
pub use offset_text::{read_offsets, write_offsets};
