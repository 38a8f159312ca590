//! Offsets of queues and of groups.

use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    DeleteTopicInBroker, EarliestStoreTimeAnswer, GetEarliestStoreTime, GetMaxOffset, GetMinOffset, OffsetAnswer,
    QueryConsumerOffset, SearchOffset, UpdateConsumerOffset,
};
use stgclient_servers::Peer;

use super::client::{BEGINNING, Bench, code, remark};

fn bench() -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    (bench, peer)
}

fn offset(answer: &Command) -> i64 {
    assert_eq!(code(answer), Code::SUCCESS, "{:?}", answer.remark);
    answer.header::<OffsetAnswer>().expect("an offset").offset
}

fn query(group: &str) -> QueryConsumerOffset<'_> {
    QueryConsumerOffset {
        consumer_group: group.into(),
        topic: "t".into(),
        queue_id: 0,
        set_zero_if_not_found: None,
        broker_name: None,
    }
}

fn update(group: &str, commit_offset: i64) -> UpdateConsumerOffset<'_> {
    UpdateConsumerOffset {
        consumer_group: group.into(),
        topic: "t".into(),
        queue_id: 0,
        commit_offset,
        broker_name: None,
    }
}

#[test]
fn a_queue_says_where_it_begins_and_ends() {
    let (mut bench, peer) = bench();
    let max = GetMaxOffset { topic: "t".into(), queue_id: 0, broker_name: None };
    let min = GetMinOffset { topic: "t".into(), queue_id: 0, broker_name: None };
    assert_eq!(offset(&bench.ask(peer, &max)), 0);
    bench.send(peer, "t", 0, "", b"x");
    assert_eq!((offset(&bench.ask(peer, &max)), offset(&bench.ask(peer, &min))), (1, 0));
    let unknown = GetMaxOffset { topic: "none".into(), ..max };
    assert_eq!(offset(&bench.ask(peer, &unknown)), 0, "as Apache's broker says it of topics it does not know");
}

#[test]
fn offsets_are_found_by_time() {
    let (mut bench, peer) = bench();
    // Two messages at the same millisecond, then one each second.
    let base = BEGINNING as i64;
    for _ in 0..2 {
        bench.send(peer, "t", 0, "", b"x");
    }
    for _ in 0..3 {
        bench.pass(Duration::from_secs(1));
        bench.send(peer, "t", 0, "", b"x");
    }
    let mut search = |timestamp, boundary: Option<&'static str>| {
        let request = SearchOffset {
            topic: "t".into(),
            queue_id: 0,
            timestamp,
            boundary_type: boundary.map(Into::into),
            broker_name: None,
        };
        offset(&bench.ask(peer, &request))
    };
    for (timestamp, lower, upper) in [
        (base - 5, 0, 0),
        (base, 0, 1),
        (base + 1, 2, 1),
        (base + 1000, 2, 2),
        (base + 3000, 4, 4),
        (base + 3001, 5, 4),
    ] {
        assert_eq!(search(timestamp, Some("LOWER")), lower);
        assert_eq!(search(timestamp, None), lower);
        assert_eq!(search(timestamp, Some("UPPER")), upper);
    }
}

#[test]
fn the_first_message_says_when_it_was_stored() {
    let (mut bench, peer) = bench();
    let request = GetEarliestStoreTime { topic: "t".into(), queue_id: 0, broker_name: None };
    let earliest =
        |bench: &mut Bench| bench.ask(peer, &request).header::<EarliestStoreTimeAnswer>().expect("a time").timestamp;
    assert_eq!(earliest(&mut bench), -1);
    bench.send(peer, "t", 0, "", b"x");
    bench.pass(Duration::from_secs(9));
    bench.send(peer, "t", 0, "", b"x");
    assert_eq!(earliest(&mut bench), BEGINNING as i64);
}

#[test]
fn a_group_finds_the_offset_it_committed_even_a_lower_one() {
    let (mut bench, peer) = bench();
    bench.pull(peer, "t", 0, 0, "*");
    for committed in [5, 3] {
        assert_eq!(code(&bench.ask(peer, &update("consumers", committed))), Code::SUCCESS);
        assert_eq!(offset(&bench.ask(peer, &query("consumers"))), committed);
    }
}

#[test]
fn only_known_groups_and_topics_commit() {
    let (mut bench, peer) = bench();
    let answered = bench.ask(peer, &update("stranger", 1));
    assert_eq!((code(&answered), remark(&answered)), (Code::SUBSCRIPTION_GROUP_NOT_EXIST, "Group stranger not exist!"));
    bench.pull(peer, "t", 0, 0, "*");
    let answered = bench.ask(peer, &UpdateConsumerOffset { topic: "none".into(), ..update("consumers", 1) });
    assert_eq!((code(&answered), remark(&answered)), (Code::TOPIC_NOT_EXIST, "Topic none not exist!"));
}

#[test]
fn a_group_without_an_offset_starts_at_0_only_while_the_first_message_is_there() {
    let (mut bench, peer) = bench();
    let answered = bench.ask(peer, &query("g"));
    assert_eq!(code(&answered), Code::QUERY_NOT_FOUND, "nothing was ever sent");
    assert_eq!(remark(&answered), "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first");
    bench.send(peer, "t", 0, "", b"x");
    assert_eq!(offset(&bench.ask(peer, &query("g"))), 0);
    let strict = QueryConsumerOffset { set_zero_if_not_found: Some(false), ..query("g") };
    assert_eq!(code(&bench.ask(peer, &strict)), Code::QUERY_NOT_FOUND);

    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 0);
    bench.create_topic(peer, "t", 1);
    bench.send(peer, "t", 0, "", b"x");
    bench.send(peer, "t", 0, "", b"x");
    assert_eq!(code(&bench.ask(peer, &query("g"))), Code::QUERY_NOT_FOUND, "the first message is gone");
}

#[test]
fn offsets_go_with_their_topic() {
    let (mut bench, peer) = bench();
    bench.pull(peer, "t", 0, 0, "*");
    bench.ask(peer, &update("consumers", 5));
    bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() });
    bench.create_topic(peer, "t", 2);
    assert_eq!(code(&bench.ask(peer, &query("consumers"))), Code::QUERY_NOT_FOUND);
}

#[test]
fn requests_nobody_knows_are_answered_with_code_3() {
    let (mut bench, peer) = bench();
    let answered = bench.ask_code(peer, RequestCode(200_050));
    assert_eq!(code(&answered), Code::REQUEST_CODE_NOT_SUPPORTED);
    assert_eq!(remark(&answered), " request type 200050 not supported");
}
