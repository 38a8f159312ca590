//! Bad input and faults: what servers and networks do wrong, and what becomes of calls and clients then.
//!
//! Each call ends within its time with the reason, nothing else is disturbed, and a client recovers by itself. Everything
//! here is the public API in virtual time.

mod back_pressure;
mod brokers;
mod counting;
mod dropped;
mod endings;
mod events;
mod flushing;
mod idle;
mod malformed_answers;
mod malformed_frames;
mod malformed_messages;
mod metrics;
mod name_servers;
mod pulls;
mod routes;
mod sends;
mod silent_servers;
mod smartgo;
mod stage;
mod statuses;
mod users_code;
mod wire;
