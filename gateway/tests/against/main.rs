//! What strangers try, and what becomes of it: each is refused or bounded, and a well-behaved client beside it goes on.

mod addresses;
mod answers;
mod bounds;
mod broken;
mod certificates;
mod cluster;
mod evasion;
mod frames;
mod login;
mod names;
mod outside;
mod running;
mod scene;
mod servers;
mod targets;
mod tokens;
mod visitors;
mod waiting;
