//! The broker and the name server in memory compared with Apache's: the same sequences of requests, valid and odd, of every
//! code that they serve, made from seeds and played to both in step. What they answer is the same, but for what
//! `servers/DIFFERENCES.md` names.
//!
//! `tests/servers/with-cluster` starts Apache's. `STGCLIENT_SEEDS=A..B` chooses the seeds.

// Apache's servers have clocks, and answer when they like.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod apache;
mod differences;
mod memory;
mod places;
mod request;
mod sequence;
mod templates;
mod view;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use apache::Apache;
use differences::{Difference, Differences};
use memory::Memory;
use request::Request;
use sequence::Sequence;
use view::View;

/// How long something may take that Apache's servers do after they have answered: to find a message by its queue or by its
/// key, to tell a name server, to tell members of each other.
const SOON: Duration = Duration::from_secs(5);
/// How many differences that are not named end a run.
const ENOUGH: usize = 40;

#[test]
fn both_answer_the_same() {
    let seeds = seeds();
    let began = Instant::now();
    let mut apache = Apache::connect();
    let mut memory = Memory::like(&apache);
    let mut differences = Differences::read();
    let mut asked: BTreeMap<i32, usize> = BTreeMap::new();
    let mut sent = 0;
    for seed in seeds.clone() {
        let mut sequence = Sequence::new(seed, sent);
        while let Some(request) = sequence.next() {
            *asked.entry(request.code).or_default() += 1;
            let ours = memory.ask(&request);
            let theirs = ask_apache(&mut apache, &request, &ours, &differences);
            for difference in ours.differences(&theirs) {
                differences.met(Difference { seed, code: request.code, request: request.to_string(), ..difference });
            }
            if differences.unknown() >= ENOUGH {
                break;
            }
        }
        sent += sequence.sent();
        if differences.unknown() >= ENOUGH {
            break;
        }
    }
    compare_told(&memory, &mut apache, &mut differences);
    let requests: usize = asked.values().sum();
    println!("{requests} requests of {} codes, seeds {seeds:?}, {:?}", asked.len(), began.elapsed());
    println!("{} differences are named", differences.named());
    differences.judge();
    for code in templates::codes() {
        assert!(asked.contains_key(&code), "nothing of code {code} was asked");
    }
}

/// What the servers have told and asked clients without being asked.
fn compare_told(memory: &Memory, apache: &mut Apache, differences: &mut Differences) {
    let until = Instant::now() + SOON;
    while memory.told() != apache.told() && Instant::now() < until {
        apache.wait();
    }
    view::told_differences(memory.told(), apache.told()).into_iter().for_each(|difference| differences.met(difference));
}

fn seeds() -> Range<u64> {
    let chosen = std::env::var("STGCLIENT_SEEDS").unwrap_or_else(|_| "0..40".to_owned());
    let (from, to) = chosen.split_once("..").expect("STGCLIENT_SEEDS is A..B");
    from.parse().expect("a seed")..to.parse().expect("a seed")
}

/// What Apache's server says; what only reads is asked again until both say the same, or for as long as it may be busy with
/// what came before.
fn ask_apache(apache: &mut Apache, request: &Request, ours: &View, differences: &Differences) -> View {
    if request.needs_queues() {
        apache.settle();
    }
    let until = Instant::now() + SOON;
    loop {
        let theirs = apache.ask(request);
        let is_same = || ours.differences(&theirs).all(|found| differences.knows(request.code, &found.field));
        if !request.only_reads() || is_same() || Instant::now() > until {
            return theirs;
        }
        apache.wait();
    }
}
