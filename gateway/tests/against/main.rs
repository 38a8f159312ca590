//! What strangers try, and what becomes of it: each is refused or bounded, and a well-behaved client beside it goes on.

mod bounds;
mod found;
mod frames;
mod running;
mod scene;
mod targets;
mod visitors;
