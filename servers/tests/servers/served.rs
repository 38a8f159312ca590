//! Which requests are served, as the docs list them.

use std::collections::BTreeSet;

use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::ServerId;

use super::client::{Bench, code};

const DOCS: &str = include_str!("../../DIFFERENCES.md");

/// The codes that the docs list from `heading` on.
fn listed(heading: &str) -> BTreeSet<i32> {
    let (_, list) = DOCS.split_once(heading).expect("the list");
    let list = list.split_terminator([';', '.']).next().unwrap_or_default();
    let row = |row: &str| {
        let (name, number) = row.trim().split_once('(')?;
        let number: i32 = number.trim_end_matches(')').parse().ok()?;
        assert_eq!(format!("{:?}", RequestCode(number)), format!("{} ({number})", name.trim()));
        Some(number)
    };
    list.split(',').map(|text| row(text).unwrap_or_else(|| panic!("{text}"))).collect()
}

fn served(server: ServerId) -> BTreeSet<i32> {
    let (mut bench, _) = Bench::with_broker(|_| {});
    let peer = bench.connect(server);
    let mut is_served = |number: &i32| {
        let answer = bench.ask_code(peer, RequestCode(*number));
        code(&answer) != ResponseCode::REQUEST_CODE_NOT_SUPPORTED
    };
    (0..1500).filter(&mut is_served).collect()
}

#[test]
fn the_requests_that_the_docs_list_are_served_and_no_others() {
    assert_eq!(served(ServerId::Broker(0)), listed("by brokers:"));
    assert_eq!(served(ServerId::NameServer(0)), listed("by name servers:"));
}
