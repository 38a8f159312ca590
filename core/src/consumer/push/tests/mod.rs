//! The machine alone: asked for and told by hand, on a clock of our own.

mod batches;
mod checking;
mod claims;
mod coming_back;
mod ends;
mod following;
mod giving_up;
mod in_hand;
mod interleavings;
mod listening;
mod locks;
mod offsets;
mod refusals;
mod resets;
mod scene;
mod sharing;
mod work;
