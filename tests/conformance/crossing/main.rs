//! The Java client and Apache's administration tool on the other side, on a real broker and on the embedded cluster.

// The rules are made twice, once for each kind of cluster.
#![allow(clippy::duplicate_mod)]

mod apache;
mod embedded;
mod java;
