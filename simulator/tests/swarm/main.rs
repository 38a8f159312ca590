//! Seeded histories: whatever can go wrong goes wrong, by a plan that the seed decides; then all heals, and everything has
//! to be well within a stated time.
//!
//! A history that breaks a rule prints the rule, the seed and how to run that seed alone. `STGCLIENT_SEEDS` chooses seeds:
//! `7`, `0..2000` or `3,5,8..10`; `STGCLIENT_LONG=1` runs many more than usual. With `STGCLIENT_FIRST=1` the first finding
//! ends the run.

mod consuming;
mod seeds;
mod sending;
