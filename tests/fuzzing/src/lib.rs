//! What the fuzz targets share: each module knows the rules that hold for whatever bytes come, beyond "no panic".
#![forbid(unsafe_code)]

use std::alloc::System;

use cap::Cap;

pub mod bodies;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod messages;

/// How much memory the code under test may hold at once: 48 MiB. What goes beyond ends the process, and is a finding.
/// The longest input has some KiB; LZ4's blocks and zstd's window are the largest that one may ask for.
#[global_allocator]
pub static MEMORY: Cap<System> = Cap::new(System, 48 * 1024 * 1024);

/// How long a decompressed body may be here, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;
