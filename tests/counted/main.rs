//! The hot paths, one scenario each, so that what they cost can be counted instead of timed.
//!
//! `counted SCENARIO` runs one and prints how many operations were measured, how many allocations they made, and how
//! many nanoseconds one took at best. Under
//! `valgrind --tool=callgrind --toggle-collect='*measured*'` the instructions of the same operations are counted:
//! `tests/counted/check` does both and compares them with the committed figures.

mod codec;
mod meter;
mod pulls;
mod runtime_sends;
mod sends;
mod servers;

use std::process::ExitCode;

use meter::Meter;

type Scenario = (&'static str, fn(&mut Meter));

/// Each scenario, and what one operation of it is.
const SCENARIOS: [Scenario; 15] = [
    ("encode-send-json", codec::encode_send_json),
    ("encode-send-binary", codec::encode_send_binary),
    ("decode-answer-json", codec::decode_answer_json),
    ("decode-answer-binary", codec::decode_answer_binary),
    ("decode-stored-message", codec::decode_stored_message),
    ("decode-stored-message-and-tag", codec::decode_stored_message_and_tag),
    ("core-send-json", sends::json),
    ("core-send-binary", sends::binary),
    ("core-send-1000-topics", sends::thousand_topics),
    ("core-send-10000-queues", sends::ten_thousand_queues),
    ("core-oneway-json", sends::oneway),
    ("core-pull-of-32", pulls::of_32),
    ("runtime-received-message", pulls::messages),
    ("runtime-send-json", runtime_sends::json),
    ("runtime-send-binary", runtime_sends::binary),
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((name, run)) = SCENARIOS.iter().find(|(name, _)| *name == wanted) else {
        for (name, _) in SCENARIOS {
            println!("{name}");
        }
        return if wanted == "--list" { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let mut meter = Meter::default();
    run(&mut meter);
    println!("{name} {} {} {}", meter.operations(), meter.allocations(), meter.nanoseconds());
    ExitCode::SUCCESS
}
