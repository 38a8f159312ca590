//! The histories of the simulator's swarms, of which nothing is looked at but what happens in them: every byte, event and deadline, as one
//! number. It is the same in WebAssembly as natively, or the core is not the state machine that it has to be. `main.rs` tells
//! the numbers natively, `run.mjs` compares.
#![allow(unused, reason = "the rest is the swarms' own")]

#[path = "../../../simulator/tests/swarm/consuming/mod.rs"]
mod consuming;
#[path = "../../../simulator/tests/swarm/seeds.rs"]
mod seeds;
#[path = "../../../simulator/tests/swarm/sending/mod.rs"]
mod sending;

/// The number of the history of senders of a seed.
pub fn of_senders(seed: u64) -> u64 {
    sending::trace(seed, sending::DIALECTS[seed as usize % 2])
}

/// The same of consumers; nothing if code of users panics in it, which nothing survives in WebAssembly.
pub fn of_consumers(seed: u64) -> Option<u64> {
    let (trace, has_panics) = consuming::trace(seed);
    (!has_panics).then_some(trace)
}

/// For JavaScript.
#[allow(unsafe_code, reason = "the name is nobody else's")]
#[unsafe(no_mangle)]
pub extern "C" fn trace(is_of_consumers: bool, seed: u64) -> u64 {
    if is_of_consumers { consuming::trace(seed).0 } else { of_senders(seed) }
}
