//! The hot paths, one scenario each, so that what they cost can be counted instead of timed.
//!
//! `counted SCENARIO` runs one and prints how many operations were measured, how many allocations they made, and how
//! many nanoseconds one took at best. Under
//! `valgrind --tool=callgrind --toggle-collect='*measured*'` the instructions of the same operations are counted:
//! `tests/counted/check` does both and compares them with the committed figures.

mod codec;
mod crowd;
mod growing;
mod meter;
mod pulls;
mod runtime_sends;
mod sends;
mod servers;

use std::process::ExitCode;

use crowd::Many;
use meter::Meter;

type Scenario = (&'static str, fn(&mut Meter));

/// Each scenario, and what one operation of it is.
const SCENARIOS: [Scenario; 36] = [
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
    ("crowd-send-alone", |meter| crowd::send(meter, Many::Nothing)),
    ("crowd-send-brokers", |meter| crowd::send(meter, Many::Brokers)),
    ("crowd-send-consumers", |meter| crowd::send(meter, Many::Consumers)),
    ("crowd-send-groups", |meter| crowd::send(meter, Many::Groups)),
    ("crowd-send-topics", |meter| crowd::send(meter, Many::Topics)),
    ("crowd-received-alone", |meter| crowd::received(meter, Many::Nothing)),
    ("crowd-received-brokers", |meter| crowd::received(meter, Many::Brokers)),
    ("crowd-received-consumers", |meter| crowd::received(meter, Many::Consumers)),
    ("crowd-received-groups", |meter| crowd::received(meter, Many::Groups)),
    ("crowd-received-topics", |meter| crowd::received(meter, Many::Topics)),
    ("crowd-unlock-alone", |meter| crowd::unlock(meter, Many::Nothing)),
    ("crowd-unlock-brokers", |meter| crowd::unlock(meter, Many::Brokers)),
    ("crowd-unlock-consumers", |meter| crowd::unlock(meter, Many::Consumers)),
    ("crowd-unlock-groups", |meter| crowd::unlock(meter, Many::Groups)),
    ("crowd-unlock-topics", |meter| crowd::unlock(meter, Many::Topics)),
    ("growing-queues-few", |meter| growing::queues(meter, 250)),
    ("growing-queues-many", |meter| growing::queues(meter, 2_000)),
    ("growing-topics-few", |meter| growing::topics(meter, 100)),
    ("growing-topics-many", |meter| growing::topics(meter, 1_000)),
    ("growing-brokers-few", |meter| growing::brokers(meter, 60)),
    ("growing-brokers-many", |meter| growing::brokers(meter, 960)),
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
