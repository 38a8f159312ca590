//! What the application, and servers, want of a client.

mod administration;
mod choices;
mod close;
mod groups;
mod questions;
mod sends;
mod server_requests;
