//! `histories COUNT`: the numbers of the histories of the first seeds, a line each: `senders SEED NUMBER`, or `consumers`.

fn main() {
    // What panics in them is drawn, and not for people.
    std::panic::set_hook(Box::new(|_| ()));
    let count: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("how many");
    for seed in 0..count {
        println!("senders {seed} {}", stgclient_wasm_histories::of_senders(seed));
        if let Some(number) = stgclient_wasm_histories::of_consumers(seed) {
            println!("consumers {seed} {number}");
        }
    }
}
