//! The door itself: who comes in, where to, and how much there may be of anything. What goes through it the inspection judges.

mod asking;
mod bounds;
mod certificates;
mod cluster_tls;
mod config;
mod dialing;
mod doorkeeper;
mod entrance;
mod gateway;
mod known;
mod metrics;
mod networks;
mod operation;
mod places;
mod read_ahead;
mod refusals;
mod shared;
mod targets;
mod tunnel;
mod whereabouts;

pub use config::{Config, ConfigError};
pub use dialing::Resolver;
pub use gateway::{Gateway, Handle};
