//! Who serves what: name servers, topic routes, brokers with their addresses.

pub(crate) mod brokers;
pub(crate) mod name_servers;
pub mod route;
pub(crate) mod topics;
